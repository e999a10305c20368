"""Clients of both kinds behind one face, and servers on loopback."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest

from cadenza_client import AsyncCadenzaClient, CadenzaClient, RetryPolicy, Timeouts
from tests.client.raw_server import CERTIFICATES, RawServer, Script

QUICK = Timeouts(
    connect_seconds=5, api_seconds=5, idle_seconds=5, reply_seconds=5, continue_seconds=1
)


class BlockingClient:
    """An `AsyncCadenzaClient` on an event loop in another thread, called like the synchronous one.

    What a test says of one client then holds for both. Iterators are drained into lists.
    """

    def __init__(self, portal: anyio.from_thread.BlockingPortal, inner: Any) -> None:
        self._portal = portal
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value) and type(value).__module__.startswith("cadenza_client._resources"):
            return BlockingClient(self._portal, value)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            async def run() -> Any:
                found = value(*args, **kwargs)
                if inspect.isawaitable(found):
                    return await found
                if hasattr(found, "__aiter__"):
                    return iter([item async for item in found])
                return found

            return self._portal.call(run)

        return call


Open = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def open_client(request: pytest.FixtureRequest) -> Iterator[Open]:
    """`open_client(url, **arguments)`: a client of either kind, closed at the end.

    Tries again only where a test asks for it, and never waits between tries.
    """
    opened: list[Any] = []
    if request.param == "sync":

        def open_sync(url: str, **arguments: Any) -> Any:
            arguments.setdefault("sleep", lambda _seconds: None)
            client = CadenzaClient(url, **_defaults(arguments))
            opened.append(client)
            return client

        yield open_sync
        for client in opened:
            client.close()
        return
    with anyio.from_thread.start_blocking_portal("asyncio") as portal:

        def open_async(url: str, **arguments: Any) -> Any:
            pause = arguments.pop("sleep", lambda _seconds: None)

            async def sleep(seconds: float) -> None:
                pause(seconds)

            client = AsyncCadenzaClient(url, sleep=sleep, **_defaults(arguments))
            opened.append(client)
            return BlockingClient(portal, client)

        yield open_async
        for client in opened:
            portal.call(client.close)


def _defaults(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"timeout": QUICK, "retry": RetryPolicy.none(), "env": {}, **arguments}


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """`serve(script, ...)`: a raw server; a script that fails fails the test."""
    servers: list[RawServer] = []

    def start(*scripts: Script, **options: Any) -> RawServer:
        server = RawServer(list(scripts), **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
    faults = [fault for server in servers for fault in server.faults]
    if faults:
        raise faults[0]


@pytest.fixture
def tls_env() -> dict[str, str]:
    """An environment that trusts the test authority."""
    return {"SSL_CERT_FILE": str(CERTIFICATES / "authority.pem")}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three megabytes that are not all the same."""
    path = tmp_path / "take.mp4"
    path.write_bytes(bytes(range(256)) * (3 * 4096))
    return path
