"""Putting a finished file in its place."""

from __future__ import annotations

import os
from pathlib import Path


def replace_durably(part: Path, target: Path) -> None:
    """Give `part` its final name, so that after a power cut there is all of it or nothing.

    Raises:
        OSError: The disk refused.
    """
    fd = os.open(part, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
