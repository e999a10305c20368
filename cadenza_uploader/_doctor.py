"""Check what a queue needs to work, and name the command that mends what is wrong."""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cadenza_client.errors import AuthenticationError, CadenzaError
from cadenza_uploader import _spool
from cadenza_uploader._credentials import credential_store
from cadenza_uploader._home import Home
from cadenza_uploader._instance import daemon_status
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import QueueDamagedError, UploaderError

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient

#: SQLite before this may corrupt a WAL with two checkpointing connections (60-reliability §0.10).
_SQLITE_FIXED = (3, 51, 3)
_REBUILD = "cadenza queue rebuild  (writes it anew from the recordings; none is lost)"
_LOW_SPACE_BYTES = 1 << 30
#: Storage signatures die at 15 minutes of skew (K08); a warning comes long before.
_SKEW_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result.

    Attributes:
        name: what was checked.
        level: `problem` stops takes from arriving; `warning` may.
        sentence: what was found, with the measured value.
        fix: the command or step that mends it.
    """

    name: str
    level: Literal["ok", "warning", "problem"]
    sentence: str
    fix: str | None = None


def examine(settings: Settings, *, client_factory: Callable[[], CadenzaClient]) -> list[Finding]:
    """Run every check; none of them changes anything but the creation of the home directory.

    A check that cannot be made is a finding too: whoever runs this has trouble already.
    """
    try:
        home = Home(settings.home).prepare()
    except OSError as error:
        sentence = f"{settings.home} cannot be created ({error.strerror})."
        fix = "Choose another place: --home or CADENZA_HOME"
        return [Finding("home", "problem", sentence, fix), *_no_queue(settings, client_factory)]
    return [
        *_permissions(home),
        _disk(home),
        _sqlite(),
        *_queue(home),
        _uploader(home),
        _codecs(),
        *_server(settings, home, client_factory),
    ]


def _no_queue(settings: Settings, client_factory: Callable[[], CadenzaClient]) -> Iterator[Finding]:
    """What can be looked at without a home."""
    yield _sqlite()
    yield _codecs()
    yield from _server(settings, Home(settings.home), client_factory)


def _permissions(home: Home) -> Iterator[Finding]:
    for path in (home.path, home.spool, home.database, home.credentials):
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            sentence = f"{path} can be read by others (mode {mode:04o})."
            yield Finding("permissions", "problem", sentence, f"chmod go-rwx {path}")
    if not os.access(home.path, os.W_OK):
        sentence = f"{home.path} cannot be written."
        yield Finding("permissions", "problem", sentence, f"chmod u+rwx {home.path}")
        return
    yield Finding("home", "ok", f"The queue lives in {home.path}.")


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.spool).free
    sentence = f"{free / 1e9:.1f} GB are free for the spool."
    if free < _LOW_SPACE_BYTES:
        return Finding("disk", "warning", sentence, "Free some space; a take needs about 50 MB.")
    return Finding("disk", "ok", sentence)


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version_info
    sentence = f"SQLite {sqlite3.sqlite_version}, write-ahead log, synchronous=FULL."
    if version < _SQLITE_FIXED:
        sentence += " This queue has one writer, so the WAL-reset bug before 3.51.3 is not met."
    return Finding("sqlite", "ok", sentence)


def _queue(home: Home) -> Iterator[Finding]:
    try:
        with TakeQueue.open(home) as queue:
            verdict = queue.check()
            if verdict != "ok":
                yield Finding("queue", "problem", f"The database is damaged: {verdict}.", _REBUILD)
                return
            counts, known = queue.counts(), queue.ids_on_disk()
            missing = [
                take.short_id
                for take in queue.list(unsent_only=True, limit=None)
                if not (home.spool / take.video.name).exists()
            ]
    except QueueDamagedError as error:
        yield Finding("queue", "problem", str(error), _REBUILD)
        return
    except (UploaderError, sqlite3.Error, OSError) as error:
        yield Finding("queue", "problem", str(error))
        return
    yield Finding(
        "queue",
        "ok",
        f"{counts.pending} pending, {counts.uploading} uploading, {counts.failed} failed, "
        f"{counts.uploaded} uploaded.",
    )
    for hold in counts.holds:
        yield Finding("hold", "warning", f"The queue waits ({hold.hold.value}): {hold.why}")
    if missing:
        yield Finding(
            "spool",
            "problem",
            f"{len(missing)} unsent take(s) have lost their file: {', '.join(missing[:5])}.",
            f"cadenza explain {missing[0]}",
        )
    names = sorted(p.name for p in home.spool.iterdir() if not p.name.startswith("."))
    strays = [name for name in names if name not in known]
    parts = _spool.abandoned_parts(home.spool)
    if strays:
        yield Finding(
            "spool",
            "warning",
            f"{len(strays)} recording(s) in the spool have no row yet: {', '.join(strays[:3])}.",
            "cadenza daemon run  (adopts what it can at start)",
        )
    if parts:
        sentence = f"{len(parts)} interrupted intake(s) lie in the spool."
        yield Finding("spool", "warning", sentence, "cadenza queue gc --apply")


def _uploader(home: Home) -> Finding:
    status = daemon_status(home)
    if status.running:
        return Finding("uploader", "ok", f"An uploader is running (pid {status.pid}).")
    return Finding("uploader", "warning", "No uploader is running.", "cadenza daemon run")


def _codecs() -> Finding:
    try:
        version: str = importlib.import_module("av").__version__
    except ImportError as error:
        sentence = f"PyAV cannot be loaded ({error}); recordings cannot be checked."
        return Finding("codecs", "problem", sentence, "pip install --force-reinstall cadenza")
    return Finding("codecs", "ok", f"PyAV {version} with its own codecs.")


def _server(
    settings: Settings, home: Home, client_factory: Callable[[], CadenzaClient]
) -> Iterator[Finding]:
    try:
        client_made = client_factory()
    except (CadenzaError, UploaderError) as error:
        fix = "Check the address: --url or CADENZA_URL"
        yield Finding("server", "problem", f"{settings.url} cannot be used: {error}", fix)
        return
    with client_made as client:
        try:
            health = client.health()
        except CadenzaError as error:
            yield Finding(
                "server",
                "problem",
                f"{settings.url} cannot be reached: {error}",
                "Check the network, and the address: --url or CADENZA_URL",
            )
            return
        yield Finding("server", "ok", f"{settings.url} answers (version {health.version}).")
        skew = client.clock_offset_seconds
        if skew is not None and abs(skew) > _SKEW_SECONDS:
            yield Finding(
                "clock",
                "warning",
                f"This device's clock is {abs(skew):.0f} s "
                f"{'behind' if skew > 0 else 'ahead of'} the server's.",
                "Set the clock, e.g. with: timedatectl set-ntp true",
            )
        try:
            if settings.token is None and credential_store(home).load(settings.url) is None:
                yield Finding("sign-in", "problem", "Nobody is signed in.", "cadenza login")
                return
            me = client.auth.me()
        except AuthenticationError as error:
            yield Finding("sign-in", "problem", f"The sign-in is refused: {error}", "cadenza login")
        except (CadenzaError, UploaderError) as error:
            yield Finding("sign-in", "problem", str(error))
        else:
            yield Finding("sign-in", "ok", f"Signed in as {me.full_name} ({me.email}).")
