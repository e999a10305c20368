"""Claiming what is wanted, having it made, storing it, and telling.

Any number of processes may do it: a claim is one write with a lease, renewed while the child
works. Who dies in between loses the lease, and somebody else begins again. Every outcome is
written only for the attempt that it belongs to.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, update

from cadenza_server.clock import Clock
from cadenza_server.database import Database, Session
from cadenza_server.derivatives.outcomes import Outcomes
from cadenza_server.derivatives.running import ChildDiedError, StoppedError, run_child
from cadenza_server.keys import (
    storyboard_key_beside,
    upload_key,
    waveform_key_beside,
)
from cadenza_server.storage import ObjectMissingError, Storage, StorageUnavailableError
from cadenza_server.tables import metadata

log = logging.getLogger("cadenza.server")

LEASE = timedelta(minutes=2)
RENEW = timedelta(seconds=30)
MAX_ATTEMPTS = 3
RETRY = timedelta(minutes=1)
_PREFIX = "cadenza-derivatives-"
_SWEEP_SECONDS = 3600.0
_ABANDONED_SECONDS = 2 * 3600.0
_CONTENT_TYPES = {
    "storyboard": "image/jpeg",
    "waveform": "application/json",
    "normalise": "video/mp4",
}
_TABLE, _ASSETS = metadata.tables["derivatives"], metadata.tables["media_assets"]
Run = Callable[..., Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Claim:
    """One asset, and what this process is to make of it."""

    asset_id: UUID
    s3_key: str
    content_type: str
    etag: str | None
    normalised: bool
    attempts: dict[str, int]

    @property
    def source_key(self) -> str:
        """What is to be fetched: the upload, or the MP4 that was made of it."""
        return self.s3_key if self.normalised else upload_key(self.s3_key, self.content_type)


class DerivativeWorker:
    """Makes derivatives, one asset at a time.

    Args:
        db: where they are wanted.
        storage: where the bytes are.
        clock: aware.
        run: starts the child; for tests.
        workspace: where files are while they are worked on; the system's own place by default.
    """

    def __init__(
        self,
        db: Database,
        storage: Storage,
        clock: Clock,
        *,
        run: Run = run_child,
        workspace: Path | None = None,
    ) -> None:
        self._db = db
        self._storage = storage
        self._clock = clock
        self._run = run
        self._workspace = workspace
        self._outcomes = Outcomes(db, clock)
        self._stopped = threading.Event()
        self._swept_at: float | None = None

    def stop(self) -> None:
        """End the work that is under way; it is begun again later, and no attempt is counted."""
        self._stopped.set()

    def run_once(self) -> bool:
        """Make what the asset that waits longest wants; False when nothing waits."""
        claim = self._claim()
        if claim is None:
            self._sweep()
            return False
        claim = self._without_the_worn_out(claim)
        started = self._clock()
        try:
            if claim.attempts:
                with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=self._workspace) as directory:
                    self._make(claim, Path(directory))
        except StoppedError:
            self._outcomes.give_back(claim.asset_id, claim.attempts, self._clock())
        except (StorageUnavailableError, OSError) as error:
            # Not the video's fault: try again when the store, or the disk, is there again.
            log.warning("derivatives_delayed", extra={"asset_id": str(claim.asset_id)})
            self._outcomes.give_back(claim.asset_id, claim.attempts, self._clock() + RETRY)
            if isinstance(error, OSError) and not isinstance(error, StorageUnavailableError):
                log.warning("derivatives_need_disk", exc_info=True)
        except ObjectMissingError:
            self._fail(claim, "object_missing", final=True)
        except ChildDiedError as error:
            self._fail(claim, str(error), final=False)
        else:
            self._fail(claim, "crashed", final=False)  # what the child said nothing of
        self._outcomes.settle(claim.asset_id)
        seconds = (self._clock() - started).total_seconds()
        extra = {"asset_id": str(claim.asset_id), "seconds": round(seconds, 1)}
        log.info("derivatives_tried", extra=extra)
        return True

    def _claim(self) -> Claim | None:
        now = self._clock()
        with self._db.reading() as session:
            if _oldest(session, now) is None:
                return None
        with self._db.writing() as session:
            asset_id = _oldest(session, now)
            if asset_id is None:
                return None
            claimed = (
                update(_TABLE)
                .where(_TABLE.c.asset_id == asset_id, _is_due(now))
                .values(state="running", attempts=_TABLE.c.attempts + 1, lease_until=now + LEASE)
                .returning(_TABLE.c.kind, _TABLE.c.attempts)
            )
            attempts: dict[str, int] = {}
            for row in session.core.execute(claimed):
                attempts[row.kind] = row.attempts
            asset = session.core.execute(select(_ASSETS).where(_ASSETS.c.id == asset_id)).one()
        return Claim(
            asset_id,
            asset.s3_key,
            asset.content_type,
            asset.etag,
            asset.normalised_at is not None,
            attempts,
        )

    def _without_the_worn_out(self, claim: Claim) -> Claim:
        """Leave out what took a whole server with it each time it was tried."""
        worn_out = {kind for kind, attempt in claim.attempts.items() if attempt > MAX_ATTEMPTS}
        for kind in worn_out:
            self._finish(claim, kind, error_code="crashed")
        left = {k: attempt for k, attempt in claim.attempts.items() if k not in worn_out}
        return replace(claim, attempts=left)

    def _sweep(self) -> None:
        """Remove what a killed server left behind: nobody works on anything for so long."""
        now = time.monotonic()
        if self._swept_at is not None and now - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = now
        workspace = self._workspace or Path(tempfile.gettempdir())
        for directory in workspace.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if time.time() - directory.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(directory)

    def _make(self, claim: Claim, directory: Path) -> None:
        source = directory / "source"
        self._storage.fetch(claim.source_key, source)
        order = {
            "source": str(source),
            "directory": str(directory),
            "kinds": sorted(claim.attempts),
        }
        renewed = self._clock()

        def tick() -> None:
            nonlocal renewed
            if self._stopped.is_set():
                raise StoppedError
            if self._clock() - renewed >= RENEW:
                renewed = self._clock()
                self._outcomes.renew(claim.asset_id, claim.attempts, renewed + LEASE)

        for record in self._run(order, on_tick=tick):
            if "probe" in record:
                self._outcomes.note_facts(claim.asset_id, claim.etag, record["probe"])
            elif "error" in record:
                self._finish(claim, record["kind"], error_code=record["error"])
            else:
                self._store(claim, record, directory)

    def _store(self, claim: Claim, record: dict[str, Any], directory: Path) -> None:
        kind, key = record["kind"], None
        if record.get("file"):
            key = {
                "storyboard": storyboard_key_beside(claim.s3_key),
                "waveform": waveform_key_beside(claim.s3_key),
                "normalise": claim.s3_key,
            }[kind]
            self._storage.put_file(key, directory / record["file"], _CONTENT_TYPES[kind])
        is_told = self._finish(claim, kind, key=key, facts=record["facts"])
        if kind == "normalise" and is_told:
            self._storage.delete(upload_key(claim.s3_key, claim.content_type))
        if not is_told and key is not None and self._outcomes.is_deleted(claim.asset_id):
            self._storage.delete(key)  # it was deleted while we worked on it

    def _finish(self, claim: Claim, kind: str, **outcome: Any) -> bool:
        attempt = claim.attempts.get(kind)
        return attempt is not None and self._outcomes.finish(
            claim.asset_id, kind, attempt, claim.etag, **outcome
        )

    def _fail(self, claim: Claim, code: str, *, final: bool) -> None:
        """For all that is not finished."""
        for kind, attempt in claim.attempts.items():
            if final or attempt >= MAX_ATTEMPTS:
                self._finish(claim, kind, error_code=code)
            else:
                later = self._clock() + RETRY * attempt
                self._outcomes.retry(claim.asset_id, kind, attempt, code, later)


def _is_due(now: datetime) -> Any:
    is_free = or_(_TABLE.c.lease_until.is_(None), _TABLE.c.lease_until <= now)
    return and_(_TABLE.c.state.in_(("pending", "running")), is_free)


def _oldest(session: Session, now: datetime) -> UUID | None:
    query = (
        select(_TABLE.c.asset_id)
        .where(_is_due(now))
        .order_by(_TABLE.c.created_at, _TABLE.c.asset_id)
        .limit(1)
    )
    found: UUID | None = session.core.execute(query).scalar()
    return found
