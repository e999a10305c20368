"""What the shell offers after the tab key. Reads the local queue only, never the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadenza_uploader import Settings

__all__ = ["pieces", "take_ids"]


def take_ids(incomplete: str) -> list[tuple[str, str]]:
    """Short ids of the newest takes beginning with `incomplete`, with what they are."""
    try:
        return _take_ids(incomplete, _settings())
    except Exception:  # noqa: BLE001 - a tab key must never print a traceback into the prompt
        return []


def pieces(incomplete: str) -> list[tuple[str, str]]:
    """Ids of the known pieces beginning with `incomplete`, with their titles."""
    try:
        return _pieces(incomplete, _settings())
    except Exception:  # noqa: BLE001 - as above
        return []


def _settings() -> Settings:
    from cadenza_uploader import Settings

    return Settings.load(os.environ)


def _take_ids(incomplete: str, settings: Settings) -> list[tuple[str, str]]:
    from cadenza_cli._pieces import PieceNames
    from cadenza_cli._takes import context_words
    from cadenza_uploader import Home, TakeQueue

    home = Home(settings.home)
    if not home.database.exists():
        return []
    titles = PieceNames.load(home.path, settings.url).titles
    with TakeQueue.open(home) as queue:
        return [
            (take.short_id, f"{take.status.value} {context_words(take.context, titles)}")
            for take in queue.list()
            if take.id.startswith(incomplete)
        ]


def _pieces(incomplete: str, settings: Settings) -> list[tuple[str, str]]:
    from cadenza_cli._pieces import PieceNames

    wanted = incomplete.casefold()
    return [
        (piece_id, title)
        for piece_id, title in PieceNames.load(settings.home, settings.url).titles.items()
        if piece_id.startswith(wanted)
    ]
