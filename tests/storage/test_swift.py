"""The S3 storage on a real server: parts, threads, and a bucket made ready."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from benchmarks.s3server import S3Server
from cadenza_server import admin, create_app
from cadenza_server.readiness import find_reasons
from cadenza_server.s3_store.store import S3Store
from cadenza_server.settings import ServerSettings
from cadenza_server.storage import StorageUnavailableError
from cadenza_server.stores import open_s3
from tests.storage.world import s3_settings

pytestmark = pytest.mark.real("swift")
KEY = "dev/cadenza/lessons/7/lesson.mp4"
_PART = 5 * 1024 * 1024  # the least a part may have


@pytest.fixture
def settings(swift: S3Server, tmp_path: Path) -> ServerSettings:
    """Of a bucket that is not there yet."""
    return s3_settings(swift, tmp_path)


@pytest.fixture
def store(settings: ServerSettings) -> S3Store:
    store = open_s3(settings)
    store.client.create_bucket(Bucket=store.bucket)
    return store


@pytest.fixture
def in_parts(settings: ServerSettings, store: S3Store) -> S3Store:
    """The same, with the limit for one request as low as it may be."""
    return S3Store(
        store.client, store.bucket, store.signer, multipart_bytes=_PART, part_bytes=_PART
    )


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    path = tmp_path / "lesson.mp4"
    path.write_bytes(os.urandom(1024) * (2 * 5 * 1024 + 100))
    return path


def test_a_long_file_goes_in_parts_and_comes_back_whole(
    in_parts: S3Store, lesson: Path, tmp_path: Path
) -> None:
    stored = in_parts.put_file(KEY, lesson, "video/mp4")

    assert stored.size_bytes == lesson.stat().st_size
    assert stored.etag.endswith('-3"'), "three parts"
    assert stored.content_type == "video/mp4"
    in_parts.fetch(KEY, tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == lesson.read_bytes()
    assert in_parts.digest(KEY, stored.etag) == hashlib.sha256(lesson.read_bytes()).hexdigest()


def test_a_part_that_fails_leaves_nothing_behind(in_parts: S3Store, lesson: Path) -> None:
    in_parts.put(KEY, b"the lesson before", "video/mp4")

    def fail_late(request: Any, **_more: Any) -> None:
        if "partNumber=3" in request.url:
            raise EndpointConnectionError(endpoint_url="the store")

    in_parts.client.meta.events.register("before-send.s3.UploadPart", fail_late)

    with pytest.raises(StorageUnavailableError):
        in_parts.put_file(KEY, lesson, "video/mp4")

    open_uploads = in_parts.client.list_multipart_uploads(Bucket=in_parts.bucket)
    assert open_uploads.get("Uploads", []) == []
    assert in_parts.read_start(KEY, 100) == b"the lesson before"


def test_one_client_serves_many_threads(store: S3Store) -> None:
    def work(number: int) -> bytes:
        key, data = f"thread/{number}", str(number).encode() * 100
        store.put(key, data, "image/jpeg")
        found = store.head(key)
        assert found is not None
        assert found.size_bytes == len(data)
        return store.read_start(key, 4)

    with ThreadPoolExecutor(8) as pool:
        starts = list(pool.map(work, range(24)))

    found = {one.key: one.size_bytes for one in store.listing("thread/")}
    assert found == {f"thread/{number}": 100 if number < 10 else 200 for number in range(24)}
    assert starts == [str(number).encode() * (4 if number < 10 else 2) for number in range(24)]


def test_setting_up_makes_the_bucket_and_says_what_swift_cannot(
    settings: ServerSettings,
) -> None:
    settings = settings.model_copy(update={"public_url": "https://cadenza.example/app"})

    first = {step.name: step for step in admin.init_storage(settings)}
    again = {step.name: step for step in admin.init_storage(settings)}

    assert {name: step.outcome for name, step in first.items()} == {
        "bucket": "done",
        "lifecycle": "unsupported",
        "cors": "unsupported",
        "checksum": "kept",
        "checksum_told": "not_kept",
        "overwrite": "kept",
        "encryption": "not_kept",
    }
    assert again["bucket"].outcome == "unchanged"
    assert "https://cadenza.example" in first["cors"].sentence
    assert "/app" not in first["cors"].sentence, "an origin has no path"
    assert "CADENZA_SSE=off" in first["encryption"].sentence
    assert list(open_s3(settings).listing("")) == [], "what was tried is gone again"


def test_a_server_whose_bucket_is_gone_is_not_ready(settings: ServerSettings) -> None:
    admin.init(settings)
    app = create_app(settings)
    try:
        assert find_reasons(app.state.services, "") == {"storage": "The store does not answer."}
        admin.init_storage(settings)
        assert find_reasons(app.state.services, "") == {}
    finally:
        app.state.services.db.close()


def test_an_encryption_the_store_refuses_is_said_at_once(settings: ServerSettings) -> None:
    with pytest.raises(admin.AdminError, match="NotImplemented"):
        admin.init_storage(settings.model_copy(update={"sse": "AES256"}))


def test_a_key_that_is_wrong_is_said_plainly(settings: ServerSettings) -> None:
    admin.init_storage(settings)
    wrong = settings.model_copy(update={"s3_access_key_id": "nobody:here"})

    with pytest.raises(admin.AdminError, match="may not use it"):
        admin.init_storage(wrong)
