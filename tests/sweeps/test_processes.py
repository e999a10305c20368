"""Signals, sleep, second daemons and jumping clocks, on real processes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cadenza_uploader import Home, TakeQueue, daemon_status, wake_daemon
from cadenza_uploader.take import Status, Take
from tests.sweeps.conftest import ROOT, Studio
from tests.sweeps.takes import take_id_of

WAIT_SECONDS = 30.0


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


def take_of(home: Path, seed: int) -> Take:
    with TakeQueue.open(Home(home)) as queue:
        return queue.get(take_id_of(seed))


class Running:
    """Daemons started by a test, all gone when it ends."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.children: list[subprocess.Popen[str]] = []

    def start(self, home: Path, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            self.studio.command(home, "run"), cwd=ROOT, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, **(environ or {})},
        )  # fmt: skip
        self.children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        until(lambda: daemon_status(Home(home)).running, "the daemon owns the queue")
        return child


@pytest.fixture
def running(studio: Studio) -> Iterator[Running]:
    running = Running(studio)
    yield running
    for child in running.children:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait(10)
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


SLOW = {"CADENZA_RATE_LIMIT": "60000"}


def test_sigterm_in_the_middle_of_an_upload_puts_the_take_back(
    studio: Studio, running: Running, tmp_path: Path
) -> None:
    home, seed = tmp_path / "home", 8_000_000
    assert studio.run(home, f"add:{seed}") == 0
    child = running.start(home, SLOW)
    until(lambda: take_of(home, seed).status is Status.UPLOADING, "the upload has begun")
    time.sleep(0.5)
    began = time.monotonic()
    child.terminate()
    assert child.wait(10) == 0
    assert time.monotonic() - began <= 5.0  # P04
    take = take_of(home, seed)
    assert (take.status, take.attempts) == (Status.PENDING, 0)
    studio.recovers(home, seed)


def test_a_second_interrupt_leaves_at_once_and_loses_nothing(
    studio: Studio, running: Running, tmp_path: Path
) -> None:
    home, seed = tmp_path / "home", 8_100_000
    assert studio.run(home, f"add:{seed}") == 0
    child = running.start(home, SLOW)
    until(lambda: take_of(home, seed).status is Status.UPLOADING, "the upload has begun")
    child.send_signal(signal.SIGSTOP)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGCONT)
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    # Where the first one had been obeyed before the second came, Python itself ends by the signal;
    # a shell calls that 130 as well.
    assert child.wait(10) in (0, 130, -signal.SIGINT)
    studio.nothing_is_lost(home, seed)
    studio.recovers(home, seed)


def test_a_daemon_that_slept_goes_on_without_a_second_upload(
    studio: Studio, running: Running, tmp_path: Path
) -> None:
    """K05, P06: a stopped process is a suspended machine; its lease is not stolen."""
    home, seed = tmp_path / "home", 8_200_000
    assert studio.run(home, f"add:{seed}") == 0
    child = running.start(home, {"CADENZA_RATE_LIMIT": "150000"})
    until(lambda: take_of(home, seed).status is Status.UPLOADING, "the upload has begun")
    child.send_signal(signal.SIGSTOP)
    time.sleep(3)
    # Meanwhile a second uploader is refused: the sleeper still holds its lock (K06, P08).
    second = subprocess.run(
        studio.command(home, "drain"), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "QueueBusyError" in second.stderr
    assert take_of(home, seed).status is Status.UPLOADING
    child.send_signal(signal.SIGCONT)
    until(lambda: take_of(home, seed).status is Status.UPLOADED, "it goes on after the sleep")
    assert len([a for a in attempts_of(home, seed) if a == "create"]) == 1


def attempts_of(home: Path, seed: int) -> list[str]:
    with TakeQueue.open(Home(home)) as queue:
        return [attempt.step for attempt in queue.attempts(take_id_of(seed))]


def test_a_killed_daemon_leaves_a_file_that_means_nothing(
    studio: Studio, running: Running, tmp_path: Path
) -> None:
    """P09: the lock is the kernel's, not the file's."""
    home, seed = tmp_path / "home", 8_300_000
    assert studio.run(home, f"add:{seed}") == 0
    child = running.start(home, SLOW)
    until(lambda: take_of(home, seed).status is Status.UPLOADING, "the upload has begun")
    child.kill()
    child.wait(10)
    assert (home / "uploader.lock").exists()
    assert not daemon_status(Home(home)).running
    studio.recovers(home, seed)


def test_a_daemon_nobody_listens_to_goes_on(studio: Studio, tmp_path: Path) -> None:
    """P15: standard output and error are closed; takes are sent all the same."""
    home, seed = tmp_path / "home", 8_600_000
    assert studio.run(home, f"add:{seed}") == 0
    words = " ".join(shlex.quote(word) for word in studio.command(home, "drain"))
    closed = subprocess.run(["sh", "-c", f"exec {words} >&- 2>&-"], cwd=ROOT, timeout=60)
    # The child's own last word fails; what it did for the take does not.
    assert closed.returncode in (0, 1)
    assert take_of(home, seed).status is Status.UPLOADED


@pytest.mark.real("faketime")
@pytest.mark.parametrize("jump", ["+3600", "-3600", "+40d", "-40d"])
def test_a_jumping_clock_neither_freezes_nor_repeats_anything(
    studio: Studio, running: Running, tmp_path: Path, jump: str
) -> None:
    """K01–K03: the wall clock is set while the daemon runs; the next take goes all the same."""
    home, clock = tmp_path / "home", tmp_path / "clock"
    clock.write_text("+0")
    library = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
    running.start(
        home,
        {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )
    seeds = [8_400_000 + 10 * ["+3600", "-3600", "+40d", "-40d"].index(jump) + n for n in (1, 2)]
    assert studio.run(home, f"add:{seeds[0]}") == 0
    wake_daemon(Home(home))
    until(lambda: take_of(home, seeds[0]).status is Status.UPLOADED, "the first take")
    clock.write_text(jump)
    assert studio.run(home, f"add:{seeds[1]}") == 0
    wake_daemon(Home(home))
    until(lambda: take_of(home, seeds[1]).status is Status.UPLOADED, "the take after the jump")
    for seed in seeds:
        assert attempts_of(home, seed).count("video") == 1


def test_a_harness_of_processes_ends_with_every_take_once(studio: Studio, tmp_path: Path) -> None:
    """Two drains and an intake at the same time over one queue: fenced, never doubled (D06)."""
    home = tmp_path / "home"
    seeds = range(8_500_000, 8_500_006)
    assert studio.run(home, f"add:{seeds[0]}") == 0
    children = [
        subprocess.Popen(studio.command(home, *verbs), cwd=ROOT, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        for verbs in (["drain"], ["drain"], [f"add:{seed}" for seed in seeds[1:]])
    ]  # fmt: skip
    for child in children:
        child.wait(60)
    assert children[2].returncode == 0
    assert studio.run(home, "drain") == 0
    for seed in seeds:
        assert take_of(home, seed).status is Status.UPLOADED
        assert studio.submission(take_id_of(seed)) is not None
