"""Lists stay bare arrays; the next page is a `Link` header with an opaque cursor (W4)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import Mapped

from cadenza_server.errors import ApiError

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
_LARGEST = 2**31 - 1

LimitQuery = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="items a page")]
CursorQuery = Annotated[
    str | None, Query(max_length=1000, description="from the `Link` header; opaque")
]


@dataclass(frozen=True)
class SortKey:
    """One column of an ordering."""

    expression: ColumnElement[Any] | Mapped[Any]
    descending: bool = False

    @property
    def ordered(self) -> ColumnElement[Any]:
        """For ORDER BY."""
        return self.expression.desc() if self.descending else self.expression.asc()

    def beyond(self, value: Any) -> ColumnElement[bool]:
        """Strictly after `value` in this ordering."""
        beyond: ColumnElement[bool] = (
            self.expression < value if self.descending else self.expression > value
        )
        return beyond


def after(keys: Sequence[SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
    """Rows that come after the one with these values. The last key must be unique."""
    return or_(
        *(
            and_(
                *(key.expression == value for key, value in zip(keys[:at], values, strict=False)),
                keys[at].beyond(values[at]),
            )
            for at in range(len(keys))
        )
    )


def write_cursor(values: Sequence[Any]) -> str:
    """An opaque text for a position."""
    marked = [_mark(value) for value in values]
    text = json.dumps(marked, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def read_cursor(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The position, checked to be of these types.

    Raises:
        ApiError: `invalid` when this server did not write it for this list.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        marked = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return [_unmark(value, kind) for value, kind in zip(marked, kinds, strict=True)]
    except (binascii.Error, ValueError, TypeError):
        raise ApiError(
            "invalid", "The cursor is not one of this list's.", fields={"cursor": "unknown"}
        ) from None


def add_page_headers(
    request: Request, response: Response, *, base: str, total: int, next_cursor: str | None
) -> None:
    """`X-Total-Count` always, `Link: <…>; rel="next"` while there is more."""
    response.headers["X-Total-Count"] = str(total)
    if next_cursor is not None:
        query = request.url.include_query_params(cursor=next_cursor).query
        response.headers["Link"] = f'<{base}{request.url.path}?{query}>; rel="next"'


def _mark(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _unmark(value: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("naive")
        return moment
    if kind is UUID:
        return UUID(value)
    if not isinstance(value, kind):
        raise TypeError(kind)
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("no column holds that")
    return value
