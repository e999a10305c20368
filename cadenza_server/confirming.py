"""Confirming: the server looks at what is stored, and then stands for it (B-01, B-02).

Eager: a v2 client calls confirm and gets a receipt. Lazy: for a client that never does, the first
one who wants to watch or list the take makes the server look. The store is asked outside any
transaction; the row is read again under the write lock before anything is settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.events import Fact, append
from cadenza_server.keys import thumbnail_key_beside
from cadenza_server.receipts import Receipt, issue_receipt
from cadenza_server.schemas import Confirm, Confirmed
from cadenza_server.sniff import SNIFF_BYTES, is_jpeg
from cadenza_server.storage import StoredObject
from cadenza_server.submissions import View, find_view, load_view, submission_out
from cadenza_server.tables import MediaAsset
from cadenza_server.uploads import Announced, check_same, check_stored, declared, is_frozen


@dataclass(frozen=True)
class _Seen:
    """What the store has for one submission."""

    video: StoredObject | None
    start: bytes
    thumbnail: bool


def confirm(ctx: Context, submission_id: UUID, body: Confirm) -> Confirmed:
    """Check the stored object, freeze what it is, and sign a receipt. Safe to repeat.

    Raises:
        ApiError: `not_uploaded_yet`, `size_mismatch`, `checksum_mismatch`, `too_large`,
            `unsupported_media`, and those of `load_view`.
    """
    said = Announced(body.size_bytes, body.sha256)
    with ctx.db.reading() as session:
        view = load_view(session, ctx.actor, submission_id, "own")
    seen = _look(ctx, view, thumbnail=body.thumbnail)
    if not is_frozen(view.asset, view.submission):
        if seen.video is None:
            raise ApiError("not_uploaded_yet")
        _check_or_refuse(ctx, view, seen, seen.video, said)
    with ctx.db.writing() as session:
        view = load_view(session, ctx.actor, submission_id, "own")
        facts = _settle(ctx, view, seen, by="client")
        asset = view.asset
        assert asset.size_bytes is not None
        check_same(said, size_bytes=asset.size_bytes, sha256=asset.sha256)
        _save(session, ctx, view, facts)
    expires_in = ctx.settings.upload_url_expires_seconds
    submission = submission_out(view, ctx.storage, expires_in=expires_in)
    return Confirmed(submission=submission, receipt=_receipt(ctx, asset))


def confirm_lazily(ctx: Context, views: Iterable[View]) -> bool:
    """Look for videos that arrived without a confirm; True when any row changed.

    A video that is not what was announced stays unconfirmed here: the client that sent it learns
    of it when it confirms. One that is no video at all is marked `invalid`.
    """
    changed = False
    for view in views:
        if is_frozen(view.asset, view.submission):
            continue
        asset = view.asset
        seen = _look(ctx, view, thumbnail=True)
        if seen.video is None:
            continue
        if asset.confirmed_at and asset.etag == seen.video.etag and not seen.thumbnail:
            continue  # a v1 take that was looked at before and is still the same
        try:
            _check(ctx, view, seen, seen.video)
        except ApiError as error:
            changed |= _invalidate(ctx, view, error.code)
            continue
        changed |= _settle_lazily(ctx, asset.id, seen)
    return changed


def _settle_lazily(ctx: Context, submission_id: UUID, seen: _Seen) -> bool:
    with ctx.db.writing() as session:
        view = find_view(session, submission_id)
        assert view is not None
        facts = _settle(ctx, view, seen, by="lazy")
        _save(session, ctx, view, facts)
    return bool(facts)


def _look(ctx: Context, view: View, *, thumbnail: bool) -> _Seen:
    asset, storage = view.asset, ctx.storage
    video, start = None, b""
    if not is_frozen(asset, view.submission):
        video = storage.head(asset.s3_key)
        start = storage.read_start(asset.s3_key, SNIFF_BYTES) if video else b""
    key = thumbnail_key_beside(asset.s3_key)
    # A thumbnail never makes a take fail: one that is missing or no JPEG is just not shown (B-10).
    wanted = thumbnail and asset.thumbnail_s3_key is None
    return _Seen(video, start, wanted and is_jpeg(storage.read_start(key, SNIFF_BYTES)))


def _check(ctx: Context, view: View, seen: _Seen, video: StoredObject, *said: Announced) -> None:
    max_bytes = ctx.settings.max_upload_bytes
    check_stored(video, seen.start, declared(view.asset), *said, max_bytes=max_bytes)


def _check_or_refuse(
    ctx: Context, view: View, seen: _Seen, video: StoredObject, said: Announced
) -> None:
    """Refused bytes are remembered, so that the next upload URL may replace them."""
    try:
        _check(ctx, view, seen, video, said)
    except ApiError as error:
        with ctx.db.writing() as session:
            asset = session.get(MediaAsset, view.asset.id)
            assert asset is not None
            if asset.confirmed_at is None:
                asset.state_reason = error.code
            fact = Fact(
                "confirm_refused",
                ctx.actor.id,
                asset.id,
                {"code": error.code, "size_bytes": video.size_bytes, "sha256": video.sha256},
            )
            append(session, ctx.now(), fact)
        raise


def _settle(ctx: Context, view: View, seen: _Seen, *, by: str) -> list[Fact]:
    """Write what was seen into the row; what is frozen stays as it is (SEC-08)."""
    asset, facts = view.asset, []
    video = seen.video
    if video is not None and not is_frozen(asset, view.submission):
        is_same = asset.confirmed_at is not None and asset.etag == video.etag
        asset.size_bytes, asset.sha256, asset.etag = video.size_bytes, video.sha256, video.etag
        asset.state, asset.state_reason = "uploaded", None
        if not is_same:
            asset.confirmed_at = ctx.now()
        if not is_same or asset.confirmed_by != by:
            asset.confirmed_by = by
            name = "confirmed" if by == "client" else "lazy_confirmed"
            data = {"by": by, "size_bytes": video.size_bytes, "sha256": video.sha256}
            facts.append(Fact(name, ctx.actor.id, asset.id, data))
    if seen.thumbnail and asset.thumbnail_s3_key is None:
        asset.thumbnail_s3_key = thumbnail_key_beside(asset.s3_key)
        facts.append(Fact("thumbnail_confirmed", ctx.actor.id, asset.id))
    return facts


def _save(session: Session, ctx: Context, view: View, facts: list[Fact]) -> None:
    session.add(view.asset)
    session.flush()
    if facts:
        append(session, ctx.now(), *facts)


def _invalidate(ctx: Context, view: View, code: str) -> bool:
    if view.asset.state_reason == code:
        return False
    with ctx.db.writing() as session:
        asset = session.get(MediaAsset, view.asset.id)
        assert asset is not None
        if asset.confirmed_at is not None:
            return False
        asset.state_reason = code
        if code in ("unsupported_media", "too_large"):
            asset.state = "invalid"
        append(session, ctx.now(), Fact("invalidated", ctx.actor.id, asset.id, {"code": code}))
    return True


def _receipt(ctx: Context, asset: MediaAsset) -> Receipt:
    assert asset.size_bytes is not None
    assert asset.etag is not None
    assert asset.confirmed_at is not None
    return issue_receipt(
        ctx.services.keyring,
        asset_id=asset.id,
        s3_key=asset.s3_key,
        size_bytes=asset.size_bytes,
        sha256=asset.sha256,
        etag=asset.etag,
        confirmed_at=asset.confirmed_at,
    )
