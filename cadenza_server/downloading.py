"""A file that is written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def whole_file(destination: Path) -> Iterator[BinaryIO]:
    """A file to write; it gets its name when the block ends well, and goes when it does not.

    Not synced to disk: what is fetched from a store can be fetched again.
    """
    part = destination.with_name(f".{destination.name}.{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(destination)
    finally:
        part.unlink(missing_ok=True)
