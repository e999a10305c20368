"""The stream that listens while it talks, piece by piece."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._stream import ListeningStream, answer_in

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
FINAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("received", "says"),
    [
        (b"", "nothing"),
        (b"HTTP/1.1 4", "nothing"),
        (b"HTTP/1.1 100 Continue\r", "nothing"),
        (CONTINUE, "continue"),
        (CONTINUE[:-2], "continue"),
        (HINTS, "nothing"),
        (HINTS + CONTINUE, "continue"),
        (CONTINUE + HINTS, "continue"),
        (b"HTTP/1.1 403 F\r\n", "final"),
        (FINAL, "final"),
        (CONTINUE + FINAL, "final"),
        (HINTS + CONTINUE + FINAL, "final"),
        (b"HTTP/1.1 200\r\n", "final"),
        (b"HTTP/1.1 101 Switching Protocols\r\n", "final"),
        (b"HTTP/1.0 500 Oh\r\n", "final"),
        (b"SSH-2.0-x\r\n", "final"),
        (b"\r\n", "final"),
    ],
)
def test_what_an_incomplete_answer_says(received: bytes, says: str) -> None:
    assert answer_in(received) == says
    assert answer_in(bytearray(received)) == says


@given(st.binary(max_size=200))
def test_no_bytes_break_the_look(received: bytes) -> None:
    assert answer_in(received) in ("nothing", "continue", "final")


@given(st.sampled_from([FINAL, CONTINUE + FINAL, HINTS + CONTINUE + FINAL]), st.integers(0, 200))
def test_an_answer_never_gets_less_final_as_it_grows(whole: bytes, cut: int) -> None:
    order = ["nothing", "continue", "final"]
    said = [order.index(answer_in(whole[:n])) for n in range(len(whole) + 1)]
    assert said == sorted(said)


class _Inner(httpcore.NetworkStream):
    """A stream around one end of a socket pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def get_extra_info(self, info: str) -> object:
        return self.sock if info == "socket" else f"inner {info}"

    def close(self) -> None:
        self.sock.close()


@pytest.fixture
def pair() -> Iterator[tuple[ListeningStream, socket.socket]]:
    left, right = socket.socketpair()
    stream = ListeningStream(_Inner(left))
    yield stream, right
    stream.close()
    right.close()


def _exchange(**arguments: float) -> Exchange:
    now = iter(float(n) / 100 for n in range(10_000))
    return Exchange(monotonic=lambda: next(now), idle_seconds=5, reply_seconds=1, **arguments)  # type: ignore[arg-type] # floats and ints


def test_what_came_early_is_read_first(pair: tuple[ListeningStream, socket.socket]) -> None:
    stream, other = pair
    other.sendall(FINAL)
    with _exchange(continue_seconds=1.0).active():
        stream.write(b"PUT /k HTTP/1.1\r\n\r\n")
        with pytest.raises(httpcore.WriteError):
            stream.write(b"body")
        assert stream.get_extra_info("is_readable") is True
        assert stream.read(10) == FINAL[:10]
        assert stream.read(4096) == FINAL[10:]
    assert other.recv(4096) == b"PUT /k HTTP/1.1\r\n\r\n"


def test_an_end_that_came_early_is_an_end(pair: tuple[ListeningStream, socket.socket]) -> None:
    stream, other = pair
    other.shutdown(socket.SHUT_WR)
    with _exchange(continue_seconds=1.0).active():
        stream.write(b"head")
        with pytest.raises(httpcore.WriteError):
            stream.write(b"body")
        assert stream.read(10) == b""
        assert stream.get_extra_info("is_readable") is True


def test_an_empty_write_is_nothing(pair: tuple[ListeningStream, socket.socket]) -> None:
    stream, _ = pair
    stream.write(b"")  # no exchange is needed for it
    assert stream.get_extra_info("server_addr") == "inner server_addr"


def test_a_broken_socket_is_a_write_or_read_error(
    pair: tuple[ListeningStream, socket.socket],
) -> None:
    stream, other = pair
    other.close()
    with _exchange().active():
        with pytest.raises(httpcore.WriteError):
            stream.write(b"head")
        stream._socket.close()
        stream._ended = False
        with pytest.raises(httpcore.ReadError):
            stream.read(10)


def test_what_the_kernel_still_holds_is_not_counted_as_sent() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    seen: list[int] = []
    now = iter(float(n) for n in range(10_000))
    exchange = Exchange(
        monotonic=lambda: next(now),
        idle_seconds=1e9,
        total_bytes=500_000,
        progress=lambda done, _total: seen.append(done),
    )
    stream = ListeningStream(_Inner(near))
    with exchange.active(), far:
        stream.write(b"head")
        stream.write(b"x" * 500_000)  # the other side reads nothing
        assert max(seen, default=0) < 400_000
    stream.close()


def test_where_the_kernel_does_not_say_what_is_in_flight_it_counts_as_gone(
    pair: tuple[ListeningStream, socket.socket],
) -> None:
    stream, _ = pair
    stream._socket.close()
    assert stream._in_flight_bytes() == 0
