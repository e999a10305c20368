"""A damaged database is set aside, and the queue is written anew from its spool (D07, D08).

The recordings and their descriptions are files of their own, so the database can be lost without
losing a take: what the server has already is found out by asking it again with the same ids.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cadenza_uploader._home import Home
from cadenza_uploader._instance import FileLock, owner_pid
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._recovery import adopt
from cadenza_uploader.errors import QueueBusyError, QueueDamagedError
from cadenza_uploader.events import Observer, Silent


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done to get a queue that works.

    Attributes:
        set_aside: the damaged database under its new name; None when it was sound.
        adopted: takes whose rows were written again.
        unreadable: spool entries without a usable description; kept as they are.
    """

    set_aside: Path | None
    adopted: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def open_rebuilt(
    home: Home,
    *,
    clock: Callable[[], float] = time.time,
    observer: Observer | None = None,
) -> tuple[TakeQueue, Rebuilt]:
    """Open the queue; when it is damaged, set it aside and rebuild it.

    Raises:
        QueueBusyError: it is damaged and another uploader has it open.
        QueueTooNewError: a newer version wrote it; that is not damage.
    """
    try:
        queue = TakeQueue.open(home, clock=clock)
        verdict = queue.check()
        if verdict == "ok":
            return queue, Rebuilt(None)
        queue.close()
    except QueueDamagedError:
        pass
    lock = FileLock(home.lock)
    if not lock.acquire():
        raise QueueBusyError(owner_pid(home))
    try:
        aside = _set_aside(home, datetime.fromtimestamp(clock(), UTC))
        queue = TakeQueue.open(home, clock=clock)
        adopted, unreadable = adopt(queue, observer or Silent())
    finally:
        lock.release()
    return queue, Rebuilt(aside, adopted, unreadable)


def _set_aside(home: Home, at: datetime) -> Path:
    """Rename the database and its companions; nothing is ever deleted."""
    aside = home.database.with_name(f"queue.db.corrupt-{at:%Y%m%dT%H%M%S}")
    number = 0
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{aside.name.split('~')[0]}~{number}")
    for suffix in ("-wal", "-shm", ""):
        part = home.database.with_name(home.database.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
