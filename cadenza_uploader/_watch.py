"""A folder whose finished recordings are queued by themselves.

An event is a hint and may be missed; a rescan against the database is the truth (complaint C39:
1,200 files were never backed up after a missed event). A file is taken only once it has been the
same for a while and opens as a whole recording: still being written is not invalid (C41).
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cadenza_uploader._intake import Intake
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._queue._watched import Fingerprint, Watched
from cadenza_uploader._signals import Stop
from cadenza_uploader.errors import (
    FitFailedError,
    NotATakeError,
    NotFinishedError,
    SourceChangedError,
    SpoolFullError,
    TakeRefusedError,
    UploaderError,
)

SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".3gp"})
#: A file must look the same for so long before it is opened.
SETTLE_SECONDS = 3.0
RESCAN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FileSeen:
    """What one look made of one file.

    Attributes:
        outcome: `queued`, `waiting` (still changing or not finished), or a refusal's code.
        sentence: for people.
        intake: the take and its warnings, when it was queued now.
    """

    path: Path
    outcome: str
    sentence: str
    intake: Intake | None = None


@dataclass(slots=True)
class _Look:
    fingerprint: Fingerprint
    since: float


@dataclass(slots=True)
class FolderWatch:
    """One watched folder.

    Args:
        folder: not searched below.
        queue: remembers what was dealt with.
        take_in: queues one file; raises what `enqueue` raises.
        tell: told of every file whose situation changed.
        monotonic: seconds that never jump.
        settle_seconds: how long a file must look the same.
    """

    folder: Path
    queue: TakeQueue
    take_in: Callable[[Path], Intake]
    tell: Callable[[FileSeen], None]
    monotonic: Callable[[], float]
    settle_seconds: float = SETTLE_SECONDS
    _looks: dict[Path, _Look] = field(default_factory=dict[Path, _Look])
    _told: dict[Path, str] = field(default_factory=dict[Path, str])

    def scan(self) -> list[FileSeen]:
        """Look at every file once and queue what is finished."""
        seen: list[FileSeen] = []
        present: set[Path] = set()
        for path, fingerprint in self._candidates():
            present.add(path)
            known = self.queue.watched(path)
            if known is not None and known.fingerprint == fingerprint:
                continue
            look = self._looks.get(path)
            if look is None or look.fingerprint != fingerprint:
                look = self._looks[path] = _Look(fingerprint, self.monotonic())
            if self.monotonic() - look.since < self.settle_seconds:
                seen.append(FileSeen(path, "waiting", "It has just changed."))
                continue
            seen.append(self._take_in(path, fingerprint))
        for path in set(self._looks) - present:
            del self._looks[path]
        for file in seen:
            if self._told.get(file.path) != file.outcome:
                self._told[file.path] = file.outcome
                self.tell(file)
        return seen

    def run(self, stop: Stop, *, rescan_seconds: float = RESCAN_SECONDS) -> None:
        """Scan at each change and, whatever the events say, every `rescan_seconds`."""
        for waiting_seconds in self._hints(stop, rescan_seconds):
            if stop.requested:
                return
            seen = self.scan()
            # Something is settling: look again when it may be done, not at the next event.
            while any(file.outcome == "waiting" for file in seen) and not stop.requested:
                if stop.wait(min(self.settle_seconds, waiting_seconds)):
                    return
                seen = self.scan()

    def _hints(self, stop: Stop, rescan_seconds: float) -> Iterator[float]:
        yield rescan_seconds
        try:
            from watchfiles import watch
        except ImportError:
            # Without the extra the rescan alone does it, a little later.
            while not stop.wait(rescan_seconds):
                yield rescan_seconds
            return
        changes = watch(
            self.folder,
            stop_event=stop,
            recursive=False,
            yield_on_timeout=True,
            rust_timeout=round(rescan_seconds * 1000),
            raise_interrupt=False,
        )
        for _ in changes:
            yield rescan_seconds

    def _take_in(self, path: Path, fingerprint: Fingerprint) -> FileSeen:
        try:
            intake = self.take_in(path)
        except (NotFinishedError, SourceChangedError, SpoolFullError, OSError) as error:
            # It may be whole, or readable, at the next look.
            self._looks[path] = _Look(fingerprint, self.monotonic())
            return FileSeen(path, "waiting", str(error))
        except (TakeRefusedError, NotATakeError, FitFailedError) as error:
            return self._dealt_with(path, fingerprint, error)
        self.queue.note_watched(Watched(path, fingerprint, "queued", intake.take.id))
        return FileSeen(path, "queued", f"Queued as {intake.take.short_id}.", intake)

    def _dealt_with(self, path: Path, fingerprint: Fingerprint, error: UploaderError) -> FileSeen:
        """Refused for good: it is looked at again only when it changes."""
        self.queue.note_watched(Watched(path, fingerprint, error.code, None))
        return FileSeen(path, error.code, str(error))

    def _candidates(self) -> Iterator[tuple[Path, Fingerprint]]:
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue
            # A link, a FIFO or a folder with such a name is not a recording.
            if stat.S_ISREG(facts.st_mode):
                yield path, Fingerprint(facts.st_size, facts.st_mtime_ns, facts.st_ino)
