"""Uploads over real sockets: what leaves, what stays, and what is said when it goes wrong."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest

from cadenza_client import (
    CancelledUploadError,
    ChecksumRefusedError,
    ConnectFailedError,
    ConnectionLostError,
    FileChangedError,
    ObjectExistsError,
    RequestTimeoutError,
    ResponseError,
    StorageBusyError,
    StorageRejectedError,
    Timeouts,
    UnsafeUploadUrlError,
    UploadTarget,
    UploadUrlExpiredError,
)
from cadenza_client._config import resolve_config
from cadenza_client._urls import Origin
from cadenza_client._wire._body import _Hashing
from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._signed import SignedRequests
from tests.client.raw_server import (
    CONTINUE,
    STORED,
    Connection,
    HungUpError,
    RawServer,
    Script,
    always,
    answer,
    s3_error,
)

Open = Callable[..., Any]
Serve = Callable[..., RawServer]

PATH = "/bucket/x/../k%2Fa.mp4?X-Amz-Signature=canary%2F%3D&x=a+b'c"
EXPIRED = s3_error("403 Forbidden", "AccessDenied", "Request has expired")
CHECKSUM = {"x-amz-checksum-sha256": base64.b64encode(b"x" * 32).decode()}


def _target(server: RawServer, path: str = PATH, **headers: str) -> UploadTarget:
    return UploadTarget(url=server.url + path, headers=headers, expires_in=900)


def _put(client: Any, target: UploadTarget, source: Any, **arguments: Any) -> Any:
    arguments.setdefault("sha256", None)
    return client.upload_media(target, source, content_type="video/mp4", **arguments)


# ── what leaves ────────────────────────────────────────────────────────────────────────────────


def test_exactly_the_servers_headers_leave_and_never_the_token(
    open_client: Open, serve: Serve, video: Path
) -> None:
    heads = []
    bodies = []

    def script(connection: Connection) -> None:
        head, body = connection.request()
        heads.append(head)
        bodies.append(body)
        connection.send(STORED)

    server = serve(script)
    signed = {"Content-Type": "video/quicktime", "x-amz-server-side-encryption": "AES256"}
    stored = _put(open_client(server.url, token="t0ken"), _target(server, **signed), video)
    assert heads[0].method == "PUT"
    assert heads[0].target == PATH  # byte for byte as it was signed
    assert heads[0].headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-type": "video/quicktime",
        "x-amz-server-side-encryption": "AES256",
        "content-length": str(video.stat().st_size),
        "expect": "100-continue",
    }
    assert bodies[0] == video.read_bytes()
    assert stored.etag == '"0123456789abcdef0123456789abcdef"'
    assert stored.size_bytes == video.stat().st_size


def test_a_small_body_is_not_asked_for(open_client: Open, serve: Serve, tmp_path: Path) -> None:
    heads = []

    def script(connection: Connection) -> None:
        heads.append(connection.request()[0])
        connection.send(STORED)

    server = serve(script)
    thumbnail = tmp_path / "t.jpg"
    thumbnail.write_bytes(b"\xff\xd8" * 1000)
    client = open_client(server.url)
    client.upload_media(
        _target(server, **{"Content-Length": "2000"}),
        thumbnail,
        content_type="image/jpeg",
        sha256=None,
    )
    assert "expect" not in heads[0].headers
    assert heads[0].headers["content-type"] == "image/jpeg"


def test_an_empty_file_is_an_empty_object(open_client: Open, serve: Serve) -> None:
    server = serve(always(STORED))
    stored = _put(open_client(server.url), _target(server), _Source(b""))
    assert stored.sha256 == hashlib.sha256(b"").hexdigest()


def test_a_connection_is_used_again(open_client: Open, serve: Serve, video: Path) -> None:
    server = serve(always(STORED))
    client = open_client(server.url)
    for _ in range(3):
        _put(client, _target(server), video)
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("headers", "hashes"),
    [({"a": "b"}, (True, False)), ({}, (True, True)), (CHECKSUM, (False, False))],
)
def test_bytes_are_hashed_where_the_store_cannot(
    open_client: Open,
    serve: Serve,
    video: Path,
    headers: dict[str, str],
    hashes: tuple[bool, bool],
) -> None:
    server = serve(always(STORED))
    stored = _put(open_client(server.url), _target(server, **headers), video)
    data = video.read_bytes()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert stored.sha256 == (hashlib.sha256(data).hexdigest() if hashes[0] else None)
    assert stored.md5 == (md5 if hashes[1] else None)


def test_hashing_can_be_asked_for_and_declined(
    open_client: Open, serve: Serve, video: Path
) -> None:
    server = serve(always(STORED))
    client = open_client(server.url)
    found = hashlib.sha256(video.read_bytes()).hexdigest()
    verified = _target(server, **CHECKSUM)
    assert _put(client, verified, video, hash_while_sending=True).sha256 == found
    declined = _put(client, _target(server, a="b"), video, hash_while_sending=False)
    assert declined.sha256 is None


@pytest.mark.parametrize("name", ["Authorization", "cookie", "Host", "Transfer-Encoding", "Expect"])
def test_a_header_that_is_not_the_apis_to_set_is_refused(
    open_client: Open, serve: Serve, video: Path, name: str
) -> None:
    server = serve(always(STORED))
    with pytest.raises(UnsafeUploadUrlError):
        _put(open_client(server.url), _target(server, **{name: "canary"}), video)
    assert server.connections == []


@pytest.mark.parametrize(
    "header", [{"x y": "1"}, {"x-a": "1\r\nEvil: 1"}, {"x-a": "é"}, {"": "1"}, {"é": "1"}]
)
def test_a_header_that_would_break_out_is_refused(
    open_client: Open, serve: Serve, video: Path, header: dict[str, str]
) -> None:
    server = serve(always(STORED))
    with pytest.raises(UnsafeUploadUrlError) as caught:
        _put(open_client(server.url), _target(server, **header), video)
    assert "Evil" not in str(caught.value)
    assert server.connections == []


def test_an_unsafe_url_opens_no_connection(open_client: Open, serve: Serve, video: Path) -> None:
    server = serve(always(STORED))
    other = serve(always(STORED))
    with pytest.raises(UnsafeUploadUrlError, match="port"):
        _put(open_client(server.url), _target(other), video)
    too_long = _target(server, "/" + "k" * 70_000)
    with pytest.raises(UnsafeUploadUrlError):
        _put(open_client(server.url), too_long, video)
    assert server.connections == other.connections == []


# ── a refusal before the body ──────────────────────────────────────────────────────────────────


def test_an_expired_url_costs_no_body(open_client: Open, serve: Serve, video: Path) -> None:
    seen = []

    def refuse(connection: Connection) -> None:
        connection.head()
        connection.send(EXPIRED)
        seen.append(connection.drain())

    server = serve(refuse)
    with pytest.raises(UploadUrlExpiredError) as caught:
        _put(open_client(server.url), _target(server), video)
    assert caught.value.s3_code == "AccessDenied"
    assert caught.value.request_id == "RID1"
    server.finish()
    assert seen == [0]


def test_a_refusal_with_an_immediate_close_is_still_read(
    open_client: Open, serve: Serve, video: Path
) -> None:
    def refuse(connection: Connection) -> None:
        connection.head()
        connection.send(EXPIRED)

    server = serve(refuse)
    for _ in range(20):  # it would be a race, so it is run more than once
        with pytest.raises(UploadUrlExpiredError):
            _put(open_client(server.url), _target(server), video)


def test_a_refusal_in_pieces_is_put_together(open_client: Open, serve: Serve, video: Path) -> None:
    def refuse(connection: Connection) -> None:
        connection.head()
        for at in range(0, len(EXPIRED), 7):
            connection.send(EXPIRED[at : at + 7])
            time.sleep(0.001)
        connection.drain()

    server = serve(refuse)
    with pytest.raises(UploadUrlExpiredError):
        _put(open_client(server.url), _target(server), video)


def test_hints_before_the_permission_are_not_taken_for_it(
    open_client: Open, serve: Serve, video: Path
) -> None:
    def script(connection: Connection) -> None:
        head = connection.head()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        connection.send(CONTINUE)
        connection.body(int(head.headers["content-length"]))
        connection.send(STORED)

    server = serve(script)
    assert _put(open_client(server.url), _target(server), video).etag


def test_a_store_that_does_not_know_expect_is_sent_the_body_after_a_moment(
    open_client: Open, serve: Serve, video: Path
) -> None:
    def script(connection: Connection) -> None:
        head = connection.head()
        connection.body(int(head.headers["content-length"]))
        connection.send(STORED)

    server = serve(script)
    quick = Timeouts(continue_seconds=0.05)
    assert _put(open_client(server.url, timeout=quick), _target(server), video).etag


def test_a_store_that_refuses_expect_is_not_asked_again(
    open_client: Open, serve: Serve, video: Path
) -> None:
    heads = []

    def script(connection: Connection) -> None:
        while True:
            head = connection.head()
            heads.append(head.headers.get("expect"))
            if "expect" in head.headers:
                connection.send(answer("417 Expectation Failed", headers="Connection: close\r\n"))
                return
            connection.body(int(head.headers["content-length"]))
            connection.send(STORED)

    server = serve(script)
    client = open_client(server.url)
    for _ in range(2):
        assert _put(client, _target(server), video).etag
    assert heads == ["100-continue", None, None]


# ── a refusal in the middle of the body ────────────────────────────────────────────────────────


def _refuse_after(count: int, reply: bytes, *, drain: bool) -> Script:
    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        connection.body(count)
        connection.send(reply)
        if drain:
            connection.drain()

    return script


@pytest.mark.parametrize("drain", [True, False])
def test_a_refusal_in_the_middle_is_read_and_ends_the_sending(
    open_client: Open, serve: Serve, tmp_path: Path, drain: bool
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    server = serve(_refuse_after(100_000, EXPIRED, drain=drain))
    with pytest.raises(UploadUrlExpiredError):
        _put(open_client(server.url), _target(server, **CHECKSUM), large)


def test_a_store_that_answers_and_stops_reading_does_not_hold_us(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        time.sleep(0.2)  # until the buffers in between are full
        connection.send(EXPIRED)
        done.wait(10)

    server = serve(script, receive_buffer_bytes=65536)
    started = time.monotonic()
    with pytest.raises(UploadUrlExpiredError):
        _put(open_client(server.url, timeout=Timeouts()), _target(server, **CHECKSUM), large)
    assert time.monotonic() - started < 15  # and not the 30 of the idle limit
    done.set()


def test_a_success_before_the_end_of_the_file_is_not_believed(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    server = serve(_refuse_after(100_000, STORED, drain=True))
    with pytest.raises(ResponseError, match="before it had the whole file"):
        _put(open_client(server.url), _target(server, **CHECKSUM), large)


# ── no answer ──────────────────────────────────────────────────────────────────────────────────


def test_a_closed_port_is_a_refused_connection(open_client: Open, video: Path) -> None:
    server = RawServer([always(STORED)])
    server.stop()
    with pytest.raises(ConnectFailedError) as caught:
        _put(open_client(server.url), _target(server), video)
    assert caught.value.kind == "refused"
    assert caught.value.sent == "nothing"


def test_a_reset_in_the_body_has_sent_a_part(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20)

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        connection.body(100_000)
        connection.reset()

    server = serve(script)
    with pytest.raises(ConnectionLostError) as caught:
        _put(open_client(server.url), _target(server, **CHECKSUM), large)
    assert caught.value.sent == "partial"


@pytest.mark.parametrize("reset", [True, False])
def test_a_cut_after_the_last_byte_leaves_the_outcome_unknown(
    open_client: Open, serve: Serve, video: Path, reset: bool
) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        if reset:
            connection.reset()

    server = serve(script)
    with pytest.raises(ConnectionLostError) as caught:
        _put(open_client(server.url), _target(server), video)
    assert caught.value.sent == "all"


def test_a_close_instead_of_a_permission_has_sent_no_body(
    open_client: Open, serve: Serve, video: Path
) -> None:
    server = serve(lambda connection: connection.head() and None)
    with pytest.raises(ConnectionLostError) as caught:
        _put(open_client(server.url), _target(server), video)
    assert caught.value.sent == "partial"


def test_a_store_that_reads_nothing_is_given_up_when_nothing_moves(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        done.wait(10)

    server = serve(script, receive_buffer_bytes=65536)
    limits = Timeouts(idle_seconds=0.4)
    with pytest.raises(RequestTimeoutError) as caught:
        _put(open_client(server.url, timeout=limits), _target(server, **CHECKSUM), large)
    assert caught.value.sent == "partial"
    done.set()


def test_a_slow_link_is_not_a_dead_one(open_client: Open, serve: Serve, tmp_path: Path) -> None:
    """The whole takes longer than the idle limit, but something moves all the while (N11)."""
    slow = tmp_path / "slow.mp4"
    with slow.open("wb") as file:
        file.truncate(24 << 20)

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        for _ in range(24):
            connection.body(1 << 20)
            time.sleep(0.06)
        connection.send(STORED)

    server = serve(script, receive_buffer_bytes=65536)
    limits = Timeouts(idle_seconds=1, reply_seconds=1)
    started = time.monotonic()
    assert _put(open_client(server.url, timeout=limits), _target(server, **CHECKSUM), slow).etag
    assert time.monotonic() - started > 1.3


def test_the_time_to_answer_starts_when_the_last_byte_has_left_the_machine(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    """On a slow uplink the kernel holds megabytes when the last write returns."""
    file = tmp_path / "held.mp4"
    file.write_bytes(bytes(2_000_000))

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        for _ in range(20):
            connection.body(100_000)
            time.sleep(0.08)  # 1.6 s in all; the kernel took it in a moment
        connection.send(STORED)

    server = serve(script, receive_buffer_bytes=4096)
    limits = Timeouts(idle_seconds=5, reply_seconds=1)
    assert _put(open_client(server.url, timeout=limits), _target(server, **CHECKSUM), file).etag


def test_a_store_that_never_answers_is_given_up_after_its_time(
    open_client: Open, serve: Serve, video: Path
) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        done.wait(10)

    server = serve(script)
    limits = Timeouts(reply_seconds=0.3)
    with pytest.raises(RequestTimeoutError) as caught:
        _put(open_client(server.url, timeout=limits), _target(server), video)
    assert caught.value.sent == "all"
    done.set()


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_dribbles_in_is_cut_off(
    open_client: Open, serve: Serve, video: Path, part: str
) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        reply = s3_error("503 Slow Down", "SlowDown", "x" * 200)
        if part == "body":
            head, _, reply = reply.partition(b"\r\n\r\n")
            connection.send(head + b"\r\n\r\n")
        for at in range(len(reply)):
            connection.send(reply[at : at + 1])
            time.sleep(0.02)

    server = serve(script)
    limits = Timeouts(reply_seconds=0.3, idle_seconds=0.3)
    with pytest.raises((RequestTimeoutError, StorageBusyError)):
        _put(open_client(server.url, timeout=limits), _target(server), video)


def test_garbage_is_a_lost_connection(open_client: Open, serve: Serve, video: Path) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    server = serve(script)
    with pytest.raises(ConnectionLostError):
        _put(open_client(server.url), _target(server), video)


# ── answers that are not a success ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (s3_error("400 Bad Request", "BadDigest"), ChecksumRefusedError),
        (s3_error("412 Precondition Failed", "PreconditionFailed"), ObjectExistsError),
        (s3_error("503 Slow Down", "SlowDown"), StorageBusyError),
        (s3_error("200 OK", "InternalError"), StorageBusyError),
        (s3_error("411 Length Required", "MissingContentLength"), StorageRejectedError),
        (answer("200 OK", b"<html>sign in</html>", content_type="text/html"), ResponseError),
        (answer("302 Found", headers="Location: https://login.example.net/\r\n"), ResponseError),
    ],
)
def test_the_stores_word_decides(
    open_client: Open, serve: Serve, video: Path, reply: bytes, kind: type[Exception]
) -> None:
    server = serve(always(reply))
    with pytest.raises(kind):
        _put(open_client(server.url), _target(server), video)


def test_an_endless_error_document_is_cut_off(open_client: Open, serve: Serve, video: Path) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 99999999\r\n\r\n")
        try:
            while True:
                connection.send(b"x" * 65536)
        except OSError:
            raise HungUpError from None

    server = serve(script)
    with pytest.raises(StorageBusyError):
        _put(open_client(server.url), _target(server), video)


# ── redirects ──────────────────────────────────────────────────────────────────────────────────


def _redirect(status: str, location: str) -> Script:
    return always(answer(status, headers=f"Location: {location}\r\n"))


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_to_a_listed_host_is_followed_once_without_the_token(
    open_client: Open, serve: Serve, video: Path, status: str
) -> None:
    heads = []

    def take(connection: Connection) -> None:
        head, body = connection.request()
        heads.append(head)
        assert body == video.read_bytes()
        connection.send(STORED)

    region = serve(take)
    server = serve(_redirect(status, f"{region.url}/eu/k?sig=1"))
    client = open_client(server.url, token="t0ken", storage_hosts=[f"127.0.0.1:{region.port}"])
    assert _put(client, _target(server), video).etag
    assert heads[0].target == "/eu/k?sig=1"
    assert "authorization" not in heads[0].headers


def test_a_redirect_on_the_same_host_is_followed(
    open_client: Open, serve: Serve, video: Path
) -> None:
    targets = []

    def script(connection: Connection) -> None:
        while True:
            head, _ = connection.request()
            targets.append(head.target)
            moved = answer("307 Moved", headers="Location: /other?sig=1\r\n")
            connection.send(moved if len(targets) == 1 else STORED)

    server = serve(script)
    assert _put(open_client(server.url), _target(server), video).etag
    assert targets[1] == "/other?sig=1"


def test_a_redirect_anywhere_else_is_not_followed(
    open_client: Open, serve: Serve, video: Path
) -> None:
    elsewhere = serve(always(STORED))
    server = serve(_redirect("307 Moved", f"{elsewhere.url}/k"))
    with pytest.raises(ResponseError):
        _put(open_client(server.url), _target(server), video)
    hop = serve(_redirect("307 Moved", "https://evil.example.org/k"))
    with pytest.raises(ResponseError):
        _put(open_client(hop.url), _target(hop), video)
    assert elsewhere.connections == []


def test_a_second_redirect_is_one_too_many(open_client: Open, serve: Serve, video: Path) -> None:
    server = serve(_redirect("307 Moved", "/again"))
    with pytest.raises(ResponseError):
        _put(open_client(server.url), _target(server), video)


# ── the file ───────────────────────────────────────────────────────────────────────────────────


class _Source:
    """A source in memory that can be meddled with while it is read."""

    def __init__(self, data: bytes, meddle: Callable[[int], None] = lambda _n: None) -> None:
        self.data = data
        self.meddle = meddle
        self.opened: list[BinaryIO] = []

    def open(self) -> BinaryIO:
        handle = _Handle(self.data)
        handle.meddle = self.meddle
        self.opened.append(handle)
        return handle


class _Handle(io.BytesIO):
    meddle: Callable[[int], None]
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        self.meddle(self.reads)
        return super().read(size)


def test_a_source_is_opened_once_and_closed(open_client: Open, serve: Serve) -> None:
    server = serve(always(STORED))
    source = _Source(b"x" * 3_000_000)
    _put(open_client(server.url), _target(server), source)
    assert len(source.opened) == 1
    assert source.opened[0].closed


def _counting(counts: list[int]) -> Script:
    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        counts.append(connection.drain())

    return script


def test_a_file_with_another_digest_never_becomes_a_whole_object(
    open_client: Open, serve: Serve, video: Path
) -> None:
    counts: list[int] = []
    server = serve(_counting(counts))
    with pytest.raises(FileChangedError, match="sha256"):
        _put(open_client(server.url), _target(server), video, sha256="0" * 64)
    server.finish()
    assert counts[0] < video.stat().st_size


def test_the_right_digest_is_accepted_in_either_case(
    open_client: Open, serve: Serve, video: Path
) -> None:
    server = serve(always(STORED))
    announced = hashlib.sha256(video.read_bytes()).hexdigest().upper()
    assert _put(open_client(server.url), _target(server), video, sha256=announced).etag


@pytest.mark.parametrize("how", ["cut", "extend", "touch"])
def test_a_file_that_is_written_to_meanwhile_is_not_sent_whole(
    open_client: Open, serve: Serve, video: Path, how: str
) -> None:
    counts: list[int] = []
    server = serve(_counting(counts))

    def meddle(done: int, _total: int) -> None:
        if done:
            return
        with video.open("r+b") as file:
            if how == "cut":
                file.truncate(1000)
            elif how == "extend":
                file.seek(0, 2)
                file.write(b"more")
            else:
                os.utime(video, (1, 1))

    size = video.stat().st_size
    with pytest.raises(FileChangedError):
        _put(open_client(server.url), _target(server, **CHECKSUM), video, progress=meddle)
    server.finish()
    assert counts[0] < size


def test_a_file_that_changes_after_its_last_byte_is_not_reported_as_stored(
    open_client: Open, serve: Serve, video: Path
) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        os.utime(video, (1, 1))
        connection.send(STORED)

    server = serve(script)
    with pytest.raises(FileChangedError):
        _put(open_client(server.url), _target(server), video)


def test_a_file_replaced_under_its_name_is_still_the_one_we_opened(
    open_client: Open, serve: Serve, video: Path, tmp_path: Path
) -> None:
    original = video.read_bytes()
    bodies = []

    def script(connection: Connection) -> None:
        bodies.append(connection.request()[1])
        connection.send(STORED)

    server = serve(script)

    def replace(done: int, _total: int) -> None:
        if not done:
            other = tmp_path / "other"
            other.write_bytes(b"y" * len(original))
            other.replace(video)

    _put(open_client(server.url), _target(server), video, progress=replace)
    assert bodies == [original]


def test_another_length_than_announced_is_not_sent(
    open_client: Open, serve: Serve, video: Path
) -> None:
    server = serve(always(STORED))
    with pytest.raises(FileChangedError, match="another length"):
        _put(open_client(server.url), _target(server, **{"content-length": "7"}), video)

    class Announced(_Source):
        size_bytes = 7

    with pytest.raises(FileChangedError, match="7 were announced"):
        _put(open_client(server.url), _target(server), Announced(b"123456"))
    assert server.connections == []


def test_what_is_no_regular_file_is_refused_without_waiting(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    server = serve(always(STORED))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    client = open_client(server.url)
    for path in (fifo, tmp_path):
        with pytest.raises(FileChangedError, match="regular"):
            _put(client, _target(server), path)
    with pytest.raises(FileNotFoundError):
        _put(client, _target(server), tmp_path / "missing")


def test_a_disk_that_fails_is_said_to_be_the_disk(open_client: Open, serve: Serve) -> None:
    server = serve(_counting([]))

    def fail(reads: int) -> None:
        if reads == 2:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output") as caught:
        _put(open_client(server.url), _target(server), _Source(b"x" * 3_000_000, fail))
    assert caught.value.errno == 5


_TWO_UPLOADS = """
import re, resource, sys
from pathlib import Path
from cadenza_client import CadenzaClient, UploadTarget
url, small, large = sys.argv[1:]
target = UploadTarget(url=url + "/k", headers={"a": "b"}, expires_in=9)
with CadenzaClient(url, env={}) as client:
    for path in (small, large):
        client.upload_media(target, Path(path), content_type="video/mp4", sha256=None)
        if sys.platform == "darwin":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20)
        else:
            # Not getrusage: its peak is inherited from the process that started this one.
            peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
            print(int(peak[1]) >> 10)
