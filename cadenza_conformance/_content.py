"""The bytes of a recording: a function of its seed, so that no fixture is shipped.

Normative, and ten lines in any language: concatenate `SHA-256(ascii(SEED + ":" + decimal i))` for
i = 0, 1, 2 … and cut the result at the wanted size.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_BLOCKS_AT_ONCE = 2048
_NAMED = re.compile(r"prng:[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Content:
    """A recording's bytes, described.

    Attributes:
        name: `prng:SEED`.
        size_bytes: how many.
    """

    name: str
    size_bytes: int

    def parts(self) -> Iterator[bytes]:
        """The bytes, in pieces of at most 64 KiB."""
        seed, left, number = self.name.partition(":")[2], self.size_bytes, 0
        while left > 0:
            blocks = min(_BLOCKS_AT_ONCE, -(-left // 32))
            part = b"".join(
                hashlib.sha256(f"{seed}:{number + i}".encode("ascii")).digest()
                for i in range(blocks)
            )[:left]
            number += blocks
            left -= len(part)
            yield part

    def write(self, path: Path) -> None:
        """Write them to a file."""
        with path.open("wb") as file:
            for part in self.parts():
                file.write(part)

    @property
    def sha256(self) -> str:
        """Their SHA-256 in hex."""
        return _sha256(self.name, self.size_bytes)


def is_content_name(name: str) -> bool:
    """Whether a scenario may name its content so."""
    return _NAMED.fullmatch(name) is not None


@lru_cache(maxsize=256)
def _sha256(name: str, size_bytes: int) -> str:
    digest = hashlib.sha256()
    for part in Content(name, size_bytes).parts():
        digest.update(part)
    return digest.hexdigest()
