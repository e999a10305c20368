"""API requests over real sockets: dead connections, slow servers, portals, redirects."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cadenza_client import (
    CancelledUploadError,
    ConnectFailedError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    RetryPolicy,
    StorageBusyError,
    Timeouts,
    UnsafeUploadUrlError,
    UploadUrlExpiredError,
)
from cadenza_client.models import Playback
from tests.client.raw_server import Connection, RawServer, always, answer, s3_error

Open = Callable[..., Any]
Serve = Callable[..., RawServer]
ME = answer("200 OK", b'{"id": 7, "email": "sam@example.org"}')


def test_a_request_and_the_next_on_the_same_connection(open_client: Open, serve: Serve) -> None:
    server = serve(always(ME))
    client = open_client(server.url, token="t0ken")
    assert client.auth.me() == client.auth.me()
    assert len(server.connections) == 1


def test_hints_chunks_and_trailers_are_read(open_client: Open, serve: Serve) -> None:
    body = b'{"id": 7, "email": "sam@example.org"}'
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (
        5,
        body[:5],
        len(body) - 5,
        body[5:],
    )
    reply = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    )
    server = serve(always(reply))
    assert open_client(server.url).auth.me().id == 7


def test_a_connection_that_was_closed_while_idle_is_replaced(
    open_client: Open, serve: Serve
) -> None:
    def once(connection: Connection) -> None:
        connection.request()
        connection.send(ME)

    server = serve(once)
    client = open_client(server.url)
    client.auth.me()
    server.finish()
    time.sleep(0.05)
    assert client.auth.me().id == 7
    assert len(server.connections) == 2


def test_a_close_without_an_answer_is_tried_again_when_that_is_safe(
    open_client: Open, serve: Serve
) -> None:
    server = serve(lambda connection: connection.request() and None, always(ME))
    client = open_client(server.url, retry=RetryPolicy(attempts=2))
    assert client.auth.me().id == 7


def test_a_close_without_an_answer_leaves_a_create_unknown(open_client: Open, serve: Serve) -> None:
    server = serve(lambda connection: connection.request() and None)
    with pytest.raises(ConnectionLostError) as caught:
        open_client(server.url, retry=RetryPolicy(attempts=3)).pieces.create("x")
    assert caught.value.sent == "all"
    assert len(server.connections) == 1


def test_nothing_listens(open_client: Open) -> None:
    server = RawServer([always(ME)])
    server.stop()
    with pytest.raises(ConnectFailedError) as caught:
        open_client(server.url).auth.me()
    assert caught.value.kind == "refused"
    assert str(server.port) in str(caught.value)


def test_a_name_that_is_not_known(open_client: Open) -> None:
    with pytest.raises(ConnectFailedError) as caught:
        open_client("https://cadenza-test.invalid", env={}).auth.me()
    assert caught.value.kind == "dns"


@pytest.mark.parametrize("dribble", [False, True])
def test_a_server_that_does_not_finish_is_given_up(
    open_client: Open, serve: Serve, dribble: bool
) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        for byte in ME if dribble else b"":
            connection.send(bytes([byte]))
            if done.wait(0.05):
                return
        done.wait(10)

    server = serve(script)
    limits = Timeouts(connect_seconds=0.2, api_seconds=0.2)
    started = time.monotonic()
    with pytest.raises(RequestTimeoutError) as caught:
        open_client(server.url, timeout=limits).auth.me()
    assert time.monotonic() - started < 10
    assert caught.value.sent == "all"
    done.set()


def test_a_body_that_dribbles_is_given_up(open_client: Open, serve: Serve) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not done.wait(0.05):
            connection.send(b"x")

    server = serve(script)
    limits = Timeouts(connect_seconds=0.2, api_seconds=0.2)
    with pytest.raises(RequestTimeoutError):
        open_client(server.url, timeout=limits).auth.me()
    done.set()


def test_a_half_answer_is_a_lost_connection(open_client: Open, serve: Serve) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(ME[:-4])

    with pytest.raises(ConnectionLostError):
        open_client(serve(script).url).auth.me()


def test_a_login_page_is_not_the_api(open_client: Open, serve: Serve) -> None:
    page = answer("200 OK", b"<html>SchoolNet: sign in</html>", content_type="text/html")
    with pytest.raises(ResponseError) as caught:
        open_client(serve(always(page)).url, token="t0ken").auth.me()
    assert caught.value.captive_portal


def test_a_redirect_is_not_followed_and_the_token_stays_here(
    open_client: Open, serve: Serve
) -> None:
    other = serve(always(ME))
    server = serve(always(answer("302 Found", headers=f"Location: {other.url}/auth/me\r\n")))
    with pytest.raises(ResponseError) as caught:
        open_client(server.url, token="t0ken").auth.me()
    assert caught.value.captive_portal
    assert other.connections == []


def test_an_endless_answer_is_cut_off_early(open_client: Open, serve: Serve) -> None:
    sent: list[int] = []

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while True:
                connection.send(b"x" * 65536)
                sent.append(65536)
        except OSError:
            return

    server = serve(script)
    with pytest.raises(ResponseError, match="longer"):
        open_client(server.url).auth.me()
    server.finish()
    assert sum(sent) < 32 << 20


# ── download ───────────────────────────────────────────────────────────────────────────────────


def test_a_video_is_fetched_whole_or_not_at_all(
    open_client: Open, serve: Serve, video: Path, tmp_path: Path
) -> None:
    heads = []

    def script(connection: Connection) -> None:
        heads.append(connection.request()[0])
        connection.send(answer("200 OK", video.read_bytes(), content_type="video/mp4"))

    server = serve(script)
    seen: list[tuple[int, int]] = []
    destination = tmp_path / "out.mp4"
    destination.write_bytes(b"old")
    playback = Playback(video_url=f"{server.url}/k?sig=canary")
    client = open_client(server.url, token="t0ken")
    size = client.download(playback, destination, progress=lambda a, b: seen.append((a, b)))
    assert size == video.stat().st_size
    assert destination.read_bytes() == video.read_bytes()
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert "authorization" not in heads[0].headers
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "take.mp4"]


def test_a_video_is_on_the_disk_before_it_has_its_name(
    open_client: Open,
    serve: Serve,
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    synced: list[bool] = []
    destination = tmp_path / "out.mp4"

    def fsync(descriptor: int) -> None:
        synced.append(destination.exists())
        assert os.fstat(descriptor).st_size == video.stat().st_size

    monkeypatch.setattr("cadenza_client._storage.os.fsync", fsync)
    server = serve(always(answer("200 OK", video.read_bytes(), content_type="video/mp4")))
    open_client(server.url).download(f"{server.url}/k", destination)
    assert synced == [False]


def test_a_video_of_unknown_length_is_fetched_to_its_end(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"v" * 1000)

    server = serve(script)
    seen: list[tuple[int, int]] = []
    size = open_client(server.url).download(
        f"{server.url}/k", tmp_path / "o", progress=lambda a, b: seen.append((a, b))
    )
    assert size == 1000
    assert seen[-1] == (1000, 1000)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (s3_error("403 Forbidden", "AccessDenied"), UploadUrlExpiredError),
        (s3_error("404 Not Found", "NoSuchKey"), UploadUrlExpiredError),
        (s3_error("503 Slow", "SlowDown"), StorageBusyError),
        (answer("200 OK", b"<html>", content_type="text/html"), ResponseError),
        (answer("200 OK", b"x", headers="Content-Encoding: gzip\r\n"), ResponseError),
        (answer("302 Found", headers="Location: https://x\r\n"), ResponseError),
        (answer("206 Partial Content", b"x"), ResponseError),
        (answer("200 OK", b"x" * 10)[:-1], ConnectionLostError),
    ],
)
def test_what_could_not_be_fetched_leaves_the_old_file(
    open_client: Open, serve: Serve, tmp_path: Path, reply: bytes, kind: type[Exception]
) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(reply)

    destination = tmp_path / "out.mp4"
    destination.write_bytes(b"old")
    server = serve(script)
    with pytest.raises(kind):
        open_client(server.url).download(f"{server.url}/k?sig=canary", destination)
    assert destination.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [destination]


def test_a_download_that_stands_still_is_given_up(
    open_client: Open, serve: Serve, tmp_path: Path
) -> None:
    done = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        done.wait(10)

    server = serve(script)
    with pytest.raises(RequestTimeoutError):
        open_client(server.url, timeout=Timeouts(idle_seconds=0.3)).download(
            f"{server.url}/k", tmp_path / "o"
        )
    done.set()


def test_a_download_can_be_cancelled(open_client: Open, serve: Serve, tmp_path: Path) -> None:
    stop = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        stop.set()
        try:
            while True:
                connection.send(b"x" * 65536)
        except OSError:
            return

    server = serve(script)
    with pytest.raises(CancelledUploadError):
        open_client(server.url).download(f"{server.url}/k", tmp_path / "o", cancel=stop.is_set)
    assert list(tmp_path.iterdir()) == []


def test_a_transport_that_hides_a_short_file_is_found_out(
    open_client: Open, tmp_path: Path
) -> None:
    def reply(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"Content-Length": "10"}, stream=httpx.ByteStream(b"short")
        )

    client = open_client("https://api.example.com", storage_transport=httpx.MockTransport(reply))
    with pytest.raises(ConnectionLostError, match="5 of 10"):
        client.download("https://b.example.com/k", tmp_path / "o")


def test_a_download_goes_only_where_uploads_go(open_client: Open, tmp_path: Path) -> None:
    with pytest.raises(UnsafeUploadUrlError):
        open_client("https://api.example.com").download("file:///etc/passwd", tmp_path / "o")


def test_a_fingerprint_is_size_sha256_and_md5(open_client: Open, video: Path) -> None:
    import hashlib

    found = open_client("https://api.example.com").fingerprint(video)
    data = video.read_bytes()
    assert found.size_bytes == len(data)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_a_page_that_is_too_large_is_not_read(open_client: Open, tmp_path: Path) -> None:
    from cadenza_client import ConfigError

    scan = tmp_path / "scan.png"
    with scan.open("wb") as file:
        file.truncate((10 << 20) + 1)
    with pytest.raises(ConfigError, match="at most"):
        open_client("https://api.example.com").pieces.put_page("x", 1, scan)
