"""Full, read-only and unreadable disks, for real (D01, D02, D05, F05)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cadenza_uploader import Home, TakeQueue
from cadenza_uploader.take import Stage, Status
from tests.sweeps.conftest import ROOT, Studio
from tests.sweeps.takes import recording, take_id_of

pytestmark = pytest.mark.real("mount")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes in memory."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=22m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_at_intake_leaves_nothing_half_done(studio: Studio, small: Path) -> None:
    home = small / "home"
    seed = 7_000_000
    assert studio.run(home, f"add:{seed}") == 0
    fill(small)
    assert studio.run(home, f"add:{seed + 1}") != 0
    assert [p.name for p in (home / "spool").iterdir()] == [take_id_of(seed)]


def test_a_full_disk_does_not_stop_what_frees_it(studio: Studio, small: Path) -> None:
    """Rows cannot be written on a full disk: the ballast makes the room (D02)."""
    home = small / "home"
    seeds = [7_100_000, 7_100_001, 7_100_002]
    assert studio.run(home, "drain") == 0  # lays the ballast
    assert (home / "reserve.bin").exists()
    assert studio.run(home, *(f"add:{seed}" for seed in seeds)) == 0
    fill(small)
    assert studio.run(home, "drain", "drain", "drain") == 0
    with TakeQueue.open(Home(home)) as queue:
        assert {take.status for take in queue.list()} == {Status.UPLOADED}
    for seed in seeds:
        assert studio.stored(take_id_of(seed)) == recording(seed)


def fill(place: Path) -> None:
    """Write until there is no room for a byte."""
    with (place / "filler").open("wb", 0) as file:
        for _ in range(1 << 20):
            try:
                file.write(bytes(4096))
            except OSError:
                return


def test_a_read_only_disk_loses_nothing_and_is_said_to_be_one(studio: Studio, small: Path) -> None:
    """A running daemon cannot be cut off so (the mount is busy): test_disk.py fails its writes."""
    home, seed = small / "home", 7_200_000
    assert studio.run(home, f"add:{seed}") == 0
    remount(small, "ro")
    try:
        said = subprocess.run(
            studio.command(home, "drain"), cwd=ROOT, capture_output=True, text=True
        )
        assert said.returncode != 0
        assert "QueueUnavailableError" in said.stderr
        assert "The recordings are kept" in said.stderr
        studio.nothing_is_lost(home, seed)
    finally:
        remount(small, "rw")
    assert studio.run(home, "drain") == 0
    assert stage_of(home, seed) is Stage.CLEANED


def remount(place: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode},size=22m", "tmpfs", place], check=True)


def stage_of(home: Path, seed: int) -> Stage:
    with TakeQueue.open(Home(home)) as queue:
        return queue.get(take_id_of(seed)).stage


def test_a_copy_that_cannot_be_removed_never_troubles_the_upload(
    studio: Studio, tmp_path: Path
) -> None:
    home, seed = tmp_path / "home", 7_300_000
    assert studio.run(home, f"add:{seed}") == 0
    video = home / "spool" / take_id_of(seed) / "video.mp4"
    if subprocess.run(["chattr", "+i", video], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable flag")
    try:
        assert studio.run(home, "drain") == 0
        with TakeQueue.open(Home(home)) as queue:
            take = queue.get(take_id_of(seed))
        assert (take.status, take.stage) == (Status.UPLOADED, Stage.CONFIRMED)
        assert take.last_error_code == "cleanup_pending"
        assert video.exists()
    finally:
        subprocess.run(["chattr", "-i", video], check=True)
    time.sleep(1.1)
    assert studio.run(home, "drain") == 0
    assert stage_of(home, seed) is Stage.CLEANED
