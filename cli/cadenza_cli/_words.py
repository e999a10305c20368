"""Numbers and times as people say them. Pure: the present moment is an argument."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

__all__ = ["clean", "clock_time", "duration", "moment", "plural", "size", "span", "utc", "width"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def size(size_bytes: int) -> str:
    """Bytes in the decimal units the limits are stated in (B-17): `12.3 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    amount = size_bytes / 1000
    for unit in ("kB", "MB", "GB"):
        # 999.95 would be printed as 1000.0: the next unit says it better.
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """A take's length as a player shows it: `0:45`, `3:00`."""
    whole = int(seconds + 0.5)
    return f"{whole // 60}:{whole % 60:02d}"


def span(seconds: float) -> str:
    """A distance in time in its largest sensible unit: `12 s`, `5 min`, `3 h`, `2 days`."""
    whole = int(abs(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h"
    return f"{whole // _DAY} days"


def moment(when: datetime, now: datetime) -> str:
    """A time seen from now: `in 5 min`, `3 h ago`, `just now`."""
    seconds = (when - now).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(seconds)} ago"


def clock_time(when: datetime) -> str:
    """A time on the wall of whoever reads it: `2026-11-20 18:04`."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M")


def utc(when: datetime | None) -> str | None:
    """A time as every machine reads it (W2): UTC, whole seconds, `Z`."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 take`, `2 takes`."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


def clean(text: str) -> str:
    """Text from a file or another person, safe to print at a terminal.

    Control and direction-changing characters could move the cursor, rewrite the title bar or
    turn a sentence round; they are shown as a replacement character instead.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if character in "\n\t" else "\ufffd" if _steers(character) else character
        for character in text
    )


def _steers(character: str) -> bool:
    category = unicodedata.category(character)
    # Cf holds the direction overrides, and also the joiners that many scripts and emoji need.
    return category in ("Cc", "Zl", "Zp") or (category == "Cf" and character not in "\u200c\u200d")


def width(text: str) -> int:
    """Columns the text takes at a terminal: wide characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )
