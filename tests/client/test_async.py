"""What only the asynchronous client has to prove: the loop stays free, and cancelling cancels."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import httpx
import pytest

from cadenza_client import AsyncCadenzaClient, RetryPolicy, UploadTarget
from tests.client.raw_server import CONTINUE, STORED, Connection, RawServer, always, answer

pytestmark = pytest.mark.anyio

Serve = Callable[..., RawServer]
ME = answer("200 OK", b'{"id": 7, "email": "sam@example.org"}')


def _client(server: RawServer) -> AsyncCadenzaClient:
    return AsyncCadenzaClient(server.url, token="t0ken", env={}, retry=RetryPolicy.none())


def _target(server: RawServer) -> UploadTarget:
    return UploadTarget(
        url=f"{server.url}/k?s=1", headers={"x-amz-checksum-sha256": "x"}, expires_in=900
    )


async def _put(client: AsyncCadenzaClient, server: RawServer, path: Path) -> None:
    await client.upload_media(_target(server), path, content_type="video/mp4", sha256=None)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(32 << 20)
    return path


class _Source:
    """A file that shows whether the upload still has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handles: list[BinaryIO] = []

    def open(self) -> BinaryIO:
        self.handles.append(self.path.open("rb"))
        return self.handles[-1]


@pytest.mark.parametrize("how", ["task", "scope", "timeout"])
async def test_a_cancelled_upload_has_ended_when_the_call_comes_back(
    serve: Serve, large: Path, how: str
) -> None:
    under_way, done = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        connection.head()
        connection.send(CONTINUE)
        connection.body(1000)
        under_way.set()
        done.wait(20)  # nothing more is read: the client sits in a write

    server = serve(script, receive_buffer_bytes=65536)
    source = _Source(large)
    started = time.monotonic()
    async with _client(server) as client:

        async def put() -> None:
            await client.upload_media(
                _target(server), source, content_type="video/mp4", sha256=None
            )

        if how == "task":
            task = asyncio.create_task(put())
            await asyncio.to_thread(under_way.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "scope":
            with anyio.move_on_after(0.3) as scope:
                await put()
            assert scope.cancelled_caught
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(put(), 0.3)
        assert source.handles[0].closed
    done.set()
    assert time.monotonic() - started < 15  # and not the 30 of the idle limit


async def test_cancelling_before_the_thread_has_begun_waits_for_nothing(
    serve: Serve, large: Path
) -> None:
    server = serve(always(STORED))
    async with _client(server) as client:
        engine = client._engine
        engine._threads = anyio.CapacityLimiter(1)
        await engine._threads.acquire_on_behalf_of("somebody else")
        started = time.monotonic()
        with anyio.move_on_after(0.05) as scope:
            await _put(client, server, large)
        assert scope.cancelled_caught
        assert time.monotonic() - started < 4  # and not the 5 a thread is waited for
        engine._threads.release_on_behalf_of("somebody else")
    assert server.connections == []


async def test_the_event_loop_goes_on_during_an_upload(serve: Serve, video: Path) -> None:
    """The store reads on only when the event loop lets it: one that waited would wait for ever."""
    under_way, go_on = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        head = connection.head()
        connection.send(CONTINUE)
        connection.body(1000)
        under_way.set()
        assert go_on.wait(10)
        connection.body(int(head.headers["content-length"]) - 1000)
        connection.send(STORED)

    async def let_go() -> None:
        await asyncio.to_thread(under_way.wait, 10)
        go_on.set()

    server = serve(script)
    async with _client(server) as client, anyio.create_task_group() as group:
        group.start_soon(let_go)
        await _put(client, server, video)


async def test_progress_is_told_on_the_event_loop(serve: Serve, video: Path) -> None:
    server = serve(always(STORED))
    loop_thread, threads = threading.get_ident(), set()

    def progress(_done: int, _total: int) -> None:
        asyncio.get_running_loop()
        threads.add(threading.get_ident())

    async with _client(server) as client:
        await client.upload_media(
            _target(server), video, content_type="video/mp4", sha256=None, progress=progress
        )
    assert threads == {loop_thread}


async def test_a_progress_that_fails_fails_the_upload(serve: Serve, video: Path) -> None:
    server = serve(always(STORED))

    def progress(_done: int, _total: int) -> None:
        raise ZeroDivisionError

    async with _client(server) as client:
        with pytest.raises(ZeroDivisionError):
            await client.upload_media(
                _target(server), video, content_type="video/mp4", sha256=None, progress=progress
            )


async def test_many_uploads_share_a_bounded_number_of_threads(serve: Serve, video: Path) -> None:
    server = serve(always(STORED))
    async with _client(server) as client, anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(_put, client, server, video)
    assert len(server.connections) <= 32


async def test_api_requests_run_beside_each_other(serve: Serve) -> None:
    together = threading.Barrier(5)

    def script(connection: Connection) -> None:
        connection.request()
        together.wait(5)
        connection.send(ME)

    server = serve(script)
    async with _client(server) as client:
        found = await asyncio.gather(*(client.auth.me() for _ in range(5)))
    assert len(found) == 5


async def test_a_cancelled_api_request_closes_its_connection(serve: Serve) -> None:
    gone = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.drain()
        gone.set()

    server = serve(script)
    async with _client(server) as client:
        with anyio.move_on_after(0.2):
            await client.auth.me()
        await asyncio.to_thread(gone.wait, 5)
    assert gone.is_set()


async def test_a_blocking_refresh_does_not_block_the_loop() -> None:
    class Slow:
        refreshed_in: int | None = None

        def token(self) -> str:
            return "old" if self.refreshed_in is None else "new"

        def refresh(self) -> bool:
            self.refreshed_in = threading.get_ident()
            return True

    def reply(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer old":
            return httpx.Response(401, json={"detail": "x", "code": "unauthorized"})
        return httpx.Response(200, json={"id": 7, "email": "a"})

    tokens = Slow()
    async with AsyncCadenzaClient(
        "https://api.example.com", token=tokens, transport=httpx.MockTransport(reply), env={}
    ) as client:
        assert (await client.auth.me()).id == 7
    assert tokens.refreshed_in not in (None, threading.get_ident())
