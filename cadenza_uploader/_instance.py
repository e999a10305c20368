"""One uploader per queue (I14): a flock, a pid for people, and a FIFO that wakes the owner.

The kernel releases a flock when its owner dies and keeps it through suspend, so liveness never
depends on a clock (decision 00 §4). A stale file without a lock means nothing (P09).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from cadenza_uploader._home import Home
from cadenza_uploader._network_changes import NetworkChanges
from cadenza_uploader.errors import QueueBusyError


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """Whether an uploader owns the queue now."""

    running: bool
    pid: int | None
    started_at: datetime | None


class FileLock:
    """An exclusive flock on a file of its own, held until closed or until the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, note: str = "") -> bool:
        """Try to take the lock without waiting; write `note` into the file for people."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        if note:
            os.ftruncate(fd, 0)
            os.pwrite(fd, note.encode(), 0)
        self._fd = fd
        return True

    def release(self) -> None:
        """Let go; the file stays, for it means nothing without the lock."""
        if self._fd is not None:
            # So that the next owner is not taken for this one before it has written its own.
            with contextlib.suppress(OSError):  # on a disk that went read-only it stays
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def is_held(self) -> bool:
        """Whether somebody owns the lock, without taking it: several may ask at once."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


class Instance:
    """Ownership of a queue, from `with` to the end of the block.

    Args:
        home: whose queue.
        clock: seconds since the epoch.
        listening: whether it waits for new work. One that only empties what it was given does
            not, so `wake_daemon` tells a daemon from a command that happens to be sending.

    Raises:
        QueueBusyError: another uploader owns it.
    """

    def __init__(
        self, home: Home, *, clock: Callable[[], float] = time.time, listening: bool = True
    ) -> None:
        self._home = home
        self._listening = listening
        self._clock = clock
        self._lock = FileLock(home.lock)
        self._wake_fd: int | None = None
        self._network: NetworkChanges | None = None

    def __enter__(self) -> Instance:
        """Take the lock and, if it is to be woken, start listening on the wake FIFO."""
        self._home.prepare()
        note = f"{os.getpid()} {int(self._clock())}\n"
        # Whoever asks `is_held` shares the lock for an instant: look again before calling it busy.
        for _ in range(5):
            if self._lock.acquire(note):
                break
            time.sleep(0.02)
        else:
            raise QueueBusyError(_owner(self._home)[0])
        if self._listening:
            try:
                self._listen()
            except BaseException:
                self._lock.release()
                raise
        return self

    def _listen(self) -> None:
        wake = self._home.wake
        if wake.exists() and not wake.is_fifo():
            # A restored backup brings a plain file, which select would always call ready.
            wake.unlink()
        with contextlib.suppress(FileExistsError):
            os.mkfifo(wake, 0o600)
        # Read-write keeps the FIFO open without a writer, so select waits instead of spinning.
        self._wake_fd = os.open(wake, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._network = NetworkChanges()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the queue."""
        if self._network is not None:
            self._network.close()
            self._network = None
        if self._wake_fd is not None:
            os.close(self._wake_fd)
            self._wake_fd = None
        self._lock.release()

    def wait_for_wake(self, seconds: float) -> bool:
        """Wait up to `seconds`; True when somebody called `wake_daemon` or the network changed."""
        assert self._wake_fd is not None
        assert self._network is not None
        fds = [self._wake_fd, *self._network.descriptors]
        ready, _, _ = select.select(fds, [], [], max(0.0, seconds))
        if not ready:
            return False
        self._network.drain()
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_fd, 4096):
                pass
        return True


def wake_daemon(home: Home) -> bool:
    """Tell a waiting daemon that there is work; False when none is listening."""
    try:
        fd = os.open(home.wake, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return False
        os.write(fd, b"!")
    except BlockingIOError:
        # A full pipe: the message is in there many times already.
        return True
    except OSError:
        # The reader has just gone.
        return False
    finally:
        os.close(fd)
    return True


def daemon_status(home: Home) -> DaemonStatus:
    """Whether an uploader owns the queue: the lock decides, not the file (P09)."""
    if not FileLock(home.lock).is_held():
        return DaemonStatus(running=False, pid=None, started_at=None)
    pid, started = _owner(home)
    return DaemonStatus(running=True, pid=pid, started_at=started)


def stop_daemon(home: Home, *, timeout_seconds: float = 6.0) -> bool:
    """Ask the owner to stop and wait for it; False when none runs or it outlived the wait."""
    status = daemon_status(home)
    if not status.running or status.pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):  # it has just left by itself
        os.kill(status.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if not daemon_status(home).running:
            return True
        time.sleep(0.02)
    return False


def owner_pid(home: Home) -> int | None:
    """The pid the owner of the lock wrote down for people."""
    return _owner(home)[0]


def _owner(home: Home) -> tuple[int | None, datetime | None]:
    try:
        pid, started = home.lock.read_text("ascii").split()
        return int(pid), datetime.fromtimestamp(int(started), UTC)
    except (OSError, ValueError):
        return None, None
