"""The S3 storage against a store that fails in every way a store can fail."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import time_machine
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError

from cadenza_server.s3_store.signing import UrlSigner
from cadenza_server.s3_store.store import S3Store
from cadenza_server.storage import (
    ObjectMissingError,
    PutPromise,
    SignedPut,
    Storage,
    StorageUnavailableError,
    StoredObject,
)
from cadenza_server.stores import open_s3
from tests.storage.test_s3_settings import KEYS, s3

KEY = "dev/cadenza/videos/7/ä take.mp4"
DATA = b"a practice take"
SHA256 = hashlib.sha256(DATA).hexdigest()
CHECKSUM = base64.b64encode(bytes.fromhex(SHA256)).decode()
V2 = PutPromise("video/mp4", size_bytes=len(DATA), sha256=SHA256, if_none_match=True)
WHEN = datetime(2026, 11, 20, 17, 0, 0, tzinfo=UTC)
HEADERS = {
    "ETag": '"abc"',
    "Last-Modified": "Fri, 20 Nov 2026 17:00:00 GMT",
    "Content-Type": "video/mp4",
}


@pytest.fixture
def aws() -> S3Store:
    """A store at AWS, which is never asked anything."""
    return open_s3(s3())


# ── signing ────────────────────────────────────────────────────────────────────────────────────


def test_our_urls_are_boto3s_own(aws: S3Store) -> None:
    """The shortcut past `generate_presigned_url` signs the very same thing."""
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=KEYS["s3_access_key_id"],
        aws_secret_access_key=KEYS["s3_secret_access_key"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    with time_machine.travel(WHEN, tick=False):
        theirs = client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": "takes",
                "Key": KEY,
                "ContentType": "video/mp4",
                "ContentLength": len(DATA),
                "ChecksumSHA256": CHECKSUM,
                "IfNoneMatch": "*",
                "ServerSideEncryption": "AES256",
            },
            ExpiresIn=600,
        )
        ours = aws.presign_put(KEY, V2, expires_in=600)
        their_get = client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": "takes",
                "Key": KEY,
                "ResponseContentDisposition": 'attachment; filename="Bourr-e.mp4"',
            },
            ExpiresIn=60,
        )
        our_get = aws.presign_get(KEY, expires_in=60, download_name="Bourrée.mp4")

    assert ours.url == theirs
    assert our_get == their_get


def test_what_was_promised_is_signed_and_told(aws: S3Store) -> None:
    signed = aws.presign_put(KEY, V2, expires_in=600)

    assert signed.headers == {
        "Content-Type": "video/mp4",
        "Content-Length": str(len(DATA)),
        "x-amz-checksum-sha256": CHECKSUM,
        "If-None-Match": "*",
        "x-amz-server-side-encryption": "AES256",
    }
    assert (
        "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match"
        "%3Bx-amz-checksum-sha256%3Bx-amz-server-side-encryption&" in signed.url
    )
    assert "X-Amz-Signature" not in repr(signed)


def test_an_old_client_gets_a_url_it_can_use(aws: S3Store) -> None:
    """It sends its content type and nothing else, so nothing else is signed (W7, B-50)."""
    signed = aws.presign_put(KEY, PutPromise("video/mp4"), expires_in=600)

    assert signed.headers == {"Content-Type": "video/mp4"}
    assert "X-Amz-SignedHeaders=content-type%3Bhost&" in signed.url


def test_credentials_that_cannot_be_renewed_make_the_store_unavailable() -> None:
    class Lost:
        def get_frozen_credentials(self) -> Any:
            raise CredentialRetrievalError(provider="role", error_msg="the metadata is silent")

    lost: Any = Lost()
    signer = UrlSigner("https://takes.s3.eu-west-1.amazonaws.com", "eu-west-1", lost)

    with pytest.raises(StorageUnavailableError, match="CredentialRetrievalError"):
        signer.sign("GET", KEY, expires_in=60)


# ── a store that answers as it is told ─────────────────────────────────────────────────────────

Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[http.server.BaseHTTPRequestHandler], Answer | None]


@contextmanager
def scripted(script: Script) -> Iterator[S3Store]:
    """A store on a server that says what the script says; None breaks the connection off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = script(self)
            self.close_connection = True
            if said is None:
                return
            status, headers, body = said
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield open_s3(s3(s3_endpoint=f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
            thread.join()


def xml(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()


def always(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Script:
    return lambda _request: (status, headers or {}, body)


CALLS: dict[str, Callable[[Storage, Path], object]] = {
    "head": lambda store, _path: store.head(KEY),
    "read_start": lambda store, _path: store.read_start(KEY, 12),
    "digest": lambda store, _path: store.digest(KEY, '"abc"'),
    "put": lambda store, _path: store.put(KEY, DATA, "image/jpeg"),
    "put_file": lambda store, path: store.put_file(KEY, path, "image/jpeg"),
    "fetch": lambda store, path: store.fetch(KEY, path.with_name("fetched")),
    "delete": lambda store, _path: store.delete(KEY),
    "listing": lambda store, _path: list(store.listing("dev/")),
}
FAULTS: dict[str, Script] = {
    "it refuses us": always(403, {}, xml("AccessDenied")),
    "it is broken": always(500, {}, xml("InternalError")),
    "it answers nonsense": always(400, {}, b"<html>Welcome to the hotel"),
    "it hangs up": lambda _request: None,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jpg"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits between its attempts; nobody here has to."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("call", list(CALLS))
def test_every_failure_is_the_stores_and_can_be_repeated(
    call: str, fault: str, source: Path
) -> None:
    with scripted(FAULTS[fault]) as store, pytest.raises(StorageUnavailableError) as failure:
        CALLS[call](store, source)

    assert "Signature" not in str(failure.value)
    assert not source.with_name("fetched").exists()
    assert source.read_bytes() == DATA


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("call", list(CALLS))
def test_a_store_that_is_away_is_a_failure_too(call: str, source: Path) -> None:
    with scripted(always(200)) as store:
        pass

    with pytest.raises(StorageUnavailableError):
        CALLS[call](store, source)


@pytest.mark.usefixtures("_no_pauses")
def test_a_refusal_is_tried_three_times_and_no_more() -> None:
    seen: list[str] = []

    def refuse(request: http.server.BaseHTTPRequestHandler) -> Answer:
        seen.append(request.command)
        return 503, {}, xml("SlowDown")

    with scripted(refuse) as store, pytest.raises(StorageUnavailableError, match="SlowDown"):
        store.delete(KEY)

    assert seen == ["DELETE"] * 3


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("call", ["fetch", "digest", "read_start"])
def test_half_an_object_is_none(call: str, source: Path) -> None:
    """The connection breaks in the middle of the body: no file, no digest of half a take."""
    short = always(200, {**HEADERS, "Content-Length": str(len(DATA) + 100)}, DATA)

    cut: dict[str, Callable[[Storage, Path], object]] = {
        **CALLS,
        "read_start": lambda store, _path: store.read_start(KEY, 1000),
    }
    with scripted(short) as store, pytest.raises(StorageUnavailableError):
        cut[call](store, source)

    assert [path.name for path in source.parent.iterdir() if path.is_file()] == ["source.jpg"]


@pytest.mark.parametrize(
    ("told", "sha256"),
    [
        ({"x-amz-checksum-sha256": CHECKSUM, "x-amz-checksum-type": "FULL_OBJECT"}, SHA256),
        ({"x-amz-checksum-sha256": CHECKSUM}, SHA256),
        # Of its parts' digests: a true word, but not about the bytes.
        ({"x-amz-checksum-sha256": f"{CHECKSUM}-3", "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, None),
        ({}, None),
    ],
)
def test_only_a_checksum_of_the_whole_object_counts(
    told: dict[str, str], sha256: str | None
) -> None:
    asked: list[str | None] = []

    def look(request: http.server.BaseHTTPRequestHandler) -> Answer:
        asked.append(request.headers.get("x-amz-checksum-mode"))
        return 200, {**HEADERS, **told, "Content-Length": "15"}, b""

    with scripted(look) as store:
        found = store.head(KEY)

    assert found == StoredObject(KEY, 15, '"abc"', sha256, "video/mp4", WHEN)
    assert asked == ["ENABLED"], "AWS tells a checksum only to those who ask"


def test_what_is_not_there_is_not_an_error(source: Path) -> None:
    def absent(request: http.server.BaseHTTPRequestHandler) -> Answer:
        return 404, {}, b"" if request.command == "HEAD" else xml("NoSuchKey")

    with scripted(absent) as store:
        assert store.head(KEY) is None
        assert store.read_start(KEY, 12) == b""
        assert store.digest(KEY, '"abc"') is None
        with pytest.raises(ObjectMissingError):
            store.fetch(KEY, source.with_name("fetched"))


def test_a_digest_is_only_of_the_object_that_was_looked_at() -> None:
    asked: list[str | None] = []

    def replaced(request: http.server.BaseHTTPRequestHandler) -> Answer:
        asked.append(request.headers.get("if-match"))
        return 412, {}, xml("PreconditionFailed")

    with scripted(replaced) as store:
        assert store.digest(KEY, '"abc"') is None
    assert asked == ['"abc"']


def test_what_the_server_stores_is_checked_and_encrypted(source: Path) -> None:
    seen: list[dict[str, str]] = []

    def keep(request: http.server.BaseHTTPRequestHandler) -> Answer:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        told = {"Content-Length": str(len(DATA))} if request.command == "HEAD" else {}
        return 200, {**HEADERS, **told}, b""

    with scripted(keep) as plain:
        url = plain.client.meta.endpoint_url
        encrypting = open_s3(s3(s3_endpoint=url, sse="AES256"))
        encrypting.put_file(KEY, source, "image/jpeg")

    assert seen[0]["x-amz-checksum-sha256"] == CHECKSUM
    assert seen[0]["x-amz-server-side-encryption"] == "AES256"
    assert seen[0]["content-type"] == "image/jpeg"


def test_less_than_was_sent_is_a_failure(source: Path) -> None:
    with (
        scripted(always(200, {**HEADERS, "Content-Length": "0"})) as store,
        pytest.raises(StorageUnavailableError, match="stored 0 bytes"),
    ):
        store.put_file(KEY, source, "image/jpeg")


def test_the_secret_is_in_no_repr(aws: S3Store) -> None:
    shown = repr(aws) + repr(aws.presign_put(KEY, V2, expires_in=60))

    assert KEYS["s3_secret_access_key"] not in shown
    assert "Signature" not in shown
    assert isinstance(aws.presign_put(KEY, V2, expires_in=60), SignedPut)
