"""Writing down what came of a derivative, and telling those who watch."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, update

from cadenza_server.assets import find_held
from cadenza_server.clock import Clock
from cadenza_server.database import Database, Session
from cadenza_server.outbox import announce, in_thread
from cadenza_server.tables import metadata

_TABLE, _ASSETS = metadata.tables["derivatives"], metadata.tables["media_assets"]
_KEY_COLUMNS = {"storyboard": "storyboard_key", "waveform": "waveform_key"}
_UNFINISHED = ("pending", "running")


class Outcomes:
    """All writes that follow a claim. What comes of an earlier attempt changes nothing."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def renew(self, asset_id: UUID, attempts: dict[str, int], until: datetime) -> None:
        """The child is still at it."""
        with self._db.writing() as session:
            for kind, attempt in attempts.items():
                _set(session, _mine(asset_id, kind, attempt), lease_until=until)

    def give_back(self, asset_id: UUID, attempts: dict[str, int], not_before: datetime) -> None:
        """Let somebody else begin again; the attempt is not counted."""
        with self._db.writing() as session:
            for kind, attempt in attempts.items():
                here = _mine(asset_id, kind, attempt)
                _set(session, here, state="pending", attempts=attempt - 1, lease_until=not_before)

    def retry(
        self, asset_id: UUID, kind: str, attempt: int, code: str, not_before: datetime
    ) -> None:
        """It went wrong, and may go well another time."""
        with self._db.writing() as session:
            here = _mine(asset_id, kind, attempt)
            _set(session, here, state="pending", error_code=code, lease_until=not_before)

    def note_facts(self, asset_id: UUID, etag: str | None, facts: dict[str, Any]) -> None:
        """What the video really is, into its row."""
        with self._db.writing() as session:
            here = and_(_ASSETS.c.id == asset_id, _ASSETS.c.etag == etag)
            session.core.execute(update(_ASSETS).where(here).values(**facts))

    def finish(
        self,
        asset_id: UUID,
        kind: str,
        attempt: int,
        etag: str | None,
        *,
        key: str | None = None,
        facts: dict[str, Any] | None = None,
        error_code: str | None = None,
    ) -> bool:
        """It is made, or never will be.

        Returns:
            False when it is no longer ours to say: the lease was lost, the video was replaced or
            deleted.
        """
        now = self._clock()
        with self._db.writing() as session:
            asset = session.core.execute(select(_ASSETS).where(_ASSETS.c.id == asset_id)).first()
            if asset is None or asset.deleted_at is not None or asset.etag != etag:
                return False
            is_mine = _set(
                session,
                _mine(asset_id, kind, attempt),
                state="failed" if error_code else "ready",
                key=key,
                facts=facts or {},
                error_code=error_code,
                lease_until=None,
                finished_at=now,
            )
            if not is_mine:
                return False
            values: dict[str, Any] = {}
            if kind in _KEY_COLUMNS:
                values = {_KEY_COLUMNS[kind]: key}
            elif kind == "normalise":
                # A WebM that no MP4 can be made of is no video for anybody.
                bad = {"state": "invalid", "state_reason": "unsupported_media"}
                values = bad if error_code else {"normalised_at": now}
            if values:
                here = _ASSETS.c.id == asset_id
                session.core.execute(update(_ASSETS).where(here).values(**values))
            self._tell(session, asset_id, kind, now)
        return True

    def settle(self, asset_id: UUID) -> None:
        """With nothing left to make, the asset is ready; what failed counts as made."""
        now = self._clock()
        left = select(_TABLE.c.kind).where(
            _TABLE.c.asset_id == asset_id, _TABLE.c.state.in_(_UNFINISHED)
        )
        with self._db.writing() as session:
            if session.core.execute(left).first():
                return
            here = and_(_ASSETS.c.id == asset_id, _ASSETS.c.state == "uploaded")
            changed = session.core.execute(update(_ASSETS).where(here).values(state="ready"))
            if changed.rowcount:
                self._tell_ready(session, asset_id, now)

    def is_deleted(self, asset_id: UUID) -> bool:
        """True when nobody is to see anything of it any more."""
        query = select(_ASSETS.c.deleted_at).where(_ASSETS.c.id == asset_id)
        with self._db.reading() as session:
            return session.core.execute(query).scalar() is not None

    def _tell(self, session: Session, asset_id: UUID, kind: str, now: datetime) -> None:
        held = find_held(session, asset_id)
        if held is not None:
            more: dict[str, Any] = {"asset_id": asset_id, "kind": kind} | _message(
                held.asset.kind, asset_id
            )
            event = in_thread(
                session,
                "derivative.changed",
                None,
                held.submission_id,
                subject_id=asset_id,
                **more,
            )
            announce(session, now, event)

    def _tell_ready(self, session: Session, asset_id: UUID, now: datetime) -> None:
        held = find_held(session, asset_id)
        if held is None:
            return
        more = _message(held.asset.kind, asset_id)
        event = in_thread(
            session,
            "message.updated" if more else "submission.ready",
            None,
            held.submission_id,
            subject_id=asset_id,
            **more,
        )
        announce(session, now, event)


def _message(kind: str, asset_id: UUID) -> dict[str, Any]:
    return {"message_id": asset_id} if kind == "message" else {}


def _mine(asset_id: UUID, kind: str, attempt: int) -> ColumnElement[bool]:
    return and_(
        _TABLE.c.asset_id == asset_id,
        _TABLE.c.kind == kind,
        _TABLE.c.attempts == attempt,
        _TABLE.c.state == "running",
    )


def _set(session: Session, here: ColumnElement[bool], **values: Any) -> bool:
    return session.core.execute(update(_TABLE).where(here).values(**values)).rowcount > 0
