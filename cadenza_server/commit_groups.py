"""Group commit: many requests, one flush to disk.

`synchronous=FULL` means one `fsync` for each commit, milliseconds in which a single-writer database
does nothing else. On the event loop requests come in bundles anyway: while one commit is being
flushed (in a thread, so the loop goes on), the next requests arrive and wait; then they all run,
each in a savepoint of one transaction, and one commit answers for all of them. Nobody is answered
before the bytes are on disk, and a request that fails takes back only its own writes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from sqlalchemy import Connection

from cadenza_server.storage import StorageUnavailableError

T = TypeVar("T")
OpenWrite = Callable[[], AbstractContextManager[Connection]]


class _Group:
    """One open transaction and those who wait for it to be on disk."""

    def __init__(self, writing: AbstractContextManager[Connection]) -> None:
        self._writing = writing
        self.connection = writing.__enter__()
        self.on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_lost = False

    @property
    def _driver(self) -> sqlite3.Connection:
        driver = self.connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    @contextmanager
    def savepoint(self) -> Iterator[Connection]:
        """A part of the transaction that can be taken back by itself."""
        self._check()
        self._driver.execute("SAVEPOINT part")
        try:
            yield self.connection
        except BaseException:
            # A full disk or an I/O error makes SQLite give up the whole transaction: then what the
            # others wrote is gone too, and they must hear of it.
            self._is_lost = not self._driver.in_transaction
            if not self._is_lost:
                self._driver.execute("ROLLBACK TO part")
                self._driver.execute("RELEASE part")
            raise
        self._driver.execute("RELEASE part")

    def close(self) -> None:
        """Commit, or raise; in a thread, because this is where the disk is waited for."""
        try:
            self._check()
        except StorageUnavailableError as error:
            self._writing.__exit__(type(error), error, None)
            raise
        self._writing.__exit__(None, None, None)

    def _check(self) -> None:
        if self._is_lost or not self._driver.in_transaction:
            raise StorageUnavailableError("the database gave up the transaction")


class CommitGroups:
    """The groups of one event loop.

    Args:
        open_write: a writing transaction, committed when its block ends.
        committer: where commits run; a thread of its own, never one that waits for a commit.
    """

    def __init__(self, open_write: OpenWrite, committer: Executor) -> None:
        self._open_write = open_write
        self._committer = committer
        self._group: _Group | None = None
        self._flushing: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` on the loop; return (or raise) when what it wrote is on disk."""
        while self._flushing is not None:
            await asyncio.wait((self._flushing,))
        try:
            return work()
        finally:
            # Also one who only read waits: it may have seen what is not on disk yet.
            if self._group is not None:
                await self._on_disk(self._group)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A savepoint in the open group, which is opened by the first who writes."""
        if self._group is None:
            self._group = _Group(self._open_write())
        with self._group.savepoint() as connection:
            yield connection

    @property
    def reading(self) -> Connection | None:
        """The open group's connection: who has written reads what was written."""
        return self._group.connection if self._group else None

    async def _on_disk(self, group: _Group) -> None:
        if self._flushing is None:
            # Those who are ready by now come along; whoever comes later waits for the next one.
            await asyncio.sleep(0)
        if self._flushing is None and self._group is group:
            self._flushing = asyncio.create_task(self._flush(group))
        await asyncio.shield(group.on_disk)

    async def _flush(self, group: _Group) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._committer, group.close)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear it
            group.on_disk.set_exception(error)
            group.on_disk.exception()  # read once, for one who stopped waiting
        else:
            group.on_disk.set_result(None)
        finally:
            group.on_disk.cancel()  # the loop is closing; no effect when it is done
            self._group = self._flushing = None
