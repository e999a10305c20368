"""How the page says lengths of time, moments, people and places in the score. Pure."""

from __future__ import annotations

from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def clock(seconds: int) -> str:
    """A take's length: `0:45`."""
    return f"{seconds // 60}:{seconds % 60:02}"


def span(seconds: float) -> str:
    """A wait in one unit: `4 min`, `5 h`, `2 days` (as `times.js` says it)."""
    if seconds < _HOUR:
        return f"{max(1, int(seconds // _MINUTE))} min"
    if seconds < 2 * _DAY:
        return f"{int(seconds // _HOUR)} h"
    return f"{int(seconds // _DAY)} days"


def until(due: datetime, now: datetime) -> str:
    """What is left of a promise: `43 h left`, or `2 h late`."""
    left = (due - now).total_seconds()
    return f"{span(left)} left" if left >= 0 else f"{span(-left)} late"


def ago(moment: datetime, now: datetime) -> str:
    """When something was: `12 min ago`, `3 Nov 2026`; the browser then says it in its own zone."""
    seconds = (now - moment).total_seconds()
    if seconds < _MINUTE:
        return "just now"
    if seconds < 6 * _DAY:
        return f"{span(seconds)} ago"
    return f"{moment.day} {moment:%b %Y}"


def place(page: int | None, measure: int | None, measure_end: int | None) -> str:
    """Where in the score: `p. 3, bars 17–20`; empty when nothing was said."""
    parts = [f"p. {page}"] if page else []
    if measure:
        is_range = measure_end is not None and measure_end != measure
        parts.append(f"bars {measure}–{measure_end}" if is_range else f"bar {measure}")
    return ", ".join(parts)


def initials(name: str) -> str:
    """At most two letters for a person: `Sam Okafor` → `SO`."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    chosen = words[:1] if len(words) < 2 else [words[0], words[-1]]
    return "".join(word[0].upper() for word in chosen)


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 take`, `3 takes`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
