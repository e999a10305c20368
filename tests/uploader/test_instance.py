"""One uploader per queue: the kernel's lock decides, never a file, a pid or a clock."""

import fcntl
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader._home import Home
from cadenza_uploader._instance import (
    DaemonStatus,
    FileLock,
    Instance,
    daemon_status,
    owner_pid,
    stop_daemon,
    wake_daemon,
)
from cadenza_uploader.errors import QueueBusyError
from tests.uploader.world import NOON, Clock

CHECKOUT = Path(__file__).parents[2]
NOBODY = DaemonStatus(running=False, pid=None, started_at=None)

OWNER = """
import sys, time
from pathlib import Path
from cadenza_uploader._home import Home
from cadenza_uploader._instance import Instance
from cadenza_uploader._signals import stop_on_signals
with stop_on_signals() as stop, Instance(Home(Path(sys.argv[1]))) as instance:
    print("owner", flush=True)
    while not stop.requested:
        if instance.wait_for_wake(0.05):
            print("woken", flush=True)
"""
STUBBORN = OWNER.replace("while not stop.requested:", "while True:")


def owner(home: Home, source: str = OWNER) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source), str(home.path)],
        stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "owner\n"
    return child


@pytest.fixture
def child(home: Home) -> Iterator["subprocess.Popen[str]"]:
    with owner(home) as process:
        yield process
        process.kill()


# ── one owner ──────────────────────────────────────────────────────────────────────────────────


def test_a_second_uploader_is_refused_with_the_pid_of_the_first(
    home: Home, child: "subprocess.Popen[str]"
) -> None:
    began = time.monotonic()
    with pytest.raises(QueueBusyError, match=f"already running.*pid {child.pid}") as caught:
        Instance(home).__enter__()
    assert caught.value.pid == child.pid
    assert time.monotonic() - began < 10  # P08 says one second; the machine may be busy


def test_the_same_process_cannot_own_it_twice(home: Home) -> None:
    with Instance(home), pytest.raises(QueueBusyError, match=f"pid {os.getpid()}"):
        Instance(home).__enter__()


def test_an_owner_that_leaves_makes_room(home: Home) -> None:
    for _ in range(2):
        with Instance(home):
            assert daemon_status(home).running
        assert daemon_status(home) == NOBODY


def test_the_lock_dies_with_its_owner_however_it_dies(
    home: Home, child: "subprocess.Popen[str]"
) -> None:
    child.kill()
    child.wait(timeout=30)
    # The file still names the dead one, and means nothing (P09).
    assert owner_pid(home) == child.pid
    assert daemon_status(home) == NOBODY
    with Instance(home):
        assert daemon_status(home).pid == os.getpid()


@pytest.mark.parametrize("left", ["", "1 1\n", "no pid\n", "99999999999999999999 1\n", "\udcff\n"])
def test_a_stale_file_means_nothing(home: Home, left: str) -> None:
    home.lock.write_bytes(left.encode("utf-8", "surrogateescape"))
    assert daemon_status(home) == NOBODY
    with Instance(home) as instance:
        assert daemon_status(home).pid == os.getpid()
        assert not instance.wait_for_wake(0)


def test_an_owner_says_who_it_is_and_since_when(home: Home) -> None:
    with Instance(home, clock=Clock(NOON)):
        assert daemon_status(home) == DaemonStatus(
            running=True, pid=os.getpid(), started_at=datetime.fromtimestamp(NOON, UTC)
        )
        home.lock.write_text("garbage")
        assert daemon_status(home) == DaemonStatus(running=True, pid=None, started_at=None)


def test_a_home_is_made_for_its_first_owner(tmp_path: Path) -> None:
    home = Home(tmp_path / "new" / "home")
    assert daemon_status(home) == NOBODY
    assert not wake_daemon(home)
    assert not home.path.exists()
    with Instance(home):
        assert home.path.stat().st_mode & 0o777 == 0o700
        assert home.lock.stat().st_mode & 0o777 == 0o600
        assert home.wake.stat().st_mode & 0o777 == 0o600


# ── asking does not disturb ────────────────────────────────────────────────────────────────────


def test_somebody_who_asks_is_no_owner(home: Home) -> None:
    home.lock.write_text("1 1\n")  # a stranger's pid, from a crash
    with home.lock.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # Seen as running, `stop` would have sent SIGTERM to process 1.
        assert daemon_status(home) == NOBODY


def test_many_who_ask_do_not_see_each_other_as_an_owner(home: Home) -> None:
    with Instance(home):
        pass
    seen: list[DaemonStatus] = []

    def ask() -> None:
        seen.extend(daemon_status(home) for _ in range(300))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {NOBODY}


