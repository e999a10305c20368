"""When the disk is full, read-only or broken: keep every recording, and get going again.

On a full disk WAL can neither update nor delete a row, so the very writes that would free space
are impossible (60-reliability §0.4). A ballast file is given up to make room for them; it is
never an unconfirmed recording that goes (D02).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from enum import StrEnum

from cadenza_uploader._home import Home
from cadenza_uploader._spool import sync_directory

BALLAST_BYTES = 1 << 20


class DiskTrouble(StrEnum):
    """What SQLite met on the disk."""

    #: No room for a write.
    FULL = "full"
    #: The file system went read-only, or the file cannot be opened.
    READ_ONLY = "read_only"
    #: A read, write or fsync failed: the transaction counts as not committed (fsyncgate, D03).
    IO = "io"
    #: Another program held the lock longer than the busy timeout (D06).
    BUSY = "busy"


_SENTENCES = {
    DiskTrouble.FULL: "The disk is full. Free some space; the recordings are kept.",
    DiskTrouble.READ_ONLY: "The disk cannot be written. The recordings are kept.",
    DiskTrouble.IO: "The disk reports errors. The recordings are kept.",
    DiskTrouble.BUSY: "Another program keeps the queue locked.",
}

_PRIMARY = {
    sqlite3.SQLITE_FULL: DiskTrouble.FULL,
    sqlite3.SQLITE_READONLY: DiskTrouble.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: DiskTrouble.READ_ONLY,
    sqlite3.SQLITE_IOERR: DiskTrouble.IO,
    sqlite3.SQLITE_BUSY: DiskTrouble.BUSY,
    sqlite3.SQLITE_LOCKED: DiskTrouble.BUSY,
}


def trouble_in(error: BaseException) -> DiskTrouble | None:
    """Which trouble an exception tells of; None when it is about something else."""
    if not isinstance(error, sqlite3.OperationalError):
        return None
    code = getattr(error, "sqlite_errorcode", None)
    # Extended codes carry the primary one in their low byte.
    return None if code is None else _PRIMARY.get(code & 0xFF)


def sentence_for(trouble: DiskTrouble) -> str:
    """What to tell a person."""
    return _SENTENCES[trouble]


class Ballast:
    """A file that exists only to be given up."""

    def __init__(self, home: Home) -> None:
        self._path = home.path / "reserve.bin"
        self._home = home

    def ensure(self) -> bool:
        """Lay the ballast when there is room for it twice over; whether it lies there (C18)."""
        if self._path.exists():
            return True
        if not self.has_room():
            return False
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                # Real bytes: a sparse file would hold no room.
                file.write(os.urandom(BALLAST_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True

    def release(self) -> bool:
        """Give the ballast up; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        sync_directory(self._home.path)
        return True

    def has_room(self) -> bool:
        """Whether the disk has room for the ballast and as much again."""
        try:
            return shutil.disk_usage(self._home.path).free > 2 * BALLAST_BYTES
        except OSError:
            return False
