"""The names of pieces, remembered on this device so that they work without a network.

`cadenza upload take.mp4 --piece bach` must queue in a cellar. Signing in and `cadenza pieces`
remember ids and titles here; it is a cache, and losing it loses nothing but the convenience.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from cadenza_client.models import Piece

__all__ = ["PieceNames", "UnknownPieceError"]

_FILE = "pieces.json"


class UnknownPieceError(Exception):
    """No piece, or no single piece, is meant; the message says which there are."""


@dataclass(frozen=True, slots=True)
class PieceNames:
    """Titles of the pieces of one server, by id.

    Attributes:
        titles: id → title, as they were last seen.
    """

    titles: Mapping[str, str]

    @classmethod
    def load(cls, home: Path, url: str) -> PieceNames:
        """What is remembered of this server; nothing when the file is missing or damaged."""
        return cls(_read(home / _FILE).get(url, {}))

    @staticmethod
    def remember(home: Path, url: str, pieces: Iterable[Piece], *, add: bool = False) -> None:
        """Keep the titles; with `add`, beside those that are known already.

        A home that cannot be written does not fail the command that asked: it is a cache.
        """
        path = home / _FILE
        everything = _read(path)
        known = everything.get(url, {}) if add else {}
        everything[url] = {**known, **{str(piece.id): piece.title for piece in pieces}}
        with contextlib.suppress(OSError):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}")
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(everything, file, ensure_ascii=False)
            part.replace(path)

    def find(self, words: str) -> str:
        """The id that is meant: an id itself, a whole title, or a part of just one title.

        Raises:
            UnknownPieceError: none is meant, or several.
        """
        with contextlib.suppress(ValueError):
            return str(UUID(words))
        wanted = words.casefold()
        exact = [one for one, title in self.titles.items() if title.casefold() == wanted]
        close = [one for one, title in self.titles.items() if wanted in title.casefold()]
        found = exact or close
        if len(found) == 1:
            return found[0]
        if found:
            names = "; ".join(sorted(self.titles[one] for one in found)[:5])
            raise UnknownPieceError(f"{words!r} may mean several pieces: {names}.")
        raise UnknownPieceError(
            f"{words!r} is no piece this device knows; `cadenza pieces ls` lists them."
        )


def _read(path: Path) -> dict[str, dict[str, str]]:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(dict[str, dict[str, str]]).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return {}
