"""What the shell offers after the tab key. Reads the local queue only, never the network."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["take_ids"]


def take_ids(incomplete: str) -> list[tuple[str, str]]:
    """Short ids of the newest takes beginning with `incomplete`, with what they are."""
    try:
        return _take_ids(incomplete, os.environ.get("CADENZA_HOME"))
    except Exception:  # noqa: BLE001 - a tab key must never print a traceback into the prompt
        return []


def _take_ids(incomplete: str, home_path: str | None) -> list[tuple[str, str]]:
    from cadenza_cli._takes import context_words
    from cadenza_uploader import Home, Settings, TakeQueue

    home = Home(Path(home_path) if home_path else Settings.load().home)
    if not home.database.exists():
        return []
    with TakeQueue.open(home) as queue:
        return [
            (take.short_id, f"{take.status.value} {context_words(take.context)}")
            for take in queue.list()
            if take.id.startswith(incomplete)
        ]
