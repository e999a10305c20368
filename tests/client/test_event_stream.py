"""The stream of events over real sockets, in both clients."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from cadenza_client import (
    AuthenticationError,
    ConnectFailedError,
    NotFoundError,
    RequestTimeoutError,
    ResponseError,
    RetryPolicy,
    Timeouts,
)
from cadenza_client._endpoints import live
from tests.client.raw_server import Connection, RawServer, always, answer
from tests.client.test_following import event

Open = Callable[..., Any]
Serve = Callable[..., RawServer]
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
)


def sending(*parts: bytes, seen: list[str | None] | None = None) -> Callable[[Connection], None]:
    """Answer with a stream of these parts, then end it."""

    def script(connection: Connection) -> None:
        head, _ = connection.request()
        assert head.target == "/events/stream"
        assert head.headers["accept"] == "text/event-stream"
        assert head.headers["authorization"] == "Bearer t0ken"
        if seen is not None:
            seen.append(head.headers.get("last-event-id"))
        connection.send(HEAD)
        for part in parts:
            connection.send(part)

    return script


def once(data: bytes) -> Callable[[Connection], None]:
    """Answer one request, then hang up."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(data)

    return script


def test_events_come_out_as_they_happen(open_client: Open, serve: Serve) -> None:
    go_on = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(HEAD + b"retry: 10\n\n: hello\n\n" + event(1))
        assert go_on.wait(10)
        connection.send(event(2))
        connection.drain()

    stream = open_client(serve(script).url, token="t0ken").events.stream()
    assert next(stream).seq == 1
    go_on.set()
    assert next(stream).seq == 2
    stream.close()


def test_a_caller_who_has_enough_closes_the_connection(open_client: Open, serve: Serve) -> None:
    left = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(HEAD + event(1))
        connection.drain()
        left.set()

    stream = open_client(serve(script).url, token="t0ken").events.stream()
    next(stream)
    stream.close()
    assert left.wait(10)


def test_a_stream_that_ends_goes_on_after_the_last_event(open_client: Open, serve: Serve) -> None:
    asked: list[str | None] = []
    waits: list[float] = []
    server = serve(
        sending(event(1) + event(2), seen=asked),
        sending(event(3)[:30], seen=asked),
        sending(event(3), seen=asked),
    )
    client = open_client(server.url, token="t0ken", sleep=waits.append, random=lambda: 0.5)
    stream = client.events.stream(after=0)
    assert [one.seq for one in islice(stream, 3)] == [1, 2, 3]
    stream.close()
    assert asked == ["0", "2", "2"]
    assert waits == [2.5, 2.5]


def test_a_server_that_is_away_for_a_while_is_waited_for(open_client: Open, serve: Serve) -> None:
    server = serve(
        sending(event(1)),
        lambda connection: connection.reset(),
        # It says that it hangs up: else the next request may meet a kept connection that is dead.
        once(answer("503 Service Unavailable", b"{}", headers="Connection: close\r\n")),
        sending(event(2)),
    )
    waits: list[float] = []
    client = open_client(server.url, token="t0ken", sleep=waits.append, random=lambda: 0.0)
    stream = client.events.stream()
    assert [one.seq for one in islice(stream, 2)] == [1, 2]
    stream.close()
    assert len(waits) == 3


def test_one_connection_is_enough_for_who_says_so(open_client: Open, serve: Serve) -> None:
    client = open_client(serve(sending(event(1), event(2))).url, token="t0ken")
    stream = client.events.stream(reconnect=False, types=["message.*"])
    assert [one.seq for one in stream] == [1, 2]


def test_nobody_there_at_the_beginning_is_an_error(open_client: Open, serve: Serve) -> None:
    server = serve(always(b""))
    server.stop()
    waits: list[float] = []
    client = open_client(
        server.url, token="t0ken", sleep=waits.append, retry=RetryPolicy(attempts=2)
    )
    with pytest.raises(ConnectFailedError):
        next(client.events.stream())
    assert len(waits) == 1


def test_silence_longer_than_three_heartbeats_is_a_dead_connection(
    open_client: Open, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_SILENCE_SECONDS", 0.2)
    quick = Timeouts(
        connect_seconds=0.1, api_seconds=5, idle_seconds=5, reply_seconds=5, continue_seconds=1
    )

    def silent(connection: Connection) -> None:
        connection.request()
        connection.send(HEAD + event(1))
        connection.drain()

    client = open_client(serve(silent).url, token="t0ken", timeout=quick)
    stream = client.events.stream(reconnect=False)
    assert next(stream).seq == 1
    with pytest.raises(RequestTimeoutError):
        next(stream)


def test_a_refusal_is_the_apis_own_error(open_client: Open, serve: Serve) -> None:
    refusal = answer("404 Not Found", b'{"detail": "no", "code": "not_found"}')
    with pytest.raises(NotFoundError, match="no"):
        next(open_client(serve(always(refusal)).url, token="t0ken").events.stream())


@pytest.mark.parametrize(
    "reply",
    [
        answer("200 OK", b"{}"),
        answer("200 OK", b"<html><body>Welcome to our hotel</body></html>"),
        answer("204 No Content"),
        answer("302 Found", headers="Location: https://login.example.com/\r\n"),
    ],
)
def test_what_is_no_stream_is_not_read_as_one(
    open_client: Open, serve: Serve, reply: bytes
) -> None:
    with pytest.raises(ResponseError):
        next(open_client(serve(always(reply)).url, token="t0ken").events.stream())


def test_a_compressed_stream_is_refused(open_client: Open, serve: Serve) -> None:
    reply = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    with pytest.raises(ResponseError, match="compressed"):
        next(open_client(serve(once(reply)).url, token="t0ken").events.stream())


class Renewing:
    """A token source that has a newer one."""

    def __init__(self) -> None:
        self.tokens = ["old", "t0ken"]

    def token(self) -> str:
        return self.tokens[0]

    def refresh(self) -> bool:
        return bool(self.tokens.pop(0))


UNKNOWN = answer("401 Unauthorized", b'{"detail": "who?", "code": "unauthorized"}')


def test_a_token_that_is_renewed_is_used(open_client: Open, serve: Serve) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(UNKNOWN)
        sending(event(1))(connection)

    stream = open_client(serve(script).url, token=Renewing()).events.stream()
    assert next(stream).seq == 1
    stream.close()


def test_a_sign_in_that_has_ended_is_said(open_client: Open, serve: Serve) -> None:
    with pytest.raises(AuthenticationError):
        next(open_client(serve(always(UNKNOWN)).url, token="t0ken").events.stream())
