"""The event stream, over a real socket and between real processes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.types import Message

from cadenza_server import feed as feed_module
from cadenza_server.announcements import Announcement
from cadenza_server.database import Database
from cadenza_server.errors import ApiError
from cadenza_server.event_stream import EventStream
from cadenza_server.feed import MAX_PER_USER, MAX_WAITING, EventFeed, Frame, Listener
from cadenza_server.outbox import announce, prune
from cadenza_server.serving import RunningServer, run_in_thread
from tests.server.databases import ON_SQLITE
from tests.server.world import START, World

_SECONDS = 10.0


class Stream:
    """A client of the stream that keeps what it hears."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next event (of this type): id, event, data, and the comments before it."""
        while True:
            fields: dict[str, Any] = {}
            for line in self._lines:
                if not line:
                    break
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                raise EOFError
            if "data" in fields and kind in (None, fields["event"]):
                return {**fields, "data": json.loads(fields["data"])}

    def rest(self) -> list[str]:
        return [line for line in self._lines if line]


@contextmanager
def _listening(
    server: RunningServer | str, world: World, who: str, after: int | None = None, **headers: str
) -> Iterator[Stream]:
    url = server if isinstance(server, str) else server.url
    headers |= {"Authorization": f"Bearer dev_token_user_{world.people[who]}"}
    params = {} if after is None else {"after": after}
    with (
        httpx.Client(timeout=_SECONDS) as client,
        client.stream("GET", f"{url}/events/stream", headers=headers, params=params) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Stream(response)


def _say(db: Database, world: World, *people: str, times: int = 1) -> None:
    audience = frozenset(world.people[who] for who in people)
    with db.writing() as session:
        announce(
            session,
            START,
            *[
                Announcement("submission.ready", None, audience, uuid4(), {"n": number})
                for number in range(times)
            ],
        )


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ── what it says ───────────────────────────────────────────────────────────────


def test_a_change_reaches_those_it_concerns(world: World, running: RunningServer) -> None:
    with _listening(running, world, "teacher") as teacher:
        assert teacher.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert teacher.response.headers["cache-control"] == "no-store"
        assert "content-length" not in teacher.response.headers
        with httpx.Client(base_url=running.url) as client:
            answer = client.post(
                "/video-submissions",
                json=world.take(),
                headers={"Authorization": f"Bearer dev_token_user_{world.people['student']}"},
            )
        submission_id = answer.json()["submission"]["id"]
        event = teacher.next()

    assert event["event"] == "submission.created"
    assert int(event["id"]) > 0
    assert event["data"] == {
        "id": event["data"]["id"],
        "type": "submission.created",
        "timestamp": "2026-11-20T17:00:00Z",
        "data": {"submission_id": submission_id, "user_id": world.people["student"]},
    }


def test_nobody_hears_of_others(world: World, running: RunningServer) -> None:
    with _listening(running, world, "other_teacher") as stranger:
        _say(world.services.db, world, "student", "teacher")
        _say(world.services.db, world, "other_teacher")
        first = stranger.next()
    with _listening(running, world, "other_teacher", after=0) as later:
        replayed = later.next()

    assert first["data"]["id"] == replayed["data"]["id"]


def test_who_comes_back_hears_what_happened_meanwhile(world: World, running: RunningServer) -> None:
    db = world.services.db
    with _listening(running, world, "student") as stream:
        _say(db, world, "student")
        seen = stream.next()["id"]
    _say(db, world, "student", times=feed_module.BATCH + 10)

    choices: list[dict[str, Any]] = [{"after": int(seen)}, {"Last-Event-ID": seen}]
    for options in choices:
        with _listening(running, world, "student", **options) as stream:
            numbers = [stream.next()["data"]["data"]["n"] for _ in range(feed_module.BATCH + 10)]
            assert numbers == list(range(feed_module.BATCH + 10))
            _say(db, world, "student")
            assert stream.next()["data"]["data"]["n"] == 0  # and live again, nothing twice


def test_without_a_number_it_begins_now(world: World, running: RunningServer) -> None:
    _say(world.services.db, world, "student")
    choices: list[dict[str, Any]] = [
        {},
        {"Last-Event-ID": "not ours"},
        {"Last-Event-ID": "9" * 30},
    ]
    for headers in choices:
        with _listening(running, world, "student", **headers) as stream:
            _say(world.services.db, world, "student", times=2)
            assert [stream.next()["data"]["data"]["n"] for _ in range(2)] == [0, 1]


def test_who_was_away_too_long_is_told_to_start_again(world: World, running: RunningServer) -> None:
    db = world.services.db
    _say(db, world, "student", times=3)
    world.clock.advance(days=40)
    prune(db, world.clock())
    with db.writing() as session:
        announce(session, world.clock(), *_one(world, "student"))

    with _listening(running, world, "student", after=1) as stream:
        reset = stream.next()
        assert reset["event"] == "stream.reset"
        assert reset["data"] == {"after": 1}
    with _listening(running, world, "student", after=999) as stream:
        assert stream.next()["event"] == "stream.reset"  # a restored backup
    with _listening(running, world, "student", after=int(reset["id"]) - 1) as stream:
        assert stream.next()["event"] == "submission.ready"


def _one(world: World, who: str) -> list[Announcement]:
    return [Announcement("submission.ready", None, frozenset({world.people[who]}), uuid4(), {})]


def test_strangers_hear_nothing(running: RunningServer) -> None:
    answer = httpx.get(f"{running.url}/events/stream")

    assert answer.status_code == 401


# ── several processes ──────────────────────────────────────────────────────────

_OTHER = """
import os, sys
from datetime import UTC, datetime
from uuid import uuid4
from cadenza_server.database import Database
from cadenza_server.announcements import Announcement
from cadenza_server.outbox import announce
db = Database(os.environ["OTHER_DB"])
print("ready", flush=True)
for line in sys.stdin:
    with db.writing() as session:
        announce(session, datetime.now(UTC),
            Announcement("submission.ready", None, frozenset({int(line)}), uuid4(), {}))
"""


@contextmanager
def _other_process(world: World) -> Iterator[Callable[[int], None]]:
    url = world.services.db.engine.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OTHER_DB": url},
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        stdin = other.stdin

        def write(user_id: int) -> None:
            stdin.write(f"{user_id}\n")
            stdin.flush()

        yield write
        stdin.close()
        assert other.wait(_SECONDS) == 0


def test_a_change_in_another_process_arrives_within_a_second(
    world: World, running: RunningServer
) -> None:
    took = []
    with (
        _other_process(world) as write,
        _listening(running, world, "student") as stream,
    ):
        for _ in range(5):
            started = time.monotonic()
            write(world.people["student"])
            stream.next()
            took.append(time.monotonic() - started)

    assert max(took) < 1, took


def test_readers_miss_nothing_whoever_commits_first(world: World) -> None:
    # Writers with a database each, as in several processes, that commit when they like, and one
    # who reads by number. If a lower number could become visible after a higher one, it would be
    # passed by.
    url = world.services.db.engine.url.render_as_string(hide_password=False)
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        feed = EventFeed(world.services.db)
        after = 0
        while True:
            finished = done.is_set()
            frames = feed._frames_after(after)
            for frame in frames:
                seen.append(frame.seq)
                after = frame.seq
            if finished and not frames:
                return

    def write(number: int) -> None:
        with closing(Database(url)) as db:
            for turn in range(20):
                with db.writing() as session:
                    announce(session, START, *_one(world, "student"))
                    # The number is given; the commit comes later, for some much later.
                    time.sleep(0.01 if (turn + number) % 3 else 0)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()

    assert len(seen) == 80
    assert seen == sorted(seen)


# ── ends ───────────────────────────────────────────────────────────────────────


@ON_SQLITE
def test_a_server_that_stops_ends_its_streams_at_once(world: World) -> None:
    server = run_in_thread(world.app)
    with _listening(server, world, "student") as stream:
        _wait_until(lambda: world.services.feed.listener_count == 1)
        started = time.monotonic()
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert stream.rest() == ["retry: 2000"]  # a clean end, no broken chunk
        stopper.join()
        assert time.monotonic() - started < 1.5  # uvicorn would have waited 2 s and cancelled


def test_nobody_there_nothing_is_read(world: World, running: RunningServer) -> None:
    feed = world.services.feed
    with _listening(running, world, "student") as stream:
        _say(world.services.db, world, "student")
        stream.next()
        assert feed._reading is not None
    _wait_until(lambda: feed.listener_count == 0)

    assert feed._reading is None
    assert not feed._per_user


def test_one_user_can_not_take_all_streams(world: World) -> None:
    async def join_many() -> None:
        feed = world.services.feed
        listeners = [(await feed.join(1))[0] for _ in range(MAX_PER_USER)]
        with pytest.raises(ApiError, match="rate_limited"):
            await feed.join(1)
        feed.leave((await feed.join(2))[0])
        feed.leave(listeners[0])
        await feed.join(1)

    asyncio.run(join_many())


def test_a_listener_that_does_not_read_is_let_go(world: World) -> None:
    async def fill() -> None:
        listener = Listener(7)
        for seq in range(MAX_WAITING):
            listener.offer(Frame(seq, frozenset({7}), b"x"))
        listener.offer(Frame(998, frozenset({8}), b"not for him"))
        assert not listener.is_over
        listener.offer(Frame(999, frozenset({7}), b"x"))
        assert listener.is_over
        assert await listener.take(1) == b""  # and nothing of it stays in memory
        listener.offer(Frame(1000, frozenset({7}), b"x"))
        assert await listener.take(1) == b""

    asyncio.run(fill())


class _Client:
    """An ASGI client that reads as long as it likes."""

    def __init__(self, reads: int) -> None:
        self.messages: list[Message] = []
        self._reads = reads
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        if not self.messages:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.messages) >= self._reads:
            await asyncio.sleep(60)
        self.messages.append(message)
        if b"still here" in message.get("body", b""):
            self._gone.set()


