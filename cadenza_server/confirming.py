"""Confirming: the server looks at what is stored, and then stands for it (B-01, B-02).

Eager: a v2 client calls confirm and gets a receipt. Lazy: for a client that never does, the first
one who wants to watch or list the take makes the server look. The store is asked outside any
transaction; the row is read again under the write lock before anything is settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from cadenza_server.arriving import follow_arrival
from cadenza_server.assets import Held, Holding, find_held
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.events import Fact, append
from cadenza_server.keys import thumbnail_key_beside, upload_key
from cadenza_server.receipts import Receipt, issue_receipt
from cadenza_server.schemas import Confirm
from cadenza_server.sniff import SNIFF_BYTES, is_jpeg
from cadenza_server.storage import StorageUnavailableError, StoredObject
from cadenza_server.tables import MediaAsset
from cadenza_server.uploads import Announced, check_same, check_stored, declared, is_unverified


@dataclass(frozen=True)
class _Seen:
    """What the store has for one asset."""

    video: StoredObject | None
    start: bytes
    thumbnail: bool


def confirm(
    ctx: Context, load: Callable[[Session], Holding], body: Confirm
) -> tuple[Holding, Receipt]:
    """Check the stored object, freeze what it is, and sign a receipt. Safe to repeat.

    Args:
        ctx: who asks.
        load: what is to be confirmed, checked to be the actor's; called again under the write
            lock.
        body: what the client believes it has stored.

    Returns:
        What was loaded, as it is now, and the receipt.

    Raises:
        ApiError: `not_uploaded_yet`, `size_mismatch`, `checksum_mismatch`, `too_large`,
            `unsupported_media`, and those of `load`.
    """
    said = Announced(body.size_bytes, body.sha256)
    with ctx.db.reading() as session:
        held = load(session).held
    seen = _look(ctx, held, thumbnail=body.thumbnail)
    if not held.is_frozen:
        if seen.video is None:
            raise ApiError("not_uploaded_yet")
        seen = replace(seen, video=_read_back(ctx, held, seen.video, said))
        assert seen.video is not None
        _check_or_refuse(ctx, held, seen, seen.video, said)
    with ctx.db.writing() as session:
        loaded = load(session)
        held = loaded.held
        facts = _settle(session, ctx, held, seen, by="client")
        asset = held.asset
        assert asset.size_bytes is not None
        check_same(said, size_bytes=asset.size_bytes, sha256=asset.sha256)
        _save(session, ctx, held, facts)
    return loaded, _receipt(ctx, asset)


def confirm_lazily(ctx: Context, uploads: Iterable[Held]) -> bool:
    """Look for videos that arrived without a confirm; True when any row changed.

    A video that is not what was announced stays unconfirmed here: the client that sent it learns
    of it when it confirms. One that is no video at all is marked `invalid`.
    """
    changed = False
    for held in uploads:
        asset = held.asset
        if held.is_frozen or _is_its_clients(asset):
            continue
        seen = _look(ctx, held, thumbnail=True)
        if seen.video is None:
            continue
        if asset.confirmed_at and asset.etag == seen.video.etag and not seen.thumbnail:
            continue  # a v1 take that was looked at before and is still the same
        if _was_wrong(asset, seen.video):
            continue
        try:
            _check(ctx, held, seen, seen.video)
        except ApiError as error:
            changed |= _invalidate(ctx, held, error.code)
            continue
        changed |= _settle_lazily(ctx, held, seen)
    return changed


def _is_its_clients(asset: MediaAsset) -> bool:
    """True for bytes that a confirm refused by what only it knew: its client sends them again."""
    is_refused = asset.state_reason in ("size_mismatch", "checksum_mismatch")
    return is_refused and declared(asset) == Announced()


def _was_wrong(asset: MediaAsset, video: StoredObject) -> bool:
    """Read back at a confirm and found to be other bytes; the store itself would not tell."""
    refused = asset.confirmed_at is None and asset.state_reason == "checksum_mismatch"
    return refused and video.sha256 is None and asset.etag == video.etag


def _settle_lazily(ctx: Context, held: Held, seen: _Seen) -> bool:
    with ctx.db.writing() as session:
        now_held = find_held(session, held.asset.id)
        assert now_held is not None
        facts = _settle(session, ctx, now_held, seen, by="lazy")
        _save(session, ctx, now_held, facts)
    return bool(facts)


def _look(ctx: Context, held: Held, *, thumbnail: bool) -> _Seen:
    asset, storage = held.asset, ctx.storage
    video, start = None, b""
    if not held.is_frozen:
        sent = upload_key(asset.s3_key, asset.content_type)
        video = storage.head(sent)
        start = storage.read_start(sent, SNIFF_BYTES) if video else b""
    key = thumbnail_key_beside(asset.s3_key)
    # A thumbnail never makes a take fail: one that is missing or no JPEG is just not shown (B-10).
    wanted = thumbnail and asset.thumbnail_s3_key is None
    return _Seen(video, start, wanted and is_jpeg(storage.read_start(key, SNIFF_BYTES)))


def _read_back(ctx: Context, held: Held, video: StoredObject, said: Announced) -> StoredObject:
    """The object with its digest, where a client named one and the store told none.

    The checksum was signed into the upload's URL, but not every store that ignores it says so,
    and a receipt claims no more than was verified. Nothing is read back lazily: a list would
    read fifty videos. What was found lazily stays open until its own client confirms it.
    """
    wanted = said.sha256 or held.asset.declared_sha256
    if video.sha256 or not wanted or not ctx.settings.s3_read_back:
        return video
    if video.size_bytes > ctx.settings.max_upload_bytes:
        return video  # refused for its size: not a byte of it is read
    sha256 = ctx.storage.digest(video.key, video.etag)
    if sha256 is None:
        raise StorageUnavailableError(f"{video.key} was replaced while it was looked at")
    return replace(video, sha256=sha256)


def _check(ctx: Context, held: Held, seen: _Seen, video: StoredObject, *said: Announced) -> None:
    max_bytes = ctx.settings.max_upload_bytes
    check_stored(video, seen.start, declared(held.asset), *said, max_bytes=max_bytes)


def _check_or_refuse(
    ctx: Context, held: Held, seen: _Seen, video: StoredObject, said: Announced
) -> None:
    """Refused bytes are remembered, so that the next upload URL may replace them."""
    try:
        _check(ctx, held, seen, video, said)
    except ApiError as error:
        with ctx.db.writing() as session:
            asset = session.get(MediaAsset, held.asset.id)
            assert asset is not None
            if is_unverified(asset):  # found lazily by its size alone, and now known to be wrong
                asset.state, asset.confirmed_at = "awaiting_upload", None
            if asset.confirmed_at is None:
                asset.state_reason, asset.etag = error.code, video.etag
            data = {"code": error.code, "size_bytes": video.size_bytes, "sha256": video.sha256}
            append(session, ctx.now(), held.fact("confirm_refused", ctx.actor.id, data))
        raise


def _settle(session: Session, ctx: Context, held: Held, seen: _Seen, *, by: str) -> list[Fact]:
    """Write what was seen into the row; what is frozen stays as it is (SEC-08)."""
    asset, facts = held.asset, []
    video = seen.video
    if video is not None and not held.is_frozen:
        is_same = asset.confirmed_at is not None and asset.etag == video.etag
        asset.size_bytes, asset.sha256, asset.etag = video.size_bytes, video.sha256, video.etag
        asset.state, asset.state_reason = "uploaded", None
        if not is_same:
            is_first, asset.confirmed_at = asset.confirmed_at is None, ctx.now()
            follow_arrival(session, ctx.settings, held, asset.confirmed_at, is_first=is_first)
        if not is_same or asset.confirmed_by != by:
            asset.confirmed_by = by
            name = "confirmed" if by == "client" else "lazy_confirmed"
            data = {"by": by, "size_bytes": video.size_bytes, "sha256": video.sha256}
            facts.append(held.fact(name, ctx.actor.id, data))
    if seen.thumbnail and asset.thumbnail_s3_key is None:
        asset.thumbnail_s3_key = thumbnail_key_beside(asset.s3_key)
        facts.append(held.fact("thumbnail_confirmed", ctx.actor.id))
    return facts


def _save(session: Session, ctx: Context, held: Held, facts: list[Fact]) -> None:
    session.add(held.asset)
    session.flush()
    if facts:
        append(session, ctx.now(), *facts)


def _invalidate(ctx: Context, held: Held, code: str) -> bool:
    if held.asset.state_reason == code:
        return False
    with ctx.db.writing() as session:
        asset = session.get(MediaAsset, held.asset.id)
        assert asset is not None
        if asset.confirmed_at is not None:
            return False
        asset.state_reason = code
        if code in ("unsupported_media", "too_large"):
            asset.state = "invalid"
        append(session, ctx.now(), held.fact("invalidated", ctx.actor.id, {"code": code}))
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
