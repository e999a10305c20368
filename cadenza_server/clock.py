"""Time as the server tells it: aware UTC inside, whole seconds on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The system clock, aware, in UTC."""
    return datetime.now(UTC)


def wire_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, no fraction: Swift's `.iso8601` refuses fractions (W2)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[
    datetime,
    PlainSerializer(wire_time, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-20T17:10:11Z"]},
        mode="serialization",
    ),
]
