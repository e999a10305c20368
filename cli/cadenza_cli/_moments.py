"""Moments of a video as people write them: `0:23`, `1:02.5`, `23`. Pure."""

from __future__ import annotations

import re

__all__ = ["moment_ms", "moment_words", "range_words"]

_MOMENT = re.compile(r"(?:(\d{1,2}):)?(\d{1,4})(?:[.,](\d{1,3}))?", re.ASCII)


def moment_ms(text: str) -> int | None:
    """Milliseconds from the beginning; None for what is no moment."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    minutes, seconds, fraction = found.groups()
    if minutes is not None and (len(seconds) != 2 or int(seconds) > 59):
        return None
    return (int(minutes or 0) * 60 + int(seconds)) * 1000 + int((fraction or "").ljust(3, "0"))


def moment_words(timestamp_ms: int) -> str:
    """`0:23`, and `0:23.4` between two seconds: what `mark` takes, and as precise."""
    minutes, rest = divmod(timestamp_ms, 60_000)
    seconds, fraction = divmod(rest, 1000)
    tail = f".{fraction:03d}".rstrip("0") if fraction else ""
    return f"{minutes}:{seconds:02d}{tail}"


def range_words(timestamp_ms: int, end_ms: int | None) -> str:
    """`0:23` or `0:23–0:27`."""
    begins = moment_words(timestamp_ms)
    return begins if end_ms is None else f"{begins}–{moment_words(end_ms)}"
