"""A test that reaches for the network fails, however it reaches and whatever it survives."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing, suppress

import httpx
import pytest

_ELSEWHERE = "192.0.2.1"  # nobody's (RFC 5737)


def _connects() -> None:
    with closing(socket.socket()) as client:
        client.connect((_ELSEWHERE, 9))


def _connects_without_raising() -> None:
    with closing(socket.socket()) as client:
        client.connect_ex((_ELSEWHERE, 9))


def _sends() -> None:
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as client:
        client.sendto(b"", (_ELSEWHERE, 9))


def _looks_up() -> None:
    socket.getaddrinfo("example.org", 80)


def _asks_asynchronously() -> None:
    async def connect() -> None:
        with closing(socket.socket()) as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, (_ELSEWHERE, 9))

    asyncio.run(connect())


def _asks_and_swallows() -> None:
    with suppress(BaseException):
        httpx.get("http://example.org/", timeout=0.1)


@pytest.mark.parametrize(
    "reach",
    [_connects, _connects_without_raising, _sends, _looks_up, _asks_asynchronously],
)
def test_it_is_stopped(reach: Callable[[], None], outside_attempts: list[str]) -> None:
    with pytest.raises(pytest.fail.Exception, match="reached for the network"):
        reach()
    assert outside_attempts
    outside_attempts.clear()


def test_it_is_told_on_even_when_it_survives(outside_attempts: list[str]) -> None:
    _asks_and_swallows()
    assert outside_attempts == ["socket.getaddrinfo example.org"]
    outside_attempts.clear()


def test_this_machine_is_free_to_all() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
