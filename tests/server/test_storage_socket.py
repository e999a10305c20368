"""The built-in store over real sockets: what only the wire can show.

Each test speaks raw HTTP, because the question is when bytes move, not what a client library
makes of them. Both of uvicorn's parsers: which one runs depends on what is installed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cadenza_server.hosting import HttpParser
from cadenza_server.serving import RunningServer, run_in_thread
from cadenza_server.storage import PutPromise
from tests.server.world import MP4, World, declared, facts

KEY = "dev/cadenza/videos/7/take.mp4"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(params=["httptools", "h11"])
def parser(request: pytest.FixtureRequest) -> HttpParser:
    name: HttpParser = request.param
    return name


@pytest.fixture
def server(world: World, parser: HttpParser) -> Iterator[RunningServer]:
    with run_in_thread(world.app, http=parser) as running:
        yield running


@contextmanager
def _connected(server: RunningServer) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
        yield connection


def _head(url: str, headers: dict[str, str], length: int | None, *, expect: bool = False) -> bytes:
    parts = urlsplit(url)
    lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name != "Content-Length"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if expect:
        lines.append("Expect: 100-continue")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _read_answer(connection: socket.socket) -> bytes:
    """One answer: its head and, by Content-Length, its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        block = connection.recv(65_536)
        if not block:
            return received
        received += block
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            missing = int(line.split(b":")[1]) - len(body)
            while missing > 0 and (block := connection.recv(missing)):
                received, missing = received + block, missing - len(block)
    return received


def _sign(world: World, server: RunningServer, promise: PutPromise) -> tuple[str, dict[str, str]]:
    return world.services.storage_at(server.url).presign_put(KEY, promise, expires_in=60)


def _root(world: World) -> Path:
    return world.services.settings.objects_dir


def _leftovers(world: World) -> list[str]:
    return [path.name for path in (_root(world) / ".tmp").iterdir()]


def _eventually(true: Callable[[], bool]) -> bool:
    for _ in range(500):
        if true():
            return True
        time.sleep(0.01)
    return False


# ── Expect: 100-continue ───────────────────────────────────────────────────────


def test_a_client_that_asks_first_is_told_to_go_on(world: World, server: RunningServer) -> None:
    url, headers = _sign(world, server, PutPromise("video/mp4", len(MP4), facts(MP4)["sha256"]))
    with _connected(server) as connection:
        connection.sendall(_head(url, headers, len(MP4), expect=True))
        assert _read_answer(connection) == CONTINUE
        connection.sendall(MP4)
        assert _read_answer(connection).startswith(b"HTTP/1.1 200")
        # And the connection can be used again.
        connection.sendall(_head(url, headers, len(MP4), expect=True))
        assert _read_answer(connection) == CONTINUE


@pytest.mark.parametrize("why", ["expired", "forged", "taken", "too long", "wrong length"])
def test_a_refusal_costs_no_body(world: World, server: RunningServer, why: str) -> None:
    promise = PutPromise("video/mp4", 300_000_000, if_none_match=True)
    url, headers = _sign(world, server, promise)
    length = 300_000_000
    if why == "expired":
        world.clock.advance(seconds=61)
    elif why == "forged":
        url = url.replace("sig=", "sig=A")
    elif why == "taken":
        promise = PutPromise("video/mp4", if_none_match=True)
        url, headers = _sign(world, server, promise)
        world.services.storage_at("").put(KEY, MP4, "video/mp4")
        length = 1000
    elif why == "wrong length":
        length = 299_999_999
    codes = {"taken": b"412", "too long": b"400"}

    with _connected(server) as connection:
        connection.sendall(_head(url, headers, length, expect=True))
        answer = _read_answer(connection)
        closed = connection.recv(1)

    assert answer.startswith(b"HTTP/1.1 " + codes.get(why, b"403")), answer
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert closed == b"", "whatever follows can't be taken for a request"


