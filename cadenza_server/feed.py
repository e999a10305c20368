"""The feed: new rows of the outbox, handed to whoever listens in this process.

One task reads for all listeners, and only while there are any. On PostgreSQL it is woken by
`NOTIFY`; on SQLite, where another process can't wake us, it looks five times a second, which is
one lookup in an index. A listener that doesn't take what it is given is let go: it comes back with
`Last-Event-ID` and reads what it missed from the database, not from our memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple

from sqlalchemy import bindparam, func, select

from cadenza_server.database import Database
from cadenza_server.errors import ApiError
from cadenza_server.outbox import CHANNEL, wire_event
from cadenza_server.tables import metadata

log = logging.getLogger("cadenza.server")

POLL_SECONDS = 0.2
#: On PostgreSQL: how long one goes by NOTIFY alone; a lost wake-up costs no more than this.
WAKE_SECONDS = 5.0
BATCH = 200
#: Frames that wait for one listener. A frame is some 300 bytes and shared by all who get it.
MAX_WAITING = 256
MAX_PER_USER = 20

_EVENTS = metadata.tables["events"]
_NEXT = (
    select(_EVENTS)
    .where(_EVENTS.c.seq > bindparam("after"))
    .order_by(_EVENTS.c.seq)
    .limit(bindparam("batch"))
)
_BOUNDS = select(
    func.coalesce(func.min(_EVENTS.c.seq), 0), func.coalesce(func.max(_EVENTS.c.seq), 0)
)


class Frame(NamedTuple):
    """One event, as the stream sends it."""

    seq: int
    audience: frozenset[int]
    text: bytes


class Listener:
    """One open stream: frames go in at one end and come out at the other."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.is_over = False
        self._frames: deque[bytes] = deque()
        self._ready = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Hand over a frame, if it may be heard; a listener that is too far behind is let go."""
        if self.user_id not in frame.audience or self.is_over:
            return
        if len(self._frames) >= MAX_WAITING:
            log.info("slow_listener_dropped", extra={"user_id": self.user_id})
            self.end()
            return
        self._frames.append(frame.text)
        self._ready.set()

    def end(self) -> None:
        """Let go: what waits is dropped, and `take` answers at once."""
        self.is_over = True
        self._frames.clear()
        self._ready.set()

    async def take(self, timeout_seconds: float) -> bytes:
        """All that waits; empty after the time-out, or when it is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), timeout_seconds)
        text = b"".join(self._frames)
        self._frames.clear()
        if not self.is_over:
            self._ready.clear()
        return text


class EventFeed:
    """New events for the listeners of one process.

    Args:
        db: where the outbox is.
        poll_seconds: how often SQLite is looked at.
    """

    def __init__(self, db: Database, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._db = db
        self._poll_seconds = poll_seconds
        self._listeners: set[Listener] = set()
        self._per_user: Counter[int] = Counter()
        self._reading: asyncio.Task[None] | None = None
        self._seq = 0
        self._is_closed = False

    @property
    def listener_count(self) -> int:
        """How many listen at this moment."""
        return len(self._listeners)

    async def join(self, user_id: int) -> tuple[Listener, int, int]:
        """Listen from now on.

        Returns:
            The listener; the number of the oldest event that is kept and of the newest one that
            it will not be given.

        Raises:
            ApiError: `rate_limited` with too many streams of one user.
        """
        if self._per_user[user_id] >= MAX_PER_USER:
            raise ApiError("rate_limited", "Too many open event streams.", retry_after_seconds=5)
        self._per_user[user_id] += 1
        listener = Listener(user_id)
        try:
            oldest, newest = await asyncio.to_thread(self._bounds)
        except BaseException:
            self._forget(user_id)
            raise
        if self._is_closed:
            listener.end()
        # No await from here to the end: nothing is handed out between the two lines that follow.
        if self._reading is None:
            self._seq = newest
        self._listeners.add(listener)
        if self._reading is None and not self._is_closed:
            self._reading = asyncio.create_task(self._read(), name="cadenza-feed")
        return listener, oldest, self._seq

    def leave(self, listener: Listener) -> None:
        """Listen no more; nobody left, nothing is read."""
        listener.end()
        self._listeners.discard(listener)
        self._forget(listener.user_id)
        if not self._listeners and self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def replay(self, user_id: int, after: int, up_to: int) -> AsyncIterator[bytes]:
        """What this user missed, in pieces; from the database."""
        while after < up_to:
            frames = await asyncio.to_thread(self._frames_after, after)
            if not frames:
                return
            text = b"".join(
                frame.text for frame in frames if user_id in frame.audience and frame.seq <= up_to
            )
            after = frames[-1].seq
            if text:
                yield text

    def close(self) -> None:
        """End every stream: the server is shutting down. To be called on the event loop."""
        self._is_closed = True
        for listener in self._listeners:
            listener.end()

    async def _read(self) -> None:
        wait = self._poll if self._db.is_sqlite else self._wait_for_notify
        while True:
            try:
                # Closed at once when we are cancelled: it may hold a connection.
                async with aclosing(wait()) as wakes:
                    async for _ in wakes:
                        await self._hand_out()
            except Exception:
                log.warning("feed_interrupted", exc_info=True)
                await asyncio.sleep(1)

    async def _hand_out(self) -> None:
        # asyncio's own threads: the loop waits for them at its end, whoever was cancelled, so no
        # connection is left open.
        while frames := await asyncio.to_thread(self._frames_after, self._seq):
            for frame in frames:
                self._seq = frame.seq
                for listener in self._listeners:
                    listener.offer(frame)

    async def _poll(self) -> AsyncGenerator[None, None]:
        while True:
            yield
            await asyncio.sleep(self._poll_seconds)

    async def _wait_for_notify(self) -> AsyncGenerator[None, None]:
        from psycopg import AsyncConnection

        url = self._db.engine.url.set(drivername="postgresql")
        dsn = url.render_as_string(hide_password=False)
        connection = await AsyncConnection.connect(dsn, autocommit=True)
        try:
            await connection.execute(f"LISTEN {CHANNEL}")
            while True:
                yield  # at first too: something may have come before we listened
                async for _ in connection.notifies(timeout=WAKE_SECONDS, stop_after=1):
                    pass
        finally:
            # Closed without waiting: we may be cancelled again on the way out, at a shutdown.
            connection.pgconn.finish()

    def _bounds(self) -> tuple[int, int]:
        with self._db.reading() as session:
            oldest, newest = session.core.execute(_BOUNDS).one()
        return oldest, newest

    def _frames_after(self, after: int) -> Sequence[Frame]:
        with self._db.reading() as session:
            rows = session.core.execute(_NEXT, {"after": after, "batch": BATCH}).all()
        return [
            Frame(
                row.seq,
                frozenset(row.audience),
                frame_text(row.seq, row.type, wire_event(row.id, row.type, row.at, row.data)),
            )
            for row in rows
        ]

    def _forget(self, user_id: int) -> None:
        self._per_user[user_id] -= 1
        if self._per_user[user_id] <= 0:
            del self._per_user[user_id]


def frame_text(seq: int, event: str, data: object) -> bytes:
    """One event of the SSE format. JSON has no line breaks, so one `data:` line holds it."""
    return (
        f"id: {seq}\nevent: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
    )
