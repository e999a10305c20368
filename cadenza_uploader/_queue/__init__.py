"""The queue: one SQLite table of takes, claimed in one statement, changed only by its owner.

This package and `_schema.py` hold all SQL. Reads are plain; every outcome is fenced by the lease
epoch the worker got with its claim, so a worker that was thought dead changes nothing (I6).
The numbers T0–T15 name the transitions of the state machine.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from types import TracebackType

from cadenza_uploader import _schema
from cadenza_uploader._disk import Ballast, DiskTrouble, sentence_for, trouble_in
from cadenza_uploader._home import Home
from cadenza_uploader._queue._leases import Setback
from cadenza_uploader._queue._recovery import Recovery
from cadenza_uploader._queue._verbs import Verbs
from cadenza_uploader._queue._watched import WatchedFiles
from cadenza_uploader.errors import QueueUnavailableError

__all__ = ["Setback", "TakeQueue"]


class TakeQueue(Verbs, Recovery, WatchedFiles):
    """The takes of one home directory. Safe to share between threads of one process."""

    @classmethod
    def open(cls, home: Home, *, clock: Callable[[], float] = time.time) -> TakeQueue:
        """Open the queue of `home`, creating or migrating it.

        Raises:
            QueueDamagedError: the database cannot be read.
            QueueTooNewError: a newer version wrote it.
            QueueUnavailableError: the disk is full, read-only or failing.
        """
        try:
            return cls(_schema.connect(home), home, clock=clock)
        except sqlite3.OperationalError as error:
            trouble = trouble_in(error)
            if trouble is None:
                raise
            # On a full disk not even the shared memory of the log can be laid out (D02).
            if trouble in (DiskTrouble.FULL, DiskTrouble.IO) and Ballast(home).release():
                return cls.open(home, clock=clock)
            raise QueueUnavailableError(f"{home.database}: {sentence_for(trouble)}") from None

    def __enter__(self) -> TakeQueue:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
