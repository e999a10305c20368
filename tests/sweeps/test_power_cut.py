"""The plug is pulled: a file system is shut down without flushing, mounted again, and read.

A kill proves nothing about durability: the page cache survives it. FS_IOC_SHUTDOWN throws away
what was not synced, as a power cut does. What the child had acknowledged before the cut must be
there after it (I9); the same run under `eatmydata` must lose something, or this test is worthless.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cadenza_uploader import Home, TakeQueue, open_rebuilt
from cadenza_uploader.take import Status
from tests.sweeps.conftest import ROOT, Studio
from tests.sweeps.takes import PIECE, lies_safe, take_id_of

_FS_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
_SECONDS_OF_WORK = 1.5

pytestmark = pytest.mark.real("loop")


class Disk:
    """An ext4 image on a loop device, with a plug."""

    def __init__(self, folder: Path) -> None:
        self.image = folder / "disk.img"
        self.mount_point = folder / "mnt"
        self.mount_point.mkdir()
        subprocess.run(["truncate", "-s", "256M", self.image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount()

    @property
    def home(self) -> Path:
        return self.mount_point / "home"

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.mount_point], check=True)

    def pull_the_plug(self, child: subprocess.Popen[str]) -> None:
        fd = os.open(self.mount_point, os.O_RDONLY)
        fcntl.ioctl(fd, _FS_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        os.close(fd)
        child.kill()
        child.wait(30)

    def unmount(self) -> None:
        for _ in range(20):
            if subprocess.run(["umount", self.mount_point], capture_output=True).returncode == 0:
                return
            time.sleep(0.2)
        subprocess.run(["umount", "-l", self.mount_point], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    with contextlib.suppress(subprocess.CalledProcessError):
        disk.unmount()


def acknowledged(studio: Studio, disk: Disk, *before: str) -> list[str]:
    """Ids the child said were queued, before the plug was pulled."""
    PIECE.leave(disk.home, studio.piece_id)
    os.sync()
    child = subprocess.Popen(
        [*before, *studio.command(disk.home, "forever")], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    said = [child.stdout.readline()]  # the interpreter has started
    reader = threading.Thread(target=lambda out: said.extend(out), args=[child.stdout])
    reader.start()
    time.sleep(_SECONDS_OF_WORK)
    # Only what was heard before the cut counts: without power nobody could have said more.
    heard = len(said)
    disk.pull_the_plug(child)
    reader.join(30)
    child.stdout.close()
    disk.unmount()
    disk.mount()
    return [line.split()[1] for line in said[:heard] if line.startswith("added")]


def survivors(disk: Disk) -> set[str]:
    queue, _ = open_rebuilt(Home(disk.home))
    with queue:
        return {take.id for take in queue.list(limit=None) if lies_safe(take, disk.home)}


def test_what_was_acknowledged_survives_the_cut(studio: Studio, disk: Disk) -> None:
    said = acknowledged(studio, disk)
    assert len(said) > 10
    assert set(said) <= survivors(disk)


def test_what_was_shown_as_uploaded_survives_the_cut(studio: Studio, disk: Disk) -> None:
    base = 6_000_000
    verbs = [verb for seed in range(base, base + 8) for verb in (f"add:{seed}", "drain")]
    PIECE.leave(disk.home, studio.piece_id)
    os.sync()
    child = subprocess.Popen(
        studio.command(disk.home, *verbs, "run"), cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    shown = 0
    for line in child.stdout:
        shown += line.startswith("drained 1")
        if shown == 8:
            break
    disk.pull_the_plug(child)
    child.stdout.close()
    disk.unmount()
    disk.mount()
    with TakeQueue.open(Home(disk.home)) as queue:
        for seed in range(base, base + 8):
            assert queue.get(take_id_of(seed)).status is Status.UPLOADED


@pytest.mark.real("eatmydata")
def test_without_syncs_the_same_run_does_lose_takes(studio: Studio, disk: Disk) -> None:
    """The control: a durability test that passes under `eatmydata` tests nothing."""
    said = acknowledged(studio, disk, "eatmydata")
    lost = set(said) - survivors(disk) if (disk.home / "queue.db").exists() else set(said)
    assert lost, f"none of {len(said)} acknowledged takes was lost without any fsync"
