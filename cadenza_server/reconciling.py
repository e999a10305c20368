"""Comparing the store with the database: what `cadenza server reconcile` does.

After a restore the two may be of different moments. Nothing is ever deleted, in neither of them: a
video whose object is gone is marked as no longer kept, and is watchable again when a later run
finds the object back. A listing that is wrong looks exactly like a great loss, so too great a loss
is not believed (B-46).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from cadenza_server.clock import Clock, utc_now
from cadenza_server.database import Database, Session
from cadenza_server.events import Fact, append
from cadenza_server.keys import thumbnail_key_beside
from cadenza_server.storage import Storage
from cadenza_server.tables import MediaAsset, metadata

MAX_MISSING = 20
MAX_MISSING_SHARE = 0.10
_GONE = "object_missing_"  # + the state before, to which it returns
Kind = Literal["video", "thumbnail", "derivative", "page"]

_ASSETS = metadata.tables["media_assets"]
_PAGES = metadata.tables["piece_pages"]
_DERIVATIVES = metadata.tables["derivatives"]


class ReconcileAbortedError(Exception):
    """Too much is missing to be believed, or the listing is empty; nothing was changed.

    Attributes:
        report: what was found all the same.
    """

    def __init__(self, reason: str, report: Report) -> None:
        super().__init__(reason)
        self.report = report


@dataclass(frozen=True)
class KnownObject:
    """An object the database counts on.

    Attributes:
        key: where.
        kind: of what.
        asset_id: whose bytes; None for a page of a piece.
        size_bytes: as confirmed; None where nobody wrote it down.
        was_missing: an earlier run has marked it.
    """

    key: str
    kind: Kind
    asset_id: UUID | None = None
    size_bytes: int | None = None
    was_missing: bool = False


@dataclass
class Report:
    """What the comparison found.

    Attributes:
        known: objects the database counts on.
        found: how many of them the store has.
        missing: those it has not.
        changed: those of another size than was confirmed.
        returned: videos marked by an earlier run whose object is back.
        arrived: keys of uploads that were never confirmed; they are looked at when asked for.
        unknown: objects the database knows nothing of; they stay.
        unknown_bytes: their sizes together.
        marked: videos marked as no longer kept by this run.
        restored: videos this run made watchable again.
    """

    known: int = 0
    found: int = 0
    missing: list[KnownObject] = field(default_factory=list)
    changed: list[KnownObject] = field(default_factory=list)
    returned: list[KnownObject] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unknown_bytes: int = 0
    marked: int = 0
    restored: int = 0

    @property
    def is_clean(self) -> bool:
        """True when the store has everything the database counts on."""
        return not (self.missing or self.changed)


def reconcile(
    db: Database,
    storage: Storage,
    *,
    key_prefix: str = "",
    apply: bool = False,
    expect_missing: int | None = None,
    clock: Clock = utc_now,
) -> Report:
    """Compare; with `apply`, mark the videos whose object is gone or back.

    Args:
        db: the database.
        storage: the store.
        key_prefix: what every key starts with (`ServerSettings.key_prefix`).
        apply: write into the database; otherwise only look.
        expect_missing: how many missing objects a person has seen and believes.
        clock: for the audit trail.

    Raises:
        ReconcileAbortedError: see there.
        StorageUnavailableError: the listing broke off.
    """
    known, expected = _known(db)  # before the listing: what is confirmed meanwhile is no loss
    report = _compare(known, expected, storage, f"{key_prefix}cadenza/")
    _doubt(report, expect_missing)
    if apply:
        _apply(db, storage, report, clock)
    return report


def _known(db: Database) -> tuple[dict[str, KnownObject], set[str]]:
    """What the store should have, and what it may have because its upload was announced."""
    known: list[KnownObject] = []
    expected: set[str] = set()
    with db.reading() as session:
        for row in session.core.execute(select(_ASSETS)):
            asset = MediaAsset(**row._mapping)
            expected |= _keys_it_may_use(asset)
            known.extend(_objects_of(asset))
        for key, asset_id, state in session.core.execute(
            select(_DERIVATIVES.c.key, _DERIVATIVES.c.asset_id, _DERIVATIVES.c.state)
        ):
            if key is not None and state == "ready":
                known.append(KnownObject(key, "derivative", asset_id))
            expected |= {key} if key else set()
        for (key,) in session.core.execute(select(_PAGES.c.image_key)):
            known.append(KnownObject(key, "page"))
    return {one.key: one for one in known}, expected


def _objects_of(asset: MediaAsset) -> Iterator[KnownObject]:
    was_missing = (asset.state_reason or "").startswith(_GONE)
    if asset.state not in ("uploaded", "ready") and not was_missing:
        return
    # Until it is converted, what a browser recorded lies under another key.
    if asset.content_type != "video/webm" or asset.state == "ready":
        size = None if asset.content_type == "video/webm" else asset.size_bytes
        yield KnownObject(asset.s3_key, "video", asset.id, size, was_missing)
    if asset.thumbnail_s3_key:
        yield KnownObject(asset.thumbnail_s3_key, "thumbnail", asset.id)
    for key in (asset.storyboard_key, asset.waveform_key):
        if key:
            yield KnownObject(key, "derivative", asset.id)


def _keys_it_may_use(asset: MediaAsset) -> set[str]:
    source = asset.s3_key.removesuffix(".mp4") + ".source.webm"
    return {asset.s3_key, thumbnail_key_beside(asset.s3_key), source}


def _compare(
    known: dict[str, KnownObject], expected: set[str], storage: Storage, prefix: str
) -> Report:
    report = Report(known=len(known))
    left = dict(known)
    for listed in storage.listing(prefix):
        one = left.pop(listed.key, None)
        if one is not None:
            report.found += 1
            if one.size_bytes not in (None, listed.size_bytes):
                report.changed.append(one)
            elif one.was_missing:
                report.returned.append(one)
        elif listed.key in expected:
            report.arrived.append(listed.key)
        elif listed.key not in known:
            report.unknown.append(listed.key)
            report.unknown_bytes += listed.size_bytes
    report.missing = sorted(left.values(), key=lambda one: one.key)
    return report


def _doubt(report: Report, expect_missing: int | None) -> None:
    vanished = [one for one in report.missing if not one.was_missing]
    if not vanished or len(vanished) == expect_missing:
        return
    listed = report.found + len(report.arrived) + len(report.unknown)
    told = f"{len(vanished)} of {report.known} objects are missing"
    if not listed:
        raise ReconcileAbortedError(f"The store lists nothing at all: {told}.", report)
    if len(vanished) > MAX_MISSING or len(vanished) > MAX_MISSING_SHARE * report.known:
        raise ReconcileAbortedError(f"Too much to be believed: {told}.", report)


def _apply(db: Database, storage: Storage, report: Report, clock: Clock) -> None:
    """One short transaction for each video; the store is asked once more about each."""
    for one in _videos(report.missing):
        if not one.was_missing and storage.head(one.key) is None:
            report.marked += _change(db, one, clock, is_missing=True)
    for one in _videos(report.returned):
        report.restored += _change(db, one, clock, is_missing=False)


def _videos(objects: Iterable[KnownObject]) -> Iterator[KnownObject]:
    return (one for one in objects if one.kind == "video" and one.asset_id is not None)


def _change(db: Database, one: KnownObject, clock: Clock, *, is_missing: bool) -> bool:
    with db.writing() as session:
        asset = session.get(MediaAsset, one.asset_id)
        if asset is None or asset.deleted_at is not None:
            return False
        if is_missing:
            if asset.state not in ("uploaded", "ready"):
                return False
            asset.state, asset.state_reason = "expired", _GONE + asset.state
        else:
            if not (asset.state_reason or "").startswith(_GONE):
                return False
            assert asset.state_reason is not None
            asset.state, asset.state_reason = asset.state_reason.removeprefix(_GONE), None
        session.add(asset)
        session.flush()
        _write_down(session, asset, clock, "object_missing" if is_missing else "object_returned")
    return True


def _write_down(session: Session, asset: MediaAsset, clock: Clock, event: str) -> None:
    submission_id = asset.id if asset.kind == "take" else None
    data = {"size_bytes": asset.size_bytes, "by": "reconcile"}
    append(session, clock(), Fact(event, None, submission_id, data, asset_id=asset.id))
