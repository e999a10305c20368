"""Where a queue lives: readable by its owner only, made durably, relative in everything."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cadenza_uploader._credentials import Credential, CredentialStore
from cadenza_uploader._home import Home
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import TakeQueue
from tests.uploader.world import URL, add_take


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_nothing_in_a_home_can_be_read_by_others(open_umask: None, tmp_path: Path) -> None:
    # SEC-13, with the laxest umask there is, while everything is open.
    home = Home(tmp_path / "new" / "home")
    CredentialStore(home).save(Credential(URL, 7, "a@b.example", "Ada", None, "token"))
    with Instance(home), TakeQueue.open(home) as queue:
        add_take(queue)
        entries = [home.path, *home.path.rglob("*")]
        lax = [p for p in entries if stat.S_IMODE(p.lstat().st_mode) & 0o077]
    assert lax == []
    assert {"queue.db-wal", "credentials.json", "wake", "video.mp4"} <= {p.name for p in entries}


def test_a_home_that_exists_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir(mode=0o750)
    path.chmod(0o750)
    home = Home(path).prepare()
    assert stat.S_IMODE(path.stat().st_mode) == 0o750  # `doctor` names it; it is the user's
    assert stat.S_IMODE(home.spool.stat().st_mode) == 0o700
    assert home.prepare() is home


def test_a_new_home_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def recorded(fd: int) -> None:
        fsync(fd)
        synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")))

    monkeypatch.setattr(os, "fsync", recorded)
    home = Home(tmp_path / "home").prepare()
    assert synced == [tmp_path, home.path, home.path]
    home.prepare()
    assert len(synced) == 3


def test_every_path_lies_in_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    paths = (
        *(home.database, home.spool, home.lock, home.workers),
        *(home.wake, home.credentials, home.config),
    )
    assert len(set(paths)) == len(paths)
    assert all(path.parent == tmp_path for path in paths)
