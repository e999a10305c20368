"""Into the queue: probe, copy, hash, sync, publish, row. No network, and nothing half done (I1).

Probing runs in its child process while the parent copies and hashes, and the source must look the
same before and after, so the bytes that were probed are the bytes that were kept.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cadenza_uploader import _media, _spool
from cadenza_uploader._description import describe
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader._spool import Copied, UnsafePathError
from cadenza_uploader.errors import (
    FitFailedError,
    NotATakeError,
    NotFinishedError,
    TakeRefusedError,
)
from cadenza_uploader.events import FitProgress, IntakeProgress, Observer, Silent, TakeQueued
from cadenza_uploader.take import Account, NewTake, Take, TakeContext

VIDEO_NAME = "video.mp4"
THUMBNAIL_NAME = "thumbnail.jpg"


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of putting one file into the queue.

    Attributes:
        take: the row, durable now.
        warnings: what a person should know before the teacher sees it (no sound, black, …).
        fitted: whether a 720p copy was made and queued instead of the original.
        already_queued: whether the same bytes were waiting for the same context already.
    """

    take: Take
    warnings: tuple[_media.MediaWarning, ...]
    fitted: bool
    already_queued: bool = False


def enqueue(
    queue: TakeQueue,
    path: Path,
    context: TakeContext,
    *,
    account: Account,
    settings: Settings,
    fit: bool = False,
    delete_source: bool = False,
    captured_at: datetime | None = None,
    observer: Observer | None = None,
    clock: Callable[[], float] = time.time,
) -> Intake:
    """Put a recording into the queue; when this returns it survives power loss (I1).

    Args:
        queue: where to.
        path: the user's file; it is copied and never changed (I10).
        context: what the take is about.
        account: whose it is; bound at the first claim when the user is unknown.
        settings: limits.
        fit: make a 720p H.264/AAC copy when the file is outside the limits (never cut, B-43).
        delete_source: remove the original too, once the server has confirmed these very bytes.
        captured_at: when it was recorded; default: the file's modification time.
        observer: told of hashing and fitting progress.
        clock: seconds since the epoch.

    Raises:
        TakeRefusedError: outside the limits; says the measured value and the limit.
        NotATakeError: not a readable video.
        NotFinishedError: still being written, or cut short.
        SourceChangedError: changed while it was being copied.
        SpoolFullError: no room.
        OSError: the source cannot be read.
    """
    observer = observer or Silent()
    limits = _media.MediaLimits(
        max_seconds=settings.max_seconds, max_bytes=settings.max_upload_bytes
    )
    take_id = str(uuid.uuid4())
    queue.home.prepare()
    with _spool.part(queue.home.spool, take_id) as part:
        bring = _Bring(path, part / VIDEO_NAME, limits, observer)
        inspection, copied, modified_at = bring.run()
        fitted = False
        violations = _media.check_limits(inspection.facts, limits)
        if violations:
            fixable = all(violation.fixable_by_fit for violation in violations)
            if not (fixable and (fit or settings.fit == "auto")):
                raise TakeRefusedError(
                    path,
                    [violation.sentence for violation in violations],
                    [violation.code for violation in violations],
                    fixable_by_fit=fixable,
                )
            inspection, copied = _fit(path, part, inspection.facts, limits, observer)
            fitted = True
        facts = inspection.facts
        assets = [_spool.asset("video", take_id, VIDEO_NAME, copied)]
        if inspection.thumbnail_jpeg:
            kept = _spool.write_in(inspection.thumbnail_jpeg, part / THUMBNAIL_NAME)
            assets.append(_spool.asset("thumbnail", take_id, THUMBNAIL_NAME, kept))
        new = NewTake(
            id=take_id,
            account=account,
            context=context,
            assets=tuple(assets),
            duration_ms=facts.duration_ms,
            duration_seconds=facts.duration_seconds,
            width=facts.width,
            height=facts.height,
            captured_at=captured_at
            or _not_after(modified_at, datetime.fromtimestamp(clock(), UTC)),
            source_path=str(path.absolute()),
            # A fitted copy proves nothing about the original: it is never deleted for it.
            delete_source=delete_source and not fitted,
        )
        twin = queue.find_unsent_copy(new)
        if twin is not None:
            return Intake(twin, facts.warnings, fitted, already_queued=True)
        _spool.describe_in(part, describe(new))
        _spool.publish(part, queue.home.spool, take_id)
    take = queue.add(new)
    observer(TakeQueued(take))
    return Intake(take, facts.warnings, fitted)


class _Bring:
    """Probe and copy one file at the same time."""

    def __init__(
        self, path: Path, destination: Path, limits: _media.MediaLimits, observer: Observer
    ) -> None:
        self._path = path
        self._destination = destination
        self._limits = limits
        self._observer = observer
        self._inspection: _media.Inspection | None = None
        self._error: _media.MediaError | OSError | None = None

    def run(self) -> tuple[_media.Inspection, Copied, datetime]:
        try:
            source = _spool.open_source(self._path)
        except UnsafePathError as error:
            raise NotATakeError(f"{error} Only recordings can be queued.") from None
        with source:
            probing = threading.Thread(target=self._probe, daemon=True)
            probing.start()
            try:
                copied = _spool.copy_in(source, self._destination, progress=self._tell)
            finally:
                probing.join()
            modified_at = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        if self._error is not None:
            raise media_refusal(self._path, self._error) from None
        assert self._inspection is not None
        return self._inspection, copied, modified_at

    def _probe(self) -> None:
        try:
            self._inspection = _media.inspect(self._path, limits=self._limits)
        except (_media.MediaError, OSError) as error:
            self._error = error

    def _tell(self, done_bytes: int, total_bytes: int) -> None:
        self._observer(IntakeProgress(str(self._path), done_bytes, total_bytes))


def _fit(
    path: Path,
    part: Path,
    facts: _media.MediaFacts,
    limits: _media.MediaLimits,
    observer: Observer,
) -> tuple[_media.Inspection, Copied]:
    """Make the 720p copy inside the part directory, in place of the plain one."""
    fitted = part / f"fitted-{VIDEO_NAME}"
    try:
        _media.fit(
            part / VIDEO_NAME,
            fitted,
            facts=facts,
            limits=limits,
            progress=lambda share: observer(FitProgress(str(path), share)),
            cancel=None,
        )
        inspection = _media.inspect(fitted, limits=limits)
    except _media.MediaError as error:
        raise FitFailedError(
            f"The 720p copy of {path.name} could not be made: {error.sentence}"
        ) from None
    violations = _media.check_limits(inspection.facts, limits)
    if violations:
        raise TakeRefusedError(
            path,
            [v.sentence for v in violations],
            [v.code for v in violations],
            fixable_by_fit=False,
        )
    (part / VIDEO_NAME).unlink()
    fitted.rename(part / VIDEO_NAME)
    with _spool.open_source(part / VIDEO_NAME) as file:
        copied = _spool.measure(file)
    return inspection, copied


def media_refusal(path: Path, error: _media.MediaError | OSError) -> Exception:
    """What a failed probe means for the caller."""
    if isinstance(error, OSError):
        return error
    if isinstance(error, _media.NotFinalisedError):
        return NotFinishedError(f"{path.name} was not queued: {error.sentence}")
    return NotATakeError(f"{path.name} was not queued: {error.sentence}")


def _not_after(at: datetime, now: datetime) -> datetime:
    """A file from the future tells of a wrong clock, not of the recording (B-28)."""
    return min(at, now)
