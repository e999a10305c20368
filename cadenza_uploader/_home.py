"""Where a queue lives on disk. Every path the database stores is relative to it (F11, B-06).

::

    HOME/                 0700
      config.toml         optional settings
      queue.db            the queue (WAL)
      credentials.json    0600, when there is no keyring
      uploader.lock       flock of the one uploader (I14); holds its pid for people
      wake                FIFO that wakes the daemon
      workers/ID.lock     flock of a worker: liveness without clocks
      spool/TAKE-ID/      take.json, video.mp4, thumbnail.jpg
      spool/.part-ID/     an intake that has not finished
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one queue. Nothing outside it is ever deleted unasked (I10)."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "queue.db"

    @property
    def spool(self) -> Path:
        """The directory of files the queue owns."""
        return self.path / "spool"

    @property
    def lock(self) -> Path:
        """The instance lock of the one uploader."""
        return self.path / "uploader.lock"

    @property
    def workers(self) -> Path:
        """Lock files of live workers."""
        return self.path / "workers"

    @property
    def wake(self) -> Path:
        """The FIFO a waiting daemon listens on."""
        return self.path / "wake"

    @property
    def credentials(self) -> Path:
        """The file with the sign-in, where no keyring is available."""
        return self.path / "credentials.json"

    @property
    def config(self) -> Path:
        """Optional settings file."""
        return self.path / "config.toml"

    def prepare(self) -> Home:
        """Create the directories, readable by their owner only whatever the umask (SEC-13)."""
        for directory in (self.path, self.spool, self.workers):
            if not directory.is_dir():
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                # mkdir's mode is cut by the umask, never widened by it: set what is missing.
                directory.chmod(0o700)
                # A recording is no safer than the name of the directory it lies in (I9).
                fd = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
        return self
