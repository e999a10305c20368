"""What header values mean. Pure, and forgiving: garbage is None, never an exception (S02, S12)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = [
    "LONGEST_RETRY_AFTER_SECONDS",
    "http_date",
    "is_json",
    "looks_like_html",
    "lowered",
    "media_type",
    "next_link",
    "retry_after_seconds",
    "whole_number",
]

LONGEST_RETRY_AFTER_SECONDS = 3600.0
"""A server may ask for a pause, not for a client that has forgotten its user."""

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:\"[^\"]*\"|[^\s\",;]+))*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]+))", re.IGNORECASE)
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script)\b", re.IGNORECASE | re.DOTALL
)


def lowered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header names in lower case; repeated ones joined as HTTP joins them."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def whole_number(text: str | None) -> int | None:
    """A count of bytes or things; at most fifteen digits, which no honest one exceeds."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,15}", text) else None


def http_date(value: str | None) -> datetime | None:
    """An HTTP-date as an aware datetime."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """`Retry-After` as seconds from now, whether it came as seconds or as an HTTP-date.

    Garbage and negative numbers are None (the caller's own back-off applies), a moment that has
    passed is 0, and no server gets more than an hour.

    Args:
        value: the header.
        now: the server's own `Date` where it sent one, so that a device with a wrong clock waits
            the right time (K02).
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text[:20]), LONGEST_RETRY_AFTER_SECONDS)
    moment = http_date(text)
    if moment is None:
        return None
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_RETRY_AFTER_SECONDS)


def next_link(header: str | None) -> str | None:
    """The target of `rel="next"` in a `Link` header (W4)."""
    for target, parameters in _LINK.findall(header or ""):
        found = _REL.search(parameters)
        if found and "next" in (found.group(1) or found.group(2)).lower().split():
            return str(target)
    return None


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether the body says that it is JSON."""
    content_type = media_type(headers)
    return content_type == "application/json" or content_type.endswith("+json")


def looks_like_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this is a page for people, which no API and no store of ours answers with."""
    return media_type(headers) in ("text/html", "application/xhtml+xml") or bool(
        _HTML.match(body[:4096])
    )


def media_type(headers: Mapping[str, str]) -> str:
    """What kind of body it is, in lower case and without parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()
