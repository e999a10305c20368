"""Whose turn it is to write, among the threads and the processes that share a database file.

SQLite's own lock is the one that counts. Its busy handler sleeps in growing steps, up to a tenth
of a second, and whoever comes fresh wins: with several workers some request would always wait for
seconds. A file lock can be asked for every half millisecond and costs microseconds when it is free.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from cadenza_server.storage import StorageUnavailableError

_LOOK_AGAIN_SECONDS = 0.0005


class FileTurn:
    """A lock for `with`, held by one thread of one process.

    The one who releases it may be another thread than the one who took it: commits run in a
    thread of their own. A process that dies gives it back.

    Args:
        path: a file of its own; made when it is not there, readable by nobody else.
        wait_seconds: after so long the one who has it is taken to hang.
    """

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path = path
        self._wait_seconds = wait_seconds
        self._threads = threading.Lock()
        self._held: int | None = None

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._wait_seconds
        if not self._threads.acquire(timeout=self._wait_seconds):
            raise StorageUnavailableError("another writer does not come to an end")
        try:
            # Opened each time: a lock belongs to the open file, and forked children share those.
            file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                while not _is_mine(file):
                    if time.monotonic() > deadline:
                        raise StorageUnavailableError("another writer does not come to an end")
                    time.sleep(_LOOK_AGAIN_SECONDS)
            except BaseException:
                os.close(file)
                raise
        except BaseException:
            self._threads.release()
            raise
        self._held = file

    def __exit__(self, *_exc: object) -> None:
        file, self._held = self._held, None
        assert file is not None
        os.close(file)
        self._threads.release()


def _is_mine(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