def test_an_owner_starts_although_somebody_is_just_asking(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    real = FileLock.acquire

    def busy_twice(self: FileLock, note: str = "") -> bool:
        return next(answers) and real(self, note)

    monkeypatch.setattr(FileLock, "acquire", busy_twice)
    with Instance(home):
        assert daemon_status(home).running


def test_asking_leaves_no_file_and_no_descriptor(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    before = len(os.listdir("/proc/self/fd"))
    assert not lock.is_held()
    assert not (tmp_path / "x.lock").exists()
    assert lock.acquire()
    assert lock.is_held()
    assert not FileLock(tmp_path / "x.lock").acquire()
    lock.release()
    lock.release()
    assert not lock.is_held()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_lock_that_cannot_be_had_for_another_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(_fd: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unable)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No locks available"):
        FileLock(tmp_path / "x.lock").acquire()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_next_owner_is_not_taken_for_the_one_before(home: Home) -> None:
    with Instance(home):
        pass
    assert home.lock.read_text() == ""


def test_a_lock_on_a_disk_that_went_read_only_is_still_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FileLock(tmp_path / "x.lock")
    assert lock.acquire("1 1\n")

    def read_only(_fd: int, _length: int) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "ftruncate", read_only)
    lock.release()
    assert not lock.is_held()


# ── waking ─────────────────────────────────────────────────────────────────────────────────────


def test_waking_ends_a_wait_and_many_wake_ups_are_one(home: Home) -> None:
    with Instance(home) as instance:
        assert not instance.wait_for_wake(0)
        assert not instance.wait_for_wake(-1)
        for _ in range(5):
            assert wake_daemon(home)
        assert instance.wait_for_wake(30)
        assert not instance.wait_for_wake(0)


def test_a_daemon_in_another_process_is_woken(home: Home, child: "subprocess.Popen[str]") -> None:
    assert wake_daemon(home)
    assert child.stdout is not None
    assert child.stdout.readline() == "woken\n"


def test_nobody_listens(home: Home) -> None:
    assert not wake_daemon(home)  # no FIFO yet
    with Instance(home):
        pass
    assert not wake_daemon(home)  # a FIFO, and no reader: opening it must not block
    home.wake.unlink()
    home.wake.write_text("a restored backup")
    assert not wake_daemon(home)
    assert home.wake.read_text() == "a restored backup"


def test_a_full_pipe_holds_the_message_already(home: Home) -> None:
    with Instance(home) as instance:
        fd = os.open(home.wake, os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(fd, b"!" * 65536)
        except BlockingIOError:
            os.close(fd)
        assert wake_daemon(home)
        assert instance.wait_for_wake(30)
        assert not instance.wait_for_wake(0)


def test_a_reader_that_has_just_gone_was_not_woken(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_fd: int, _data: bytes) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    with Instance(home):
        monkeypatch.setattr(os, "write", gone)
        assert not wake_daemon(home)


def test_a_plain_file_in_place_of_the_fifo_is_replaced(home: Home) -> None:
    # A backup that was restored: select calls a plain file ready for ever, and the loop would spin.
    home.wake.write_text("x")
    with Instance(home) as instance:
        assert home.wake.is_fifo()
        assert not instance.wait_for_wake(0)


def test_a_change_of_the_network_ends_a_wait(home: Home) -> None:
    with Instance(home) as instance:
        assert instance._network is not None
        real = instance._network
        read_end, write_end = os.pipe()

        class Changed:
            descriptors = (read_end,)

            def drain(self) -> None:
                os.read(read_end, 10)

            def close(self) -> None:
                real.close()

        instance._network = Changed()  # type: ignore[assignment]
        assert not instance.wait_for_wake(0)
        os.write(write_end, b"!")
        assert instance.wait_for_wake(30)
        assert not instance.wait_for_wake(0)
        os.close(read_end)
        os.close(write_end)


def test_a_drain_owns_without_listening(home: Home) -> None:
    with Instance(home, listening=False):
        assert daemon_status(home).running
        assert not home.wake.exists()
        assert not wake_daemon(home)


def test_an_owner_that_cannot_listen_does_not_keep_the_lock(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")  # exFAT has no FIFOs

    monkeypatch.setattr(os, "mkfifo", unable)
    with pytest.raises(PermissionError):
        Instance(home).__enter__()
    assert daemon_status(home) == NOBODY


def test_nothing_stays_open(home: Home) -> None:
    with Instance(home):
        pass
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Instance(home) as instance:
            instance.wait_for_wake(0)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_waiting_costs_no_processor(home: Home) -> None:
    with Instance(home) as instance:
        before = time.process_time()
        assert not instance.wait_for_wake(0.3)
        assert time.process_time() - before < 0.2
        assert instance._wake_fd is not None
        assert select.select([instance._wake_fd], [], [], 0)[0] == []


# ── stopping ───────────────────────────────────────────────────────────────────────────────────


def test_a_daemon_stops_when_asked(home: Home, child: "subprocess.Popen[str]") -> None:
    assert stop_daemon(home, timeout_seconds=30)
    assert child.wait(timeout=30) == 0
    assert daemon_status(home) == NOBODY


def test_where_none_runs_nothing_is_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", pytest.fail)
    assert not stop_daemon(home)
    home.lock.write_text("1 1\n")
    assert not stop_daemon(home)
    # An owner without a name cannot be asked either.
    with Instance(home):
        home.lock.write_text("")
        assert not stop_daemon(home)


def test_a_daemon_that_does_not_stop_is_waited_for_only_so_long(home: Home) -> None:
    with owner(home, STUBBORN) as child:
        assert not stop_daemon(home, timeout_seconds=0.1)
        assert child.poll() is None
        child.kill()


def test_a_daemon_that_leaves_by_itself_counts_as_stopped(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Instance(home) as instance:

        def too_late(_pid: int, _signal: int) -> None:
            instance._lock.release()
            raise ProcessLookupError(3, "No such process")

        monkeypatch.setattr(os, "kill", too_late)
        assert stop_daemon(home, timeout_seconds=30)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