"""


def test_memory_does_not_grow_with_the_file(serve: Serve, tmp_path: Path) -> None:
    def sink(connection: Connection) -> None:
        while True:
            left = int(connection.head().headers["content-length"])
            connection.send(CONTINUE)
            while left:
                left -= len(connection.body(min(left, 1 << 20)))
            connection.send(STORED)

    server = serve(sink)
    paths = []
    for megabytes in (8, 512):
        paths.append(tmp_path / f"{megabytes}.mp4")
        with paths[-1].open("wb") as file:
            file.truncate(megabytes << 20)
    command = [sys.executable, "-c", _TWO_UPLOADS, server.url, *map(str, paths)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    small, large = map(int, run.stdout.split())
    assert large - small < 16


# ── hashing beside the sending ─────────────────────────────────────────────────────────────────

MIB = 1 << 20


def _hashing_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("cadenza-hash")]


@pytest.mark.parametrize(
    "size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 5 * MIB + 3, 12 * MIB]
)
def test_the_digests_are_those_of_the_bytes_and_only_a_large_body_has_a_thread(
    open_client: Open, serve: Serve, size: int
) -> None:
    bodies: list[bytes] = []

    def script(connection: Connection) -> None:
        bodies.append(connection.request()[1])
        connection.send(STORED)

    server = serve(script)
    data = os.urandom(size)
    seen: set[str] = set()
    stored = _put(
        open_client(server.url),
        _target(server),
        _Source(data, lambda _reads: seen.update(_hashing_threads())),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert bodies == [data]
    assert bool(seen) is (size >= 2 * MIB)
    assert not _hashing_threads()


def test_what_is_not_hashed_has_no_thread(open_client: Open, serve: Serve) -> None:
    seen: set[str] = set()
    source = _Source(bytes(5 * MIB), lambda _reads: seen.update(_hashing_threads()))
    server = serve(always(STORED))
    _put(open_client(server.url), _target(server, **CHECKSUM), source)
    assert not seen


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("another digest", FileChangedError),
        ("shorter", FileChangedError),
        ("disk", OSError),
        ("cancelled", CancelledUploadError),
        ("early refusal", UploadUrlExpiredError),
        ("early success", ResponseError),
        ("reset", ConnectionLostError),
    ],
)
def test_the_hashing_ends_however_the_upload_does(
    open_client: Open, serve: Serve, how: str, kind: type[Exception]
) -> None:
    seen: set[str] = set()
    cancelled = threading.Event()

    def meddle(reads: int) -> None:
        seen.update(_hashing_threads())
        if reads == 4 and how == "disk":
            raise OSError(5, "Input/output error")
        if reads == 4 and how == "cancelled":
            cancelled.set()
        if reads == 4 and how == "shorter":
            source.opened[0].seek(0, io.SEEK_END)

    def cut(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        connection.body(3 * MIB)
        connection.reset()

    scripts = {
        "early refusal": _refuse_after(3 * MIB, EXPIRED, drain=True),
        "early success": _refuse_after(3 * MIB, STORED, drain=True),
        "reset": cut,
    }
    server = serve(scripts.get(how, _counting([])))
    source = _Source(bytes(32 * MIB), meddle)
    # The error and its frames are still held here: the thread must not end by chance of collection.
    with pytest.raises(kind) as caught:
        _put(
            open_client(server.url),
            _target(server),
            source,
            sha256="0" * 64 if how == "another digest" else None,
            cancel=cancelled.is_set,
        )
    assert caught.value.__traceback__ is not None
    assert seen
    assert not _hashing_threads()


class _Failing:
    """A digest that breaks at one of its blocks."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.blocks = 0

    def update(self, _block: bytes) -> None:
        self.blocks += 1
        if self.blocks == self.at:
            raise MemoryError


