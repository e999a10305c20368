"""Pieces and the pictures of their pages."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Path, Query, Request, Response
from sqlalchemy import func
from sqlmodel import col, select

from cadenza_server.context import Context, ContextDep, SignedInRoute, base_url, takes_up_to
from cadenza_server.database import Session
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.errors import ApiError
from cadenza_server.keys import page_key
from cadenza_server.listing import PageQuery
from cadenza_server.pagination import SortKey, add_page_headers, after, read_cursor, write_cursor
from cadenza_server.reference import load_piece, visible_pieces
from cadenza_server.schemas import NewPiece, PageOut, PieceOut
from cadenza_server.sniff import image_size
from cadenza_server.tables import Piece, PiecePage

router = APIRouter(prefix="/pieces", tags=["pieces"], route_class=SignedInRoute)
MAX_PAGE_BYTES = 10 * 1024 * 1024
_BY_TITLE = (SortKey(col(Piece.title)), SortKey(col(Piece.id)))
Measure = Annotated[int | None, Query(ge=1, le=1_000_000)]


@router.get("", responses={**PAGE_HEADERS, **refusals("invalid")})
def list_pieces(
    ctx: ContextDep, request: Request, response: Response, page: Annotated[PageQuery, Query()]
) -> list[PieceOut]:
    """One's own pieces and those of the routine assigned to one, by title."""
    visible = visible_pieces(ctx.actor)
    query = select(Piece).where(visible).order_by(*(key.ordered for key in _BY_TITLE))
    if page.cursor is not None:
        query = query.where(after(_BY_TITLE, read_cursor(page.cursor, (str, UUID))))
    with ctx.db.reading() as session:
        total = session.exec(select(func.count()).select_from(Piece).where(visible)).one()
        pieces = list(session.exec(query.limit(page.limit + 1)))
    shown = pieces[: page.limit]
    cursor = write_cursor((shown[-1].title, shown[-1].id)) if len(pieces) > len(shown) else None
    add_page_headers(request, response, base=base_url(request), total=total, next_cursor=cursor)
    return [_piece_out(piece) for piece in shown]


@router.post(
    "", status_code=201, responses=refusals("invalid", "invalid_id", "not_found", "forbidden")
)
def create_piece(ctx: ContextDep, body: NewPiece) -> PieceOut:
    """Add a piece to one's own; a copy may name the piece it was shared from."""
    now = ctx.now()
    with ctx.db.writing() as session:
        if body.shared_from_piece_id is not None:
            load_piece(session, ctx.actor, body.shared_from_piece_id, "see")
        piece = Piece(owner_id=ctx.actor.id, created_at=now, updated_at=now, **body.model_dump())
        session.add(piece)
        session.flush()
        return _piece_out(piece)


@router.get("/{piece_id}", responses=refusals("invalid_id", "not_found", "forbidden"))
def read_piece(ctx: ContextDep, piece_id: UUID) -> PieceOut:
    """One piece, with its pages."""
    with ctx.db.reading() as session:
        piece = load_piece(session, ctx.actor, piece_id, "see")
        return _piece_out(piece, _pages(session, ctx, piece_id))


@router.put(
    "/{piece_id}/pages/{page_number}",
    responses=refusals(
        "invalid", "invalid_id", "not_found", "forbidden", "too_large", "unsupported_media"
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("image/jpeg", "image/png")
            },
        }
    },
)
@takes_up_to(MAX_PAGE_BYTES)
async def put_page(
    ctx: ContextDep,
    piece_id: UUID,
    page_number: Annotated[int, Path(ge=1, le=10_000)],
    image: Annotated[bytes, Body(media_type="application/octet-stream")],
    measure_start: Measure = None,
    measure_end: Measure = None,
) -> PageOut:
    """Store the picture of one page: the request's body is the JPEG or PNG file."""
    measures = (measure_start, measure_end)
    return await run_sync(_store_page, ctx, piece_id, page_number, image, measures)


def _store_page(
    ctx: Context,
    piece_id: UUID,
    page_number: int,
    image: bytes,
    measures: tuple[int | None, int | None],
) -> PageOut:
    facts = image_size(image)
    if facts is None:
        raise ApiError("unsupported_media", "A page is a JPEG or PNG picture.")
    kind, width, height = facts
    with ctx.db.reading() as session:
        load_piece(session, ctx.actor, piece_id, "own")
    extension = "png" if kind == "image/png" else "jpg"
    key = page_key(ctx.settings.key_prefix, piece_id, page_number, extension)
    ctx.storage.put(key, image, kind)
    with ctx.db.writing() as session:
        page = session.merge(
            PiecePage(
                piece_id=piece_id,
                page_number=page_number,
                image_key=key,
                width=width,
                height=height,
                measure_start=measures[0],
                measure_end=measures[1],
            )
        )
        session.flush()
        return _page_out(ctx, page)


def _pages(session: Session, ctx: Context, piece_id: UUID) -> list[PageOut]:
    query = (
        select(PiecePage).where(PiecePage.piece_id == piece_id).order_by(col(PiecePage.page_number))
    )
    return [_page_out(ctx, page) for page in session.exec(query)]


def _page_out(ctx: Context, page: PiecePage) -> PageOut:
    expires_in = ctx.settings.upload_url_expires_seconds
    url = ctx.storage.presign_get(page.image_key, expires_in=expires_in)
    return PageOut(image_url=url, **page.model_dump(exclude={"piece_id", "image_key"}))


def _piece_out(piece: Piece, pages: list[PageOut] | None = None) -> PieceOut:
    return PieceOut(**piece.model_dump(exclude={"s3_key"}), pages=pages)