def test_a_sign_of_life_comes_when_nothing_else_does(world: World) -> None:
    async def listen() -> list[Message]:
        client = _Client(reads=100)
        stream = EventStream(world.services.feed, 1, None, heartbeat_seconds=0.01)
        await asyncio.wait_for(stream({}, client.receive, client.send), _SECONDS)
        return client.messages

    messages = asyncio.run(listen())
    assert messages[1]["body"] == b"retry: 2000\n\n"
    assert messages[2]["body"] == b": still here\n\n"


def test_a_reader_that_takes_nothing_is_given_up(world: World) -> None:
    async def listen() -> list[Message]:
        client = _Client(reads=2)
        stream = EventStream(
            world.services.feed, 1, None, heartbeat_seconds=0.01, send_seconds=0.05
        )
        await asyncio.wait_for(stream({}, client.receive, client.send), _SECONDS)
        return client.messages

    messages = asyncio.run(listen())
    assert len(messages) == 2  # no end was sent: the server closes the connection
    assert world.services.feed.listener_count == 0


def test_joining_a_closed_feed_ends_at_once(world: World) -> None:
    async def join() -> None:
        feed = world.services.feed
        feed.close()
        listener, _, _ = await feed.join(1)
        assert listener.is_over
        feed.leave(listener)

    asyncio.run(join())


