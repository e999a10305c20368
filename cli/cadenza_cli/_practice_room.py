"""The practice-room harness: many takes, a bad network, an uploader killed again and again.

Everything lies in a temporary home and on loopback; what it reports is counted, not assumed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadenza_cli import _words
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_conformance.practice_room import PracticeRoom
    from cadenza_uploader import Settings, TakeQueue

_KILL_SECONDS = (3.0, 8.0)
_PATIENCE_SECONDS = 120.0
_PATIENCE_PER_TAKE_SECONDS = 2.0


@dataclass(slots=True)
class Report:
    """What became of the takes. `holds` when none was lost, doubled or left behind."""

    takes: int
    uploaded: int = 0
    lost: int = 0
    duplicates: int = 0
    spool: int = 0
    kills: int = 0
    requests: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def holds(self) -> bool:
        """Whether every take arrived exactly once and nothing was left."""
        return self.uploaded == self.takes and not (self.lost or self.duplicates or self.spool)

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "scenario": "practice-room",
            "holds": self.holds,
            "takes": self.takes,
            "uploaded": self.uploaded,
            "lost": self.lost,
            "duplicates": self.duplicates,
            "left_in_spool": self.spool,
            "kills": self.kills,
            "requests": self.requests,
            "faults": self.faults,
            "seconds": round(self.seconds, 1),
        }


def practise(run: Run, *, count: int, seconds: float, seed: int) -> Report:
    """Record and send `count` takes through the practice room.

    Args:
        run: where progress is told.
        count: how many takes.
        seconds: length of each.
        seed: decides which requests fail.
    """
    from cadenza_conformance.practice_room import PracticeRoom
    from cadenza_uploader import Home, Settings, TakeQueue

    began = time.monotonic()
    report = Report(takes=count)
    with (
        tempfile.TemporaryDirectory(prefix="cadenza-practice-") as name,
        PracticeRoom(seed=seed) as room,
    ):
        home = Home(Path(name) / "home").prepare()
        settings = Settings.load(
            {}, home=home.path, url=room.url, timings="fast", storage_hosts=room.storage_hosts
        )
        _sign_in(home, room)
        with TakeQueue.open(home) as queue, _Uploader(settings, seed=seed) as uploader:
            digests = _fill(run, queue, settings, room, Path(name), count, seconds, uploader)
            _await(
                lambda: queue.counts().unsent == 0,
                uploader,
                _PATIENCE_SECONDS + count * _PATIENCE_PER_TAKE_SECONDS,
                lambda: run.out.note(f"{queue.counts().uploaded} of {count} uploaded …"),
            )
            # The last copies go after the last receipt.
            _await(lambda: not any(home.spool.iterdir()), uploader, 30.0, lambda: None, kill=False)
            report.uploaded = queue.counts().uploaded
            report.spool = sum(1 for _ in home.spool.iterdir())
            report.kills = uploader.kills
        audit = room.audit()
    report.lost = sum(not audit.confirmed[d] or d not in audit.stored for d in digests)
    report.duplicates = audit.submissions - len(digests)
    report.requests = audit.requests
    report.faults = dict(sorted(audit.faults.items()))
    report.seconds = time.monotonic() - began
    return report


def show(run: Run, report: Report) -> None:
    """Print the report for people."""
    line = run.out.line
    line(f"{_words.plural(report.takes, 'take')} over a bad network, in {report.seconds:.0f} s")
    line(f"  uploaded    {report.uploaded}")
    line(f"  duplicates  {report.duplicates}")
    line(f"  lost        {report.lost}")
    line(f"  in spool    {report.spool}")
    line(f"  kill -9     {report.kills} times")
    line(f"  requests    {report.requests}, of which failed on purpose:")
    for name, times in report.faults.items():
        line(f"    {times:5}  {name}")


def _sign_in(home: Any, room: PracticeRoom) -> None:
    from cadenza_uploader import Credential, CredentialStore

    CredentialStore(home).save(
        Credential(room.url, room.user_id, "student@example.org", "Student", "student", room.token)
    )


def _fill(
    run: Run,
    queue: TakeQueue,
    settings: Settings,
    room: PracticeRoom,
    folder: Path,
    count: int,
    seconds: float,
    uploader: _Uploader,
) -> list[str]:
    """Record and queue the takes while the uploader is at work; their digests."""
    from cadenza_uploader import CredentialStore, current_account, enqueue, record_take, wake_daemon
    from cadenza_uploader.take import TakeContext

    account = current_account(settings, CredentialStore(queue.home))
    digests: list[str] = []
    for number in range(count):
        file = folder / "take.mp4"
        record_take(file, seconds=seconds, tone_hz=220.0 + number)
        context = TakeContext(piece_id=room.piece_id, notes=f"take {number + 1}")
        intake = enqueue(queue, file, context, account=account, settings=settings)
        file.unlink()
        digests.append(intake.take.video.sha256)
        wake_daemon(queue.home)
        uploader.perhaps_kill()
        if (number + 1) % 20 == 0:
            run.out.note(f"{number + 1} of {count} recorded, {queue.counts().uploaded} uploaded …")
    return digests


def _await(
    condition: Callable[[], bool],
    uploader: _Uploader,
    seconds: float,
    tell: Callable[[], None],
    *,
    kill: bool = True,
) -> None:
    deadline, told = time.monotonic() + seconds, time.monotonic()
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
        if kill:
            uploader.perhaps_kill()
        if time.monotonic() - told > 10:
            told = time.monotonic()
            tell()


class _Uploader:
    """`cadenza daemon run` as a child, killed and started again every few seconds."""

    def __init__(self, settings: Settings, *, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - when to kill, not a secret
        self._environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CADENZA_")},
            "CADENZA_HOME": str(settings.home),
            "CADENZA_URL": settings.url,
            "CADENZA_TIMINGS": "fast",
            "CADENZA_STORAGE_HOSTS": ",".join(settings.storage_hosts),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        self.kills = 0

    def __enter__(self) -> _Uploader:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait(30)

    def perhaps_kill(self) -> None:
        """SIGKILL when its time has come, and start anew at once."""
        if time.monotonic() < self._doomed_at:
            return
        self._child.kill()
        self._child.wait(30)
        self.kills += 1
        self._start()

    def _start(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "cadenza_cli", "daemon", "run"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._doomed_at = time.monotonic() + self._chance.uniform(*_KILL_SECONDS)
