"""What a start finds after any crash, and how it mends it: before any network, under the lock.

The order is that of 60-reliability §4.5, and every step may be repeated (I15): a crash in here is
mended by running it again.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cadenza_uploader import _spool
from cadenza_uploader._description import restore
from cadenza_uploader._instance import FileLock
from cadenza_uploader._journey import World
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Timings
from cadenza_uploader.errors import IllegalStepError, QueueDamagedError
from cadenza_uploader.events import Observer, TakeRecovered

#: Claims that ended without an outcome before a take is called poison (P10).
POISON_CLAIMS = 3
#: A part directory younger than this may belong to an intake that is running now.
PART_AGE_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery changed.

    Attributes:
        reclaimed: takes freed from dead workers (T11).
        adopted: takes whose row was lost and was written again (T0a).
        unreadable: spool directories that hold something we cannot describe; kept.
    """

    reclaimed: tuple[str, ...]
    adopted: tuple[str, ...]
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        """How many takes were changed."""
        return len(self.reclaimed) + len(self.adopted)


def recover(queue: TakeQueue, timings: Timings, *, world: World, observer: Observer) -> Recovered:
    """Bring queue and spool together again. Needs the instance lock; touches no network.

    Raises:
        QueueDamagedError: SQLite itself says that the file is damaged.
    """
    verdict = queue.check()
    if verdict != "ok":
        raise QueueDamagedError(
            f"The queue {queue.home.database} is damaged ({verdict}). Nothing was deleted: the "
            f"recordings are in {queue.home.spool}."
        )
    slow_due_ms = world.now_ms() + round(timings.backoff.slow_seconds * 1000)
    reclaimed: list[str] = []
    for take, owner in queue.leased():
        if _is_alive(queue.home.workers / f"{owner}.lock"):
            continue
        queue.reclaim(take, poison_claims=POISON_CLAIMS, slow_due_ms=slow_due_ms)
        reclaimed.append(take.id)
        observer(TakeRecovered(take.id, "reclaimed"))
    for lock_file in queue.home.workers.glob("*.lock"):
        _is_alive(lock_file)  # removes those of workers that died with nothing in hand
    world.failpoint("recovery_after_reclaim")
    adopted, unreadable = adopt(queue, observer)
    world.failpoint("recovery_after_adopt")
    queue.clamp_due(timings.backoff)
    _sweep_parts(queue.home.spool, world)
    return Recovered(tuple(reclaimed), adopted, unreadable)


def _is_alive(lock_file: Path) -> bool:
    if not lock_file.exists():
        return False
    lock = FileLock(lock_file)
    if not lock.acquire():
        return True
    lock_file.unlink(missing_ok=True)
    lock.release()
    return False


def adopt(queue: TakeQueue, observer: Observer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the row of every published directory that has none (C2, D08, F15)."""
    known, adopted, unreadable = queue.ids_on_disk(), list[str](), list[str]()
    for directory in sorted(queue.home.spool.iterdir()):
        if directory.name in known or directory.name.startswith("."):
            continue
        try:
            text = (directory / _spool.DESCRIPTION).read_text("utf-8")
            new = restore(json.loads(text))
            if new.id != directory.name:
                raise ValueError("the description belongs to another take")
            # Whether its lost row had been announced already, nobody knows any more.
            queue.add(new, may_be_known=True)
        except (OSError, ValueError, OverflowError, _spool.UnsafePathError, IllegalStepError):
            # Never deleted, never guessed at: `cadenza doctor` names it. One bad description
            # must not keep the others from being adopted, nor the uploader from starting.
            unreadable.append(directory.name)
            continue
        adopted.append(new.id)
        observer(TakeRecovered(new.id, "adopted"))
    return tuple(adopted), tuple(unreadable)


def _sweep_parts(spool: Path, world: World) -> None:
    """Remove intakes that were interrupted long ago; their source was never touched (C1)."""
    for directory in _spool.abandoned_parts(spool):
        # `cadenza queue gc` may be at the same work.
        with suppress(FileNotFoundError):
            if world.clock() - directory.stat().st_mtime > PART_AGE_SECONDS:
                shutil.rmtree(directory, ignore_errors=True)
