"""The parts every endpoint is built from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote
from uuid import UUID

from cadenza_client._answers import page_of
from cadenza_client._call import MEBIBYTE, Call, Page

__all__ = ["LIST_BYTES", "body", "changes", "pages", "path", "query", "wire_time"]

T = TypeVar("T")

LIST_BYTES = 32 * MEBIBYTE
"""A v1 server sends whole lists; a few ten thousand submissions are still an answer."""


def path(template: str, *values: UUID | str | int) -> str:
    """A path with its `{}` filled in, each value as one segment whatever is in it."""
    return template.format(*(quote(str(value), safe="") for value in values))


def query(**values: object) -> tuple[tuple[str, str], ...]:
    """Query parameters; None is left out, `only_` stands for `only`."""
    return tuple((name, _text(value)) for name, value in values.items() if value is not None)


def body(values: Mapping[str, Any]) -> bytes:
    """A JSON body without the fields that are None."""
    return changes({name: value for name, value in values.items() if value is not None})


def changes(values: Mapping[str, Any]) -> bytes:
    """A JSON body in which None takes a value away."""
    return json.dumps(dict(values), default=_text, ensure_ascii=False).encode()


def pages(kind: type[T], route: str, parameters: tuple[tuple[str, str], ...] = ()) -> Call[Page[T]]:
    """The first page of a list, which knows how to ask for the next."""

    def following(next_path: str, next_query: str) -> Call[Page[T]]:
        return pages(kind, next_path, tuple(parse_qsl(next_query, keep_blank_values=True)))

    return Call(
        "GET",
        route,
        page_of(kind, following),
        query=parameters,
        idempotent=True,
        max_answer_bytes=LIST_BYTES,
    )


def wire_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, exactly: Swift's decoder takes no fraction and no offset (W2)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return wire_time(value)
    return str(value)
