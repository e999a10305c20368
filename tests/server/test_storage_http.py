"""The built-in store's rules, which are S3's: what a signed URL allows, and nothing else (SEC-07).

One test for each thing a client may get wrong, or an attacker may try.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from cadenza_server.builtin_store import BuiltinStore
from cadenza_server.keyring import Keyring
from cadenza_server.storage import PutPromise, Storage
from tests.server.world import MP4, World, facts

KEY = "dev/cadenza/videos/7/take.mp4"
SHA = facts(MP4)["sha256"]
DECLARED = PutPromise("video/mp4", size_bytes=len(MP4), sha256=SHA, if_none_match=True)


@pytest.fixture
def store(world: World) -> Storage:
    return world.services.storage_at("http://cadenza.test")


def _error(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/xml"
    document = ET.fromstring(response.text)
    assert document.tag == "Error"
    assert document.findtext("RequestId") == response.headers["x-request-id"]
    return response.status_code, str(document.findtext("Code"))


def _put(world: World, store: Storage, promise: PutPromise, data: bytes = MP4) -> httpx.Response:
    url, headers = store.presign_put(KEY, promise, expires_in=60)
    return world.http.put(url, content=data, headers=headers)


def _with_query(url: str, **changes: str | None) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **changes}
    kept = {name: value for name, value in query.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


# ── PUT ────────────────────────────────────────────────────────────────────────


def test_a_put_answers_as_s3_does(world: World, store: Storage) -> None:
    response = _put(world, store, DECLARED)

    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["etag"] == f'"{hashlib.md5(MP4).hexdigest()}"'
    checksum = base64.b64encode(bytes.fromhex(SHA)).decode()
    assert response.headers["x-amz-checksum-sha256"] == checksum
    stored = store.head(KEY)
    assert stored is not None
    assert (stored.size_bytes, stored.sha256) == (len(MP4), SHA)
    assert stored.content_type == "video/mp4"
    assert stored.etag == response.headers["etag"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Content-Type": "text/html"}, (403, "SignatureDoesNotMatch")),
        ({"Content-Type": None}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-checksum-sha256": None}, (403, "SignatureDoesNotMatch")),
        (
            {"x-amz-checksum-sha256": base64.b64encode(b"\0" * 32).decode()},
            (403, "SignatureDoesNotMatch"),
        ),
        ({"If-None-Match": None}, (403, "SignatureDoesNotMatch")),
        ({"If-None-Match": '"x"'}, (403, "SignatureDoesNotMatch")),
        ({"Content-MD5": "not base64"}, (400, "InvalidDigest")),
        ({"Content-MD5": base64.b64encode(b"short").decode()}, (400, "InvalidDigest")),
        ({"Content-MD5": base64.b64encode(b"\0" * 16).decode()}, (400, "BadDigest")),
    ],
)
def test_other_headers_than_promised_are_refused(
    world: World, store: Storage, changes: dict[str, str | None], expected: tuple[int, str]
) -> None:
    url, headers = store.presign_put(KEY, DECLARED, expires_in=60)
    sent = {name: value for name, value in (headers | changes).items() if value is not None}

    response = world.http.put(url, content=MP4, headers=sent)

    assert _error(response) == expected
    assert store.head(KEY) is None


def test_another_length_than_promised_is_refused(world: World, store: Storage) -> None:
    url, headers = store.presign_put(KEY, DECLARED, expires_in=60)
    del headers["Content-Length"]

    response = world.http.put(url, content=MP4 + b"more", headers=headers)

    assert _error(response) == (403, "SignatureDoesNotMatch")


def test_other_bytes_than_promised_are_refused(world: World, store: Storage) -> None:
    flipped = MP4[:-1] + b"?"

    assert _error(_put(world, store, DECLARED, flipped)) == (400, "BadDigest")
    assert store.head(KEY) is None


def test_a_checksum_nobody_signed_is_checked_all_the_same(world: World, store: Storage) -> None:
    url, headers = store.presign_put(KEY, PutPromise("video/mp4"), expires_in=60)
    headers["x-amz-checksum-sha256"] = base64.b64encode(b"\0" * 32).decode()

    assert _error(world.http.put(url, content=MP4, headers=headers)) == (400, "BadDigest")


@pytest.mark.parametrize("seconds", [60, 61, 3600 * 24])
def test_a_url_that_is_over_says_so(world: World, store: Storage, seconds: int) -> None:
    url, headers = store.presign_put(KEY, DECLARED, expires_in=60)
    world.clock.advance(seconds=seconds)

    response = world.http.put(url, content=MP4, headers=headers)

    assert _error(response) == (403, "AccessDenied")
    document = ET.fromstring(response.text)
    assert document.findtext("Message") == "Request has expired"
    assert int(document.findtext("Expires") or 0) == world.clock().timestamp() - seconds + 60
    assert response.headers["connection"] == "close", "the body was not read"


def test_a_url_is_good_until_its_last_second(world: World, store: Storage) -> None:
    url, headers = store.presign_put(KEY, DECLARED, expires_in=60)
    world.clock.advance(seconds=59)

    assert world.http.put(url, content=MP4, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sig": None}, "AccessDenied"),
        ({"exp": None}, "AccessDenied"),
        ({"kid": None}, "AccessDenied"),
        ({"sig": "A" * 43}, "SignatureDoesNotMatch"),
        ({"sig": "?"}, "SignatureDoesNotMatch"),
        ({"sig": "Ä"}, "SignatureDoesNotMatch"),
        ({"exp": "99999999999"}, "SignatureDoesNotMatch"),
        ({"exp": "9" * 5000}, "SignatureDoesNotMatch"),
        ({"exp": "tomorrow"}, "SignatureDoesNotMatch"),
        ({"exp": "-1"}, "SignatureDoesNotMatch"),
        ({"exp": "٣٣٣٣٣٣٣٣٣٣٣"}, "SignatureDoesNotMatch"),
        ({"kid": "k9"}, "SignatureDoesNotMatch"),
        ({"signed": None}, "SignatureDoesNotMatch"),
        ({"signed": "content-type"}, "SignatureDoesNotMatch"),
        ({"extra": "1"}, "SignatureDoesNotMatch"),
        ({"response-content-disposition": "inline"}, "SignatureDoesNotMatch"),
    ],
)
def test_a_url_that_was_touched_is_refused(
    world: World, store: Storage, changes: dict[str, str | None], expected: str
) -> None:
    url, headers = store.presign_put(KEY, DECLARED, expires_in=60)

    response = world.http.put(_with_query(url, **changes), content=MP4, headers=headers)

    assert _error(response) == (403, expected)
    assert store.head(KEY) is None


@pytest.mark.parametrize(
    "key", ["dev/cadenza/videos/8/take.mp4", KEY + "x", "dev/cadenza/videos/7/TAKE.mp4"]
)
def test_a_url_is_for_one_key(world: World, store: Storage, key: str) -> None:
    url, headers = store.presign_put(KEY, DECLARED, expires_in=60)

    response = world.http.put(url.replace(KEY, key), content=MP4, headers=headers)

    assert _error(response) == (403, "SignatureDoesNotMatch")


def test_a_url_is_for_one_method(world: World, store: Storage) -> None:
    put, headers = store.presign_put(KEY, PutPromise("video/mp4"), expires_in=60)
    get = store.presign_get(KEY, expires_in=60)
    store.put(KEY, MP4, "video/mp4")

    assert _error(world.http.get(put, headers=headers)) == (403, "SignatureDoesNotMatch")
    assert _error(world.http.put(get, content=b"x")) == (403, "SignatureDoesNotMatch")
    assert world.http.head(get).status_code == 403, "as on S3"
    assert _error(world.http.post(put, content=b"x")) == (405, "MethodNotAllowed")
    assert _error(world.http.delete(get)) == (405, "MethodNotAllowed")
    assert store.head(KEY) is not None


def test_the_key_of_another_server_opens_nothing(world: World) -> None:
    from cadenza_server.builtin_store import Signer

    foreign = Signer(Keyring("k1", {"k1": b"another secret"}))
    path = foreign.sign("GET", KEY, expires_at=2**40)

    assert _error(world.http.get(path)) == (403, "SignatureDoesNotMatch")


def test_old_urls_outlive_a_rotated_secret(make_world: Callable[..., World]) -> None:
    from cadenza_server.builtin_store import Signer

    world = make_world(
        env="prod",
        secret="the new secret, and it is long enough",
        secret_id="k2",
        previous_secrets={"k1": "the old secret, which was long enough"},
    )
    old = Signer(Keyring("k1", {"k1": b"the old secret, which was long enough"}))
    world.services.storage_at("").put(KEY, MP4, "video/mp4")

    path = old.sign("GET", KEY, expires_at=int(world.clock().timestamp()) + 60)

    assert world.http.get(path).content == MP4


def test_a_second_put_does_not_replace_the_first(world: World, store: Storage) -> None:
    assert _put(world, store, DECLARED).status_code == 200
    before = store.head(KEY)

    again = _put(world, store, DECLARED)

    assert _error(again) == (412, "PreconditionFailed")
    assert ET.fromstring(again.text).findtext("Condition") == "If-None-Match"
    assert store.head(KEY) == before


def test_without_the_condition_a_put_replaces(world: World, store: Storage) -> None:
    _put(world, store, PutPromise("video/mp4"))
    _put(world, store, PutPromise("video/mp4"), MP4 + b"again")

    stored = store.head(KEY)
    assert stored is not None
    assert stored.size_bytes == len(MP4) + 5


def test_too_long_a_body_is_refused_before_it_is_read(make_world: Callable[..., World]) -> None:
    world = make_world(max_upload_bytes=10)
    store = world.services.storage_at("http://cadenza.test")

    response = _put(world, store, PutPromise("video/mp4"))

    assert _error(response) == (400, "EntityTooLarge")
    assert response.headers["connection"] == "close"


def test_an_empty_object_can_be_stored(world: World, store: Storage) -> None:
    response = _put(world, store, PutPromise("video/mp4"), b"")

    assert response.headers["etag"] == '"d41d8cd98f00b204e9800998ecf8427e"'
    assert world.http.get(store.presign_get(KEY, expires_in=60)).content == b""


def test_a_full_disk_says_try_later(
    world: World, store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    def no_space(_descriptor: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", no_space)

    response = _put(world, store, DECLARED)

    assert _error(response) == (503, "ServiceUnavailable")
    assert response.headers["retry-after"] == "5"


# ── GET ────────────────────────────────────────────────────────────────────────


def test_a_get_answers_as_s3_does(world: World, store: Storage) -> None:
    store.put(KEY, MP4, "video/mp4")

    response = world.http.get(store.presign_get(KEY, expires_in=60))

    assert response.status_code == 200
    assert response.content == MP4
    assert response.headers["content-length"] == str(len(MP4))
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["etag"] == f'"{hashlib.md5(MP4).hexdigest()}"'
    assert "last-modified" in response.headers


def test_what_is_not_there_is_no_such_key(world: World, store: Storage) -> None:
    response = world.http.get(store.presign_get(KEY, expires_in=60))

    assert _error(response) == (404, "NoSuchKey")


def test_a_stranger_can_not_tell_whether_an_object_exists(world: World, store: Storage) -> None:
    store.put(KEY, MP4, "video/mp4")

    for key in (KEY, "dev/nothing.mp4"):
        assert _error(world.http.get(f"/storage/{key}")) == (403, "AccessDenied")


def test_a_signed_head_tells_without_sending(world: World, store: Storage) -> None:
    store.put(KEY, MP4, "video/mp4")
    assert isinstance(store, BuiltinStore)
    expires_at = int(world.clock().timestamp()) + 60

    response = world.http.head(store.signer.sign("HEAD", KEY, expires_at=expires_at))

    assert response.status_code == 200
    assert response.headers["content-length"] == str(len(MP4))
    assert response.content == b""


def test_a_download_name_is_signed(world: World, store: Storage) -> None:
    store.put(KEY, MP4, "video/mp4")
    url = store.presign_get(KEY, expires_in=60, download_name='Bourrée "3"/..\r\n.mp4')

    response = world.http.get(url)

    assert response.headers["content-disposition"] == 'attachment; filename="Bourr-e-3-..-.mp4"'
    forged = _with_query(url, **{"response-content-disposition": "inline"})
    assert _error(world.http.get(forged)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("asked", "expected", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("BYTES=5-5", b"5", "bytes 5-5/10"),
    ],
)
def test_a_range_is_a_206(
    world: World, store: Storage, asked: str, expected: bytes, content_range: str
) -> None:
    store.put(KEY, b"0123456789", "video/mp4")

    response = world.http.get(store.presign_get(KEY, expires_in=60), headers={"Range": asked})

    assert (response.status_code, response.content) == (206, expected)
    assert response.headers["content-range"] == content_range
    assert response.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize("asked", ["bytes=4-2", "bytes=-", "bytes=0-1,4-5", "items=0-1", "x"])
def test_what_is_no_range_is_ignored(world: World, store: Storage, asked: str) -> None:
    store.put(KEY, b"0123456789", "video/mp4")

    response = world.http.get(store.presign_get(KEY, expires_in=60), headers={"Range": asked})

    assert (response.status_code, response.content) == (200, b"0123456789")


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_past_the_end_is_a_416(world: World, store: Storage, asked: str) -> None:
    store.put(KEY, b"0123456789", "video/mp4")

    response = world.http.get(store.presign_get(KEY, expires_in=60), headers={"Range": asked})

    assert _error(response) == (416, "InvalidRange")
    assert response.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "{etag}"}, 304),
        ({"If-None-Match": '"x", {etag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": "W/{etag}"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Match": "{etag}"}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"x"'}, 412),
        ({"Range": "bytes=0-1", "If-Range": "{etag}"}, 206),
        ({"Range": "bytes=0-1", "If-Range": '"x"'}, 200),
    ],
)
def test_conditions_on_a_get(
    world: World, store: Storage, headers: dict[str, str], status: int
) -> None:
    etag = store.put(KEY, MP4, "video/mp4").etag
    sent = {name: value.replace("{etag}", etag) for name, value in headers.items()}

    response = world.http.get(store.presign_get(KEY, expires_in=60), headers=sent)

    assert response.status_code == status


@pytest.mark.parametrize(
    "key", ["", "../cadenza.db", "a/../../cadenza.db", ".meta/x", "a//b", "a/.tmp", "%00", "a\\b"]
)
def test_a_key_that_climbs_names_nothing_even_when_signed(
    world: World, store: Storage, key: str
) -> None:
    assert isinstance(store, BuiltinStore)
    expires_at = int(world.clock().timestamp()) + 60
    path = store.signer.sign("GET", key, expires_at=expires_at)

    response = world.http.get(httpx.URL(f"http://cadenza.test{path}"))

    assert response.status_code in (403, 404)
    assert b"SQLite" not in response.content


def test_browsers_of_other_origins_may_upload_and_watch_when_allowed(
    make_world: Callable[..., World],
) -> None:
    world = make_world(cors_origins="https://app.example")
    answer = world.create()
    origin = {"Origin": "https://app.example"}

    preflight = world.http.options(
        answer["upload_url"],
        headers=origin
        | {
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type,if-none-match,x-amz-checksum-sha256",
        },
    )
    put = world.http.put(
        answer["upload_url"], content=MP4, headers=answer["upload_headers"] | origin
    )

    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert put.headers["access-control-allow-origin"] == "https://app.example"
    assert "ETag" in put.headers["access-control-expose-headers"]
    other = world.http.get("/health", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-origin" not in make_world().http.get("/health").headers


@pytest.mark.parametrize(
    ("told", "chunks"),
    [(10, [b"12345"]), (10, []), (4, [b"123", b"45"])],
    ids=["shorter", "nothing", "longer"],
)
def test_a_server_that_passes_on_another_length_than_told(
    world: World, store: Storage, told: int, chunks: list[bytes]
) -> None:
    # Uvicorn would never; what stands before or instead of it might.
    url, _ = store.presign_put(KEY, PutPromise("video/mp4"), expires_in=60)
    parts = urlsplit(url)
    scope = {
        "type": "http",
        "method": "PUT",
        "path": parts.path,
        "query_string": parts.query.encode(),
        "headers": [(b"content-type", b"video/mp4"), (b"content-length", str(told).encode())],
    }
    messages = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(world.app(scope, receive, send))

    assert sent[0]["status"] == 400
    assert b"<Code>IncompleteBody</Code>" in b"".join(m.get("body", b"") for m in sent)
    assert store.head(KEY) is None


def test_an_object_that_shrinks_under_a_reader_is_a_short_answer(
    world: World, store: Storage, tmp_path: Path
) -> None:
    from cadenza_server.builtin_store.endpoint import _blocks

    path = tmp_path / "object"
    path.write_bytes(b"12345")

    async def read() -> bytes:
        with path.open("rb") as file:
            return b"".join([block async for block in _blocks(file, 0, 10)])

    assert asyncio.run(read()) == b"12345"