@pytest.mark.parametrize("size", [MIB, 16 * MIB])
def test_an_error_in_the_hashing_surfaces_before_the_last_block(size: int) -> None:
    for at in range(1, size // MIB + 1):
        hashing = _Hashing([_Failing(at)], size)

        def send(hashing: _Hashing = hashing) -> None:
            for _ in range(size // MIB):
                hashing.add(b"x")
            hashing.finish()

        with pytest.raises(MemoryError):
            send()
        hashing.close()
        assert not _hashing_threads()


def test_the_sender_is_only_a_few_blocks_ahead_of_the_hashing() -> None:
    going_on = threading.Event()
    added: list[int] = []

    class Slow:
        def update(self, _block: bytes) -> None:
            going_on.wait(10)

    hashing = _Hashing([Slow()], 16 * MIB)

    def send() -> None:
        for number in range(16):
            hashing.add(b"x")
            added.append(number)
        hashing.finish()

    sender = threading.Thread(target=send)
    sender.start()
    sender.join(0.3)
    assert len(added) <= 4
    going_on.set()
    sender.join(10)
    assert len(added) == 16
    assert not _hashing_threads()


# ── progress, cancelling, pacing ───────────────────────────────────────────────────────────────


def test_progress_goes_from_nothing_to_all_and_never_back(
    open_client: Open, serve: Serve, video: Path
) -> None:
    server = serve(always(STORED))
    seen: list[tuple[int, int]] = []
    _put(
        open_client(server.url),
        _target(server),
        video,
        progress=lambda done, total: seen.append((done, total)),
    )
    size = video.stat().st_size
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert seen == sorted(set(seen))


def test_progress_counts_what_has_arrived_not_what_the_kernel_holds(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes(2_000_000))
    seen: list[int] = []
    at_half: list[int] = []

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        connection.body(400_000)
        time.sleep(0.6)
        at_half.extend(seen)
        connection.body(1_600_000)
        connection.send(STORED)

    server = serve(script, receive_buffer_bytes=4096)
    _put(
        open_client(server.url),
        _target(server, **CHECKSUM),
        file,
        progress=lambda done, _total: seen.append(done),
    )
    assert max(at_half) < 1_500_000
    assert seen[-1] == 2_000_000


@pytest.mark.parametrize("where", ["before", "waiting for permission", "in the body", "reply"])
def test_cancelling_ends_the_upload_soon_wherever_it_is(
    open_client: Open, serve: Serve, tmp_path: Path, where: str
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20 if where == "in the body" else 3 << 20)
    cancelled, done = threading.Event(), threading.Event()
    counts: list[int] = []

    def script(connection: Connection) -> None:
        head = connection.head()
        if where == "waiting for permission":
            cancelled.set()
        else:
            connection.send(CONTINUE)
        if where == "in the body":
            connection.body(1000)
            cancelled.set()
        if where == "reply":
            connection.body(int(head.headers["content-length"]))
            cancelled.set()
        done.wait(10)
        counts.append(connection.drain())

    server = serve(script, receive_buffer_bytes=65536)
    if where == "before":
        cancelled.set()
    started = time.monotonic()
    with pytest.raises(CancelledUploadError):
        _put(
            open_client(server.url, timeout=Timeouts(continue_seconds=20)),
            _target(server, **CHECKSUM),
            large,
            cancel=cancelled.is_set,
        )
    assert time.monotonic() - started < 15  # and not the 20, 30 or 60 of the limits (N20)
    done.set()


def test_a_rate_is_kept(serve: Serve, video: Path) -> None:
    from cadenza_client import CadenzaClient

    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    server = serve(always(STORED))
    with CadenzaClient(server.url, env={}, sleep=sleep, monotonic=lambda: now[0]) as client:
        _put(client, _target(server), video, rate_limit_bytes_per_second=1_000_000)
    size = video.stat().st_size
    assert sum(slept) == pytest.approx(size / 1e6, rel=0.1)
    assert max(slept) <= 0.2  # so that cancelling is noticed


# ── transports of the caller's own ─────────────────────────────────────────────────────────────


def test_an_injected_transport_gets_the_same_request(open_client: Open, video: Path) -> None:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        requests.append(request)
        return httpx.Response(200, headers={"ETag": '"e"'})

    seen: list[int] = []
    client = open_client(
        "https://api.example.com", storage_transport=httpx.MockTransport(handle), token="t0ken"
    )
    target = UploadTarget(url="https://b.example.com/k?sig=a+b", headers={"x": "y"}, expires_in=9)
    stored = _put(client, target, video, progress=lambda done, _total: seen.append(done))
    assert stored.etag == '"e"'
    assert str(requests[0].url) == "https://b.example.com/k?sig=a+b"
    assert "authorization" not in requests[0].headers
    assert requests[0].content == video.read_bytes()
    assert seen[0] == 0
    assert seen[-1] == video.stat().st_size


def test_an_injected_transport_that_breaks_in_the_body_has_sent_a_part(
    open_client: Open, video: Path
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.WriteError("cut")

    client = open_client("https://api.example.com", storage_transport=_Raising(handle))
    target = UploadTarget(url="https://b.example.com/k", expires_in=9)
    with pytest.raises(ConnectionLostError) as caught:
        _put(client, target, video)
    assert caught.value.sent == "partial"


def test_a_body_of_the_wrong_length_is_the_files_fault(open_client: Open, video: Path) -> None:
    import h11

    def handle(request: httpx.Request) -> httpx.Response:
        raise h11.LocalProtocolError("Too little data for declared Content-Length")

    client = open_client("https://api.example.com", storage_transport=_Raising(handle))
    target = UploadTarget(url="https://b.example.com/k", expires_in=9)
    with pytest.raises(FileChangedError):
        _put(client, target, video)


def test_two_parsers_that_disagree_about_the_host_are_not_trusted() -> None:
    config = resolve_config(
        "https://api.example.com",
        token=None,
        timeout=None,
        retry=None,
        storage_hosts=(),
        user_agent="test",
        env={},
    )
    requests = SignedRequests(
        config, httpx.MockTransport(lambda _: httpx.Response(200)), clock=time.time
    )
    exchange = Exchange(monotonic=time.monotonic, idle_seconds=1)
    with pytest.raises(UnsafeUploadUrlError, match="ambiguous"):
        requests._request(
            "GET",
            "https://b.example.com/k",
            Origin("https", "evil.example.org", 443),
            exchange,
            headers={},
            body=None,
        )


class _Raising(httpx.BaseTransport):
    """A transport that does not read the body."""

    def __init__(self, handle: Callable[[httpx.Request], httpx.Response]) -> None:
        self.handle = handle

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle(request)
