"""Group commit for threads: writers who wait for their turn share a transaction.

On PostgreSQL one writer works at a time (see `postgresql`), and a commit is a wait for the disk.
Alone, a writer has a transaction to itself. Under load the next one is waiting already when a
block ends: it goes on in the same transaction, in a savepoint of its own, and the last one commits
for all. A `writing()` block ends when what it wrote is on disk, or raises.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection

from cadenza_server.storage import StorageUnavailableError

OpenWrite = Callable[[], AbstractContextManager[Connection]]
#: So many share a commit at most: the first of them waits for the last.
MAX_GROUP = 16


class _Group:
    """One open transaction and those who wait for it to be on disk."""

    def __init__(self, writing: AbstractContextManager[Connection], connection: Connection) -> None:
        self._writing = writing
        self.connection = connection
        self.size = 1
        self.is_lost = False
        self.on_disk: Future[None] = Future()

    @contextmanager
    def savepoint(self) -> Iterator[Connection]:
        """A part of the transaction that can be taken back by itself."""
        self.size += 1
        # Each has a name of its own, and the commit releases all: one trip in place of two. By a
        # name that is shared, a SAVEPOINT that fails would take back the part before it.
        name = f"part_{self.size}"
        try:
            self.connection.exec_driver_sql(f"SAVEPOINT {name}")
            yield self.connection
        except BaseException:
            self._take_back(name)
            raise

    def close(self) -> None:
        """Commit, and tell those who wait."""
        try:
            if self.is_lost:
                lost = StorageUnavailableError("the database gave up the transaction")
                self._writing.__exit__(type(lost), lost, None)
                raise lost
            self._writing.__exit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear it
            self.on_disk.set_exception(error)
        else:
            self.on_disk.set_result(None)

    def _take_back(self, name: str) -> None:
        try:
            self.connection.exec_driver_sql(f"ROLLBACK TO {name}")
        except Exception:  # noqa: BLE001 - the connection is gone, and what the others wrote
            self.is_lost = True


class WriteGroups:
    """The writers of one process.

    Args:
        open_write: a writing transaction, committed when its block ends.
    """

    def __init__(self, open_write: OpenWrite) -> None:
        self._open_write = open_write
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._group: _Group | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One writer's turn; at its end what was written is on disk.

        Raises:
            StorageUnavailableError: another writer of the group broke the connection.
            sqlalchemy.exc.OperationalError: the database could not commit.
        """
        with self._counting:
            self._waiting += 1
        self._turn.acquire()
        with self._counting:
            self._waiting -= 1
        try:
            with self._first() if self._group is None else self._group.savepoint() as connection:
                yield connection
            group = self._group
        finally:
            self._close_when_due()
            self._turn.release()
        assert group is not None
        group.on_disk.result()

    @contextmanager
    def _first(self) -> Iterator[Connection]:
        """One who is alone needs no savepoint: taking back his part takes back the whole."""
        writing = self._open_write()
        connection = writing.__enter__()
        try:
            yield connection
        except BaseException:
            writing.__exit__(*sys.exc_info())
            raise
        self._group = _Group(writing, connection)

    def _close_when_due(self) -> None:
        group = self._group
        if group is None:
            return
        with self._counting:
            another_comes = self._waiting > 0
        if group.is_lost or not another_comes or group.size >= MAX_GROUP:
            self._group = None
            group.close()
