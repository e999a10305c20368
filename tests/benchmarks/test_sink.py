"""The sink speaks enough HTTP for every sender, and ends with its context."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.sink import sink


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sink() as address:
        yield address


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    return socket.create_connection((address.hostname, address.port), timeout=10)


def test_two_uploads_fit_one_connection(url: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for size in (0, 3_000_000):
            assert client.put(f"{url}/take", content=bytes(size)).status_code == 200


def test_it_asks_for_the_body_only_when_it_was_asked_to(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"take")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_comes_with_its_head_is_counted(url: str) -> None:
    with connect(url) as connection:
        one = b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\ntake"
        connection.sendall(one + one)
        answers = b""
        while answers.count(b"200 OK") < 2:
            received = connection.recv(1000)
            assert received, "only one of two requests was answered"
            answers += received


def test_a_body_without_a_length_is_refused(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 411 ")


def test_it_is_gone_when_its_context_ends() -> None:
    with sink() as url:
        connect(url).close()
    with pytest.raises(ConnectionRefusedError):
        connect(url)
