"""The store's directory: whole objects or none, and digests that are always true."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cadenza_server.builtin_store.files import (
    FileStore,
    InvalidKeyError,
    ObjectExistsError,
)
from cadenza_server.storage import StorageUnavailableError

KEY = "dev/cadenza/videos/7/take.mp4"


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "objects")


def _store(files: FileStore, data: bytes, *, replace: bool = True) -> None:
    with files.receive(KEY) as incoming:
        incoming.write(data)
        incoming.commit(content_type="video/mp4", replace=replace)


def test_an_object_is_a_plain_file_under_its_key(files: FileStore, tmp_path: Path) -> None:
    _store(files, b"take")

    assert (tmp_path / "objects" / KEY).read_bytes() == b"take"


def test_nothing_is_visible_before_the_commit(files: FileStore, tmp_path: Path) -> None:
    with files.receive(KEY) as incoming:
        incoming.write(b"half a ta")
        assert files.head(KEY) is None
        assert not (tmp_path / "objects" / KEY).exists()
        assert incoming.size_bytes == 9

    assert files.head(KEY) is None
    assert list((tmp_path / "objects" / ".tmp").iterdir()) == []


def test_the_commit_is_durable_before_it_is_visible(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # File, then name, then the directories that hold the names: anything else loses the take in
    # a power cut after the confirm.
    steps: list[str] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        visible = (tmp_path / "objects" / KEY).exists()
        what = "directory" if path.is_dir() else "file"
        steps.append(f"{what} {path.name if what == 'directory' else ''}".strip())
        if what == "file":
            assert not visible, "the bytes are on disk before the name is there"
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    _store(files, b"take")

    assert steps[0] == "file"
    assert steps[1:] == [
        "directory objects",
        "directory dev",
        "directory cadenza",
        "directory videos",
        "directory 7",
    ]


def test_without_replace_the_first_one_stays(files: FileStore) -> None:
    _store(files, b"first", replace=False)

    with pytest.raises(ObjectExistsError):
        _store(files, b"second", replace=False)

    stored = files.head(KEY)
    assert stored is not None
    assert stored.sha256 == hashlib.sha256(b"first").hexdigest()


def test_digests_are_remembered_and_not_computed_at_every_look(
    files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(files, b"take")
    monkeypatch.setattr(
        "cadenza_server.builtin_store.files._digest", lambda _: pytest.fail("hashed again")
    )

    stored = files.head(KEY)

    assert stored is not None
    assert stored.etag == f'"{hashlib.md5(b"take").hexdigest()}"'


@pytest.mark.parametrize("damage", ["missing", "garbage", "not an object", "another file's"])
def test_a_sidecar_that_does_not_fit_is_made_anew(
    files: FileStore, tmp_path: Path, damage: str
) -> None:
    _store(files, b"take")
    sidecar = tmp_path / "objects" / ".meta" / f"{KEY}.json"
    match damage:
        case "missing":
            sidecar.unlink()
        case "garbage":
            sidecar.write_bytes(b"\xff{")
        case "not an object":
            sidecar.write_text("[]")
        case _:
            sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"size": 5}))

    stored = files.head(KEY)

    assert stored is not None
    assert stored.sha256 == hashlib.sha256(b"take").hexdigest()
    assert stored.content_type == "video/mp4"
    assert json.loads(sidecar.read_text())["sha256"] == stored.sha256


def test_a_file_put_there_by_hand_is_an_object(files: FileStore, tmp_path: Path) -> None:
    # A restored backup has new mtimes and no sidecars.
    path = tmp_path / "objects" / "dev" / "restored.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"from the backup")

    stored = files.head("dev/restored.mp4")

    assert stored is not None
    assert stored.sha256 == hashlib.sha256(b"from the backup").hexdigest()


def test_a_new_version_never_shows_the_old_ones_digests(files: FileStore, tmp_path: Path) -> None:
    # A crash between the two renames leaves the old sidecar beside the new bytes.
    _store(files, b"old")
    sidecar = tmp_path / "objects" / ".meta" / f"{KEY}.json"
    old = sidecar.read_text()
    _store(files, b"new")
    sidecar.write_text(old)

    stored = files.head(KEY)

    assert stored is not None
    assert stored.sha256 == hashlib.sha256(b"new").hexdigest()


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "a/../b", "..", ".", "a/./b", "a//b", ".hidden", "a/.meta", "a\0b",
     "a b", "ä", "a/" + "x" * 129, "x/" * 512 + "x", "a\\b", "-" * 129],
)  # fmt: skip
def test_keys_that_are_none(files: FileStore, key: str) -> None:
    with pytest.raises(InvalidKeyError):
        files.head(key)
    with pytest.raises(InvalidKeyError):
        files.receive(key)
    with pytest.raises(InvalidKeyError):
        files.delete(key)


def test_a_directory_is_no_object(files: FileStore) -> None:
    _store(files, b"take")

    for key in ("dev/cadenza", f"{KEY}/below"):
        assert files.head(key) is None, key
        assert files.open(key) is None, key
    files.delete(f"{KEY}/below")
    assert files.head(KEY) is not None


def test_an_object_can_not_lie_below_another(files: FileStore) -> None:
    _store(files, b"take")

    with files.receive(f"{KEY}/below") as incoming, pytest.raises(StorageUnavailableError):
        incoming.commit(content_type="video/mp4")


def test_deleting_removes_bytes_and_sidecar(files: FileStore, tmp_path: Path) -> None:
    _store(files, b"take")

    files.delete(KEY)
    files.delete(KEY)

    assert files.head(KEY) is None
    assert [p for p in (tmp_path / "objects").rglob("*") if p.is_file()] == []


def test_nobody_else_on_the_machine_may_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        files = FileStore(tmp_path / "objects")
        _store(files, b"take")
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "objects" / KEY).stat().st_mode) == 0o600
    for directory in (tmp_path / "objects", (tmp_path / "objects" / KEY).parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_a_killed_server_left_is_swept_but_not_what_another_is_writing(
    files: FileStore, tmp_path: Path
) -> None:
    temp = tmp_path / "objects" / ".tmp"
    for name, age_hours in {"left": 25, "live": 1}.items():
        (temp / name).write_bytes(b"half")
        then = time.time() - age_hours * 3600
        os.utime(temp / name, (then, then))

    FileStore(tmp_path / "objects")

    assert [path.name for path in temp.iterdir()] == ["live"]


def test_a_killed_upload_leaves_no_object(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from cadenza_server.builtin_store.files import FileStore
incoming = FileStore(Path({str(tmp_path / "objects")!r})).receive({KEY!r})
incoming.write(b"x" * 1_000_000)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert killed.returncode == -9
    assert FileStore(tmp_path / "objects").head(KEY) is None


@pytest.mark.parametrize("call", ["open", "fsync", "link", "replace"])
def test_a_disk_that_refuses_is_no_crash(
    files: FileStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "open":
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(StorageUnavailableError):
            files.receive(KEY)
        return
    with files.receive(KEY) as incoming:
        incoming.write(b"take")
        if call == "replace":
            monkeypatch.setattr(Path, "replace", refuse)
        else:
            monkeypatch.setattr(os, call, refuse)
        with pytest.raises(StorageUnavailableError, match="No space left"):
            incoming.commit(content_type="video/mp4", replace=call != "link")
    monkeypatch.undo()
    assert files.head(KEY) is None


def test_an_unreadable_object_is_unavailable_and_not_absent(
    files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # "Not there" would let the server say 409 not_uploaded_yet about a take that is safe.
    _store(files, b"take")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(StorageUnavailableError, match="Input/output error"):
        files.head(KEY)
    with pytest.raises(StorageUnavailableError, match="Input/output error"):
        files.open(KEY)


def test_a_file_system_without_hard_links_still_keeps_the_first(
    files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_arguments: object, **_options: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    _store(files, b"first", replace=False)

    with pytest.raises(ObjectExistsError):
        _store(files, b"second", replace=False)
