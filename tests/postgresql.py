"""A PostgreSQL of one's own: a private cluster in a temporary folder, on a Unix socket only."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_START_SECONDS = 60.0
_USER = "cadenza"
#: What a test may not lose on a power cut is nothing: its database is gone a second later.
IN_A_HURRY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
}


def find_programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps each version's beside the PATH."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@dataclass
class Cluster:
    """A running PostgreSQL.

    Attributes:
        folder: where its socket is.
        process: its postmaster.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of one database."""
        return f"postgresql://{_USER}@/{database}?host={self.folder}"

    def run(self, *statements: str) -> None:
        """Run statements beside all databases."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user=_USER, dbname="postgres", autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create(self, name: str | None = None, *, template: str = "template0") -> str:
        """A new database; its URL. Copying files is twice as fast as writing them to the log."""
        name = name or f"db{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever still holds a connection."""
        name = url.partition("@/")[2].partition("?")[0]
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def cluster(options: dict[str, str] | None = None, *, place: str = "/tmp") -> Iterator[Cluster]:
    """Start one, and remove it afterwards; its server refuses to run as root, so another user does.

    Args:
        options: settings of `postgresql.conf`; those of a test in a hurry when left out.
        place: for its folder; a short path.
    """
    programs = find_programs()
    assert programs is not None, "PostgreSQL is not installed"
    # A socket's path has at most 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="cadenza-pg-", dir=place))
    own: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0:
        user = _unprivileged()
        os.chown(folder, user.pw_uid, user.pw_gid)
        own |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, timeout=_START_SECONDS, **own,
        )  # fmt: skip
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "timezone": "Europe/Vienna",  # not ours: what must be UTC has to say so
            **(IN_A_HURRY if options is None else options),
        }
        arguments = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, *arguments],
                stdout=output, stderr=subprocess.STDOUT, **own,
            )  # fmt: skip
        try:
            started = Cluster(folder, process)
            _wait(started, log)
            yield started
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing here is kept
            process.wait(_START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(started: Cluster, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            started.run("SELECT 1")
        except psycopg.OperationalError:
            if started.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.02)
        else:
            return


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
