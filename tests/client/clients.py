"""Clients of both kinds behind one face, so that a test holds for both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import anyio.from_thread
import pytest

from cadenza_client import AsyncCadenzaClient, CadenzaClient, RetryPolicy, Timeouts

QUICK = Timeouts(
    connect_seconds=5, api_seconds=5, idle_seconds=5, reply_seconds=5, continue_seconds=1
)


class BlockingClient:
    """An `AsyncCadenzaClient` on an event loop in another thread, called like the synchronous one.

    What a test says of one client then holds for both. Lists are drained at once, a stream, which
    has no end, item by item.
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
                if hasattr(found, "__aiter__") and name != "stream":
                    return iter([item async for item in found])
                return found

            found = self._portal.call(run)
            return Streaming(self._portal, found) if name == "stream" else found

        return call


class Streaming:
    """An asynchronous iterator, called like a generator."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal, inner: Any) -> None:
        self._portal = portal
        self._inner = inner

    def __iter__(self) -> Streaming:
        return self

    def __next__(self) -> Any:
        async def one() -> Any:
            return await anext(self._inner, self)

        found = self._portal.call(one)
        if found is self:
            raise StopIteration
        return found

    def close(self) -> None:
        self._portal.call(self._inner.aclose)


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
