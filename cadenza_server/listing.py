"""Lists of submissions: filters, the lazy look at what may have arrived, pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement
from sqlmodel import col

from cadenza_server.confirming import confirm_lazily
from cadenza_server.context import Context, base_url
from cadenza_server.database import Session
from cadenza_server.pagination import DEFAULT_LIMIT, MAX_LIMIT, add_page_headers
from cadenza_server.presenting import present
from cadenza_server.schemas import MediaState, SubmissionOut
from cadenza_server.submissions import (
    NEWEST_CAPTURE_FIRST,
    View,
    load_page,
    select_views,
    views_of,
)
from cadenza_server.tables import MediaAsset, VideoSubmission

# A list asks the store for the newest takes that may have arrived unannounced, and no more.
_LAZY_LOOKS = 50


class PageQuery(BaseModel):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="items a page")] = DEFAULT_LIMIT
    cursor: Annotated[
        str | None, Field(max_length=1000, description="from the `Link` header; opaque")
    ] = None


class _Filters(PageQuery):
    exercise_id: UUID | None = None
    piece_id: UUID | None = None
    media_state: MediaState | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """SQL for what was asked, but for `media_state`."""
        chosen = {
            col(VideoSubmission.exercise_id): self.exercise_id,
            col(VideoSubmission.piece_id): self.piece_id,
        }
        return [column == value for column, value in chosen.items() if value is not None]


class OwnFilters(_Filters):
    """Filters of one's own list."""

    session_id: UUID | None = None
    reviewed: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """SQL for what was asked."""
        conditions = super().conditions()
        if self.session_id is not None:
            conditions.append(col(VideoSubmission.session_id) == self.session_id)
        if self.reviewed is not None:
            conditions.append(_is_reviewed(self.reviewed))
        return conditions


class StudentFilters(_Filters):
    """Filters of a teacher's list of one student."""

    pending_review: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """SQL for what was asked."""
        conditions = super().conditions()
        if self.pending_review is not None:
            conditions.append(_is_reviewed(not self.pending_review))
        return conditions


def list_submissions(
    ctx: Context,
    request: Request,
    response: Response,
    conditions: Sequence[ColumnElement[bool]],
    filters: OwnFilters | StudentFilters,
) -> list[SubmissionOut]:
    """One page, newest capture first, with the headers of the next (W4)."""
    wanted = [*conditions, *filters.conditions()]
    look_for_arrivals(ctx, wanted)
    if filters.media_state is not None:
        wanted.append(col(MediaAsset.state) == filters.media_state)
    with ctx.db.reading() as session:
        page = load_page(
            session, wanted, NEWEST_CAPTURE_FIRST, limit=filters.limit, cursor=filters.cursor
        )
    add_page_headers(
        request,
        response,
        base=base_url(request),
        total=page.total,
        next_cursor=page.next_cursor,
    )
    return present(ctx, page.views)


def look_for_arrivals(ctx: Context, conditions: Sequence[ColumnElement[bool]]) -> None:
    """Confirm lazily what is stored already but was never confirmed (B-02)."""
    with ctx.db.reading() as session:
        waiting = _waiting(session, conditions)
    confirm_lazily(ctx, [view.held for view in waiting])


def _waiting(session: Session, conditions: Sequence[ColumnElement[bool]]) -> list[View]:
    query = (
        select_views()
        .where(*conditions, col(MediaAsset.state) == "awaiting_upload")
        .order_by(col(VideoSubmission.created_at).desc())
        .limit(_LAZY_LOOKS)
    )
    return views_of(session.execute(query))


def _is_reviewed(reviewed: bool) -> ColumnElement[bool]:
    column = col(VideoSubmission.reviewed_at)
    return column.is_not(None) if reviewed else column.is_(None)
