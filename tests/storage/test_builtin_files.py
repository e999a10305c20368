"""Whole files into the built-in store and out of it."""

from __future__ import annotations

import errno
import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from cadenza_server import ServerSettings
from cadenza_server.builtin_store import BuiltinStore, FileStore, Signer
from cadenza_server.keyring import Keyring
from cadenza_server.storage import ObjectMissingError, StorageUnavailableError

KEY = "dev/cadenza/videos/7/take.mp4"
DATA = bytes(range(256)) * 10_000  # more than two blocks


@pytest.fixture
def store(tmp_path: Path) -> BuiltinStore:
    keyring = Keyring.from_settings(ServerSettings(data_dir=tmp_path))
    files = FileStore(tmp_path / "objects")
    return BuiltinStore(files, Signer(keyring), lambda: datetime.now(UTC), "http://cadenza.test")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "made.jpg"
    path.write_bytes(DATA)
    return path


class _BrokenDisk(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_a_file_is_stored_with_its_digests_and_type(store: BuiltinStore, source: Path) -> None:
    stored = store.put_file(KEY, source, "image/jpeg")

    assert stored == store.head(KEY)
    assert stored.size_bytes == len(DATA)
    assert stored.sha256 == hashlib.sha256(DATA).hexdigest()
    assert stored.content_type == "image/jpeg"
    assert source.read_bytes() == DATA, "the caller's file is only read"


def test_a_file_that_cannot_be_read_replaces_nothing(store: BuiltinStore, tmp_path: Path) -> None:
    store.put(KEY, b"before", "image/jpeg")

    with pytest.raises(FileNotFoundError):
        store.put_file(KEY, tmp_path / "absent", "image/jpeg")

    assert store.read_start(KEY, 10) == b"before"


def test_an_object_is_fetched_whole(store: BuiltinStore, source: Path, tmp_path: Path) -> None:
    store.put_file(KEY, source, "video/mp4")
    destination = tmp_path / "here" / "take.mp4"
    destination.parent.mkdir()

    store.fetch(KEY, destination)

    assert destination.read_bytes() == DATA
    assert [path.name for path in destination.parent.iterdir()] == ["take.mp4"]


def test_fetching_replaces_what_was_there(store: BuiltinStore, tmp_path: Path) -> None:
    store.put(KEY, b"new", "video/mp4")
    destination = tmp_path / "take.mp4"
    destination.write_bytes(b"something longer")

    store.fetch(KEY, destination)

    assert destination.read_bytes() == b"new"


def test_what_is_not_there_leaves_no_file(store: BuiltinStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissingError):
        store.fetch(KEY, tmp_path / "take.mp4")

    assert not (tmp_path / "take.mp4").exists()


def test_a_disk_that_fails_in_the_middle_leaves_no_file(
    store: BuiltinStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_file(KEY, source, "video/mp4")
    real_open = store.files.open

    def open_broken(key: str) -> tuple[Any, BinaryIO] | None:
        found = real_open(key)
        assert found is not None
        found[1].close()
        return found[0], _BrokenDisk()

    monkeypatch.setattr(store.files, "open", open_broken)
    target = tmp_path / "here"
    target.mkdir()

    with pytest.raises(StorageUnavailableError, match="Input/output error"):
        store.fetch(KEY, target / "take.mp4")

    assert list(target.iterdir()) == []


def test_a_destination_that_cannot_be_written_is_not_the_stores_fault(
    store: BuiltinStore, tmp_path: Path
) -> None:
    store.put(KEY, b"take", "video/mp4")

    with pytest.raises(FileNotFoundError):
        store.fetch(KEY, tmp_path / "no such folder" / "take.mp4")


def test_a_digest_is_only_of_the_object_that_was_looked_at(store: BuiltinStore) -> None:
    stored = store.put(KEY, b"take", "video/mp4")

    assert store.digest(KEY, stored.etag) == hashlib.sha256(b"take").hexdigest()
    assert store.digest(KEY, '"another"') is None
    assert store.digest("dev/absent.mp4", stored.etag) is None


def test_the_origin_is_that_of_the_signed_urls(store: BuiltinStore) -> None:
    assert store.origin == "http://cadenza.test"
    assert store.presign_get(KEY, expires_in=60).startswith(store.origin + "/")