def test_a_failure_to_look_gives_the_place_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = world.services.feed

    def fail() -> tuple[int, int]:
        raise OSError("the disk is away")

    monkeypatch.setattr(feed, "_bounds", fail)

    async def join() -> None:
        with pytest.raises(OSError, match="away"):
            await feed.join(1)

    asyncio.run(join())
    assert not feed._per_user


def test_a_database_that_fails_for_a_while_does_not_end_streams(
    world: World, running: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = world.services.feed
    real, failures = feed._frames_after, iter([True, True])

    def flaky(after: int) -> Any:
        if next(failures, False):
            raise OSError("the disk is away")
        return real(after)

    with _listening(running, world, "student") as stream:
        _wait_until(lambda: feed.listener_count == 1)
        monkeypatch.setattr(feed, "_frames_after", flaky)
        _say(world.services.db, world, "student")
        assert stream.next()["event"] == "submission.ready"


def test_a_client_that_vanishes_is_forgotten(world: World, running: RunningServer) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        token = f"dev_token_user_{world.people['student']}"
        request = f"GET /events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        connection.sendall(request.encode())
        _wait_until(lambda: world.services.feed.listener_count == 1)

    with suppress(TimeoutError):
        _wait_until(lambda: world.services.feed.listener_count == 0)
    assert world.services.feed.listener_count == 0
