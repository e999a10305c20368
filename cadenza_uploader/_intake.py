"""Into the queue: probe, copy, hash, sync, publish, row. No network, and nothing half done (I1).

Probing runs in its child process while the parent copies and hashes, and the source must look the
same before and after, so the bytes that were probed are the bytes that were kept.
"""

from __future__ import annotations

import os
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
    SourceChangedError,
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
        captured_at: when it was recorded; default: the file's modification time. Never later
            than now.
        observer: told of hashing and fitting progress.
        clock: seconds since the epoch.

    Raises:
        TakeRefusedError: outside the limits; says the measured value and the limit.
        NotATakeError: not a readable video.
        NotFinishedError: still being written, or cut short.
        SourceChangedError: changed while it was being copied.
        SpoolFullError: no room.
        OSError: the source cannot be read.
        ValueError: the context names something by what is not an id; no server would take it.
    """
    require_ids(context)
    observer = observer or Silent()
    limits = _media.MediaLimits(
        max_seconds=settings.max_seconds, max_bytes=settings.max_upload_bytes
    )
    take_id = str(uuid.uuid4())
    queue.home.prepare()
    with _spool.part(queue.home.spool, take_id) as part:
        bring = _Bring(path, part / VIDEO_NAME, limits, observer)
        inspection, copied, modified = bring.run()
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
        facts, warnings = inspection.facts, inspection.facts.warnings
        source_path = storable(path)
        if delete_source and source_path is None:
            sentence = "The original is kept: its name is no text that the queue could store."
            warnings = (*warnings, _media.MediaWarning("source_kept", sentence))
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
            captured_at=_captured(captured_at, modified, clock()),
            source_path=source_path,
            # A fitted copy proves nothing about the original: it is never deleted for it.
            delete_source=delete_source and not fitted and source_path is not None,
        )
        twin = queue.find_unsent_copy(new)
        if twin is not None:
            return Intake(twin, warnings, fitted, already_queued=True)
        _spool.describe_in(part, describe(new))
        _spool.publish(part, queue.home.spool, take_id)
    take = queue.add(new)
    observer(TakeQueued(take))
    return Intake(take, warnings, fitted)


def require_ids(context: TakeContext) -> None:
    """Refuse what would only fail after the recording has been queued.

    Raises:
        ValueError: an id is not a UUID.
    """
    for name in ("piece_id", "exercise_id", "session_id", "parent_submission_id"):
        value = getattr(context, name)
        if value is not None:
            try:
                uuid.UUID(value)
            except ValueError:
                raise ValueError(f"{name} is not an id: {value!r}") from None


def storable(path: Path) -> str | None:
    """The absolute path as text; None for a name that is not UTF-8, which no row can hold (F10)."""
    text = str(path.absolute())
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


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

    def run(self) -> tuple[_media.Inspection, Copied, float]:
        """What was measured, what was kept, and when the source was last changed."""
        try:
            source = _spool.open_source(self._path)
        except UnsafePathError as error:
            raise NotATakeError(f"{error} Only recordings can be queued.") from None
        with source:
            if _spool.is_being_written(source):
                raise NotFinishedError(
                    f"{self._path.name} was not queued: another program is still writing it."
                )
            before = _spool.identity(source)
            modified = os.fstat(source.fileno()).st_mtime
            probing = threading.Thread(target=self._probe, daemon=True)
            probing.start()
            try:
                copied = _spool.copy_in(source, self._destination, progress=self._tell)
            finally:
                probing.join()
            if self._error is not None:
                raise media_refusal(self._path, self._error) from None
            # The probe opened the name anew: what it measured has to be what was copied.
            if self._identity_now() != before:
                raise SourceChangedError(
                    "The file changed while it was being looked at; nothing was queued. Try again "
                    "when it is finished."
                )
        assert self._inspection is not None
        return self._inspection, copied, modified

    def _identity_now(self) -> tuple[int, ...] | None:
        try:
            with _spool.open_source(self._path) as now:
                return _spool.identity(now)
        except (FileNotFoundError, UnsafePathError):
            return None

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


def _captured(told: datetime | None, modified: float, now: float) -> datetime:
    """When it was recorded: never in the future, which tells of a wrong clock (B-28)."""
    if told is None:
        # A file system may hold years that a date cannot.
        return datetime.fromtimestamp(min(max(modified, 0.0), now), UTC)
    return min(told.astimezone(UTC), datetime.fromtimestamp(now, UTC))
