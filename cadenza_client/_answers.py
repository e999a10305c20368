"""How to read what the API says. Pure: nothing here sends, waits or looks at a clock.

An answer counts as the API's only if it looks like the API's: JSON, or no body at all. A 200 with
a web page in it is a login page of the network the device sits in, and so is a 403 with one; taken
at their word the first would mark a take as delivered and the second would give it up (N15).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import GenericAlias
from typing import Any, TypeVar, cast

import pydantic

from cadenza_client._call import Answer, Call, Page
from cadenza_client._headers import (
    http_date,
    is_json,
    looks_like_html,
    media_type,
    next_link,
    retry_after_seconds,
    whole_number,
)
from cadenza_client.errors import APIError, CadenzaError, ResponseError, api_error_class

__all__ = ["check_answer", "nothing", "one", "one_or_none", "page_of", "rows", "text"]

T = TypeVar("T")

# A gateway in front of the API answers these by itself, in HTML, and means what it says.
_GATEWAY_STATUSES = frozenset({408, 413, 425, 429, 500, 502, 503, 504})


def check_answer(
    status_code: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    accept: str = "application/json",
) -> None:
    """Let a 2xx of the API through and raise the error for anything else.

    Args:
        status_code: HTTP status.
        headers: names in lower case.
        body: the whole body.
        now: the device's clock, for a `Retry-After` date from a server that sends no `Date`.
        accept: the media type that was asked for.

    Raises:
        APIError: the API refused.
        ResponseError: whoever answered is not the API.
    """
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise ResponseError("the answer is compressed, which was not asked for")
    if 300 <= status_code < 400:
        # Never followed: the next request would carry the token to wherever this points (SEC-06).
        raise ResponseError(
            "the request was sent elsewhere: a login page or proxy is in between, or the server's "
            "address is not quite right",
            captive_portal=True,
            status_code=status_code,
        )
    html = looks_like_html(headers, body)
    if status_code == 511 or (html and status_code not in _GATEWAY_STATUSES):
        raise ResponseError(
            "a web page answered instead of the API: a login page or proxy is in between",
            captive_portal=True,
            status_code=status_code,
        )
    if status_code >= 400:
        raise _api_error(status_code, headers, b"" if html else body, now)
    if accept == "application/json":
        if body and not is_json(headers):
            raise ResponseError("the answer is not JSON", status_code=status_code)
    elif media_type(headers) != accept:
        raise ResponseError(f"the answer is not {accept}", status_code=status_code)


def _api_error(
    status_code: int, headers: Mapping[str, str], body: bytes, now: datetime
) -> CadenzaError:
    said: dict[str, Any] = {}
    try:
        found = json.loads(body) if body else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        said = cast("dict[str, Any]", found)
    code, detail, fields = said.get("code"), said.get("detail"), said.get("fields")
    code = code if isinstance(code, str) else None
    request_id = headers.get("x-request-id") or said.get("request_id")
    kind: type[APIError] = api_error_class(status_code, code)
    return kind(
        detail if isinstance(detail, str) else _flattened(detail),
        status_code=status_code,
        code=code,
        request_id=request_id if isinstance(request_id, str) else None,
        fields=cast("dict[str, Any]", fields) if isinstance(fields, dict) else None,
        retry_after_seconds=retry_after_seconds(
            headers.get("retry-after"), now=http_date(headers.get("date")) or now
        ),
    )


def _flattened(detail: object) -> str:
    """FastAPI's own validation errors, which a v1 server sends as they are: a list of faults."""
    if not isinstance(detail, list):
        return ""
    sentences: list[str] = []
    for fault in cast("list[object]", detail):
        if isinstance(fault, dict):
            facts = cast("dict[str, object]", fault)
            path, what = facts.get("loc"), str(facts.get("msg", ""))
            where = str(cast("list[object]", path)[-1]) if isinstance(path, list) and path else ""
            sentences.append(f"{where}: {what}" if where else what)
    return "; ".join(sentences)


# ── bodies ─────────────────────────────────────────────────────────────────────────────────────


@cache
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        return _adapter(kind).validate_json(body)
    except pydantic.ValidationError as error:
        # The fields and what is wrong with them; never the values, which can be signed URLs.
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['type']}"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    raise ResponseError(f"the answer cannot be read: {'; '.join(faults[:5])}")


def one(kind: type[T]) -> Callable[[Answer], T]:
    """Read one object."""

    def read(answer: Answer) -> T:
        return cast("T", _parsed(kind, answer.body))

    return read


def one_or_none(kind: type[T]) -> Callable[[Answer], T | None]:
    """Read one object, or `null`, or nothing."""

    def read(answer: Answer) -> T | None:
        return cast("T | None", _parsed(kind | None, answer.body or b"null"))

    return read


def rows(kind: type[T]) -> Callable[[Answer], list[T]]:
    """Read a bare array that is not paged."""

    def read(answer: Answer) -> list[T]:
        return cast("list[T]", _parsed(GenericAlias(list, (kind,)), answer.body))

    return read


def text(answer: Answer) -> str:
    """Read text for people or other programs, which is UTF-8."""
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        pass
    raise ResponseError("the answer is not UTF-8")


def nothing(answer: Answer) -> None:
    """Nothing is expected: 204, or a body nobody needs."""


def page_of(
    kind: type[T], call: Callable[[str, str], Call[Page[T]]]
) -> Callable[[Answer], Page[T]]:
    """Read one page of a bare array (W4).

    Args:
        kind: the model of one item.
        call: makes the call for another page from its path and query.
    """

    def read(answer: Answer) -> Page[T]:
        items = tuple(rows(kind)(answer))
        link = next_link(answer.headers.get("link"))
        following = None
        if link is not None:
            path, query = answer.api.route(link)
            following = call(path, query)
        return Page(items, following, whole_number(answer.headers.get("x-total-count")))

    return read