def test_an_early_refusal_is_readable_by_a_sender_that_does_not_ask(
    world: World, server: RunningServer
) -> None:
    # O03: the 403 must arrive as a 403, not as a reset connection, and 50 MB must not be read.
    size = 50_000_000
    url, headers = _sign(world, server, PutPromise("video/mp4", size))
    world.clock.advance(seconds=61)
    sent = 0
    with _connected(server) as connection:
        connection.sendall(_head(url, headers, size))
        block = b"x" * 65_536
        try:
            while sent < size:
                sent += connection.send(block)
        except (ConnectionError, TimeoutError):
            pass
        answer = _read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 403")
    assert b"Request has expired" in answer
    assert sent < 20_000_000, "the server has stopped reading long before the end"


# ── bodies that are not what was said ──────────────────────────────────────────


def test_a_body_that_breaks_off_leaves_nothing(world: World, server: RunningServer) -> None:
    size = 3_000_000
    url, headers = _sign(world, server, PutPromise("video/mp4", size))
    with _connected(server) as connection:
        connection.sendall(_head(url, headers, size))
        connection.sendall(b"x" * (size - 1))
        assert _eventually(lambda: len(_leftovers(world)) == 1), "it is being received"
        assert world.services.storage_at("").head(KEY) is None, "and not visible"

    assert _eventually(lambda: _leftovers(world) == [])
    assert world.services.storage_at("").head(KEY) is None


def test_a_body_of_unknown_length_is_refused_as_on_s3(world: World, server: RunningServer) -> None:
    url, headers = _sign(world, server, PutPromise("video/mp4"))
    with _connected(server) as connection:
        head = _head(url, headers | {"Transfer-Encoding": "chunked"}, None)
        connection.sendall(head + b"4\r\nabcd\r\n0\r\n\r\n")
        answer = _read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 411")
    assert b"<Code>MissingContentLength</Code>" in answer


def test_a_silent_sender_is_told_and_dropped(make_world: Callable[..., World]) -> None:
    world = make_world(upload_idle_seconds=0.2)
    with run_in_thread(world.app) as server:
        url, headers = _sign(world, server, PutPromise("video/mp4"))
        with _connected(server) as connection:
            connection.sendall(_head(url, headers, 1000) + b"a few bytes, and then")
            answer = _read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"<Code>RequestTimeout</Code>" in answer
    assert _leftovers(world) == []


# ── many at once ───────────────────────────────────────────────────────────────


def test_of_several_racing_uploads_one_wins(world: World, server: RunningServer) -> None:
    url, headers = _sign(world, server, PutPromise("video/mp4", if_none_match=True))

    def upload(number: int) -> int:
        body = bytes([number]) * 400_000
        return httpx.put(url, content=body, headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(upload, range(6)))

    assert statuses == [200] + [412] * 5
    stored = world.services.storage_at("").head(KEY)
    assert stored is not None
    assert stored.size_bytes == 400_000
    assert len(set(httpx.get(_get_url(world, server)).content)) == 1, "one writer's bytes only"
    assert _leftovers(world) == []


def _get_url(world: World, server: RunningServer) -> str:
    return world.services.storage_at(server.url).presign_get(KEY, expires_in=60)


def test_a_reader_is_not_disturbed_by_a_new_version(world: World, server: RunningServer) -> None:
    store = world.services.storage_at(server.url)
    store.put(KEY, b"a" * 5_000_000, "video/mp4")
    with httpx.stream("GET", _get_url(world, server)) as response:
        blocks = response.iter_bytes()
        received = next(blocks)
        store.put(KEY, b"b" * 5_000_000, "video/mp4")
        received += b"".join(blocks)

    assert received == b"a" * 5_000_000


def test_the_whole_way_over_the_wire(world: World, server: RunningServer) -> None:
    data = MP4 + bytes(range(256)) * 20_000
    headers = {"Authorization": f"Bearer dev_token_user_{world.people['student']}"}
    with httpx.Client(base_url=server.url, headers=headers) as student:
        created = student.post("/video-submissions", json=world.take(**declared(data))).json()
        put = httpx.put(created["upload_url"], content=data, headers=created["upload_headers"])
        path = f"/video-submissions/{created['submission']['id']}"
        confirmed = student.post(f"{path}/confirm", json=facts(data))
        playback = student.get(f"{path}/video-url").json()

    assert (put.status_code, confirmed.status_code) == (200, 200)
    assert httpx.get(playback["video_url"]).content == data
