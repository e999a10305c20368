"""One open event stream: what was missed, then what happens, with a sign of life in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cadenza_server.feed import EventFeed, Listener, frame_text

HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2000
#: A reader that takes nothing for so long is gone, or does not read.
SEND_SECONDS = 30.0
#: Then the client comes back and is asked for its token again.
LIFE_SECONDS = 3600.0
_HEARTBEAT = b": still here\n\n"


class EventStream(Response):
    """An SSE answer.

    Args:
        feed: where events come from.
        user_id: whose.
        after: the last number the client has seen; None for what happens from now on.
        heartbeat_seconds: how long it may be silent.
        send_seconds: how long a reader may take to accept something.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        feed: EventFeed,
        user_id: int,
        after: int | None,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        # Proxies that buffer would turn "within a second" into "some time later".
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._user_id = user_id
        self._after = after
        self._heartbeat_seconds = heartbeat_seconds
        self._send_seconds = send_seconds
        self.background: BackgroundTask | None = None

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - the signature is ASGI's
        receive: Receive,
        send: Send,
    ) -> None:
        """Send events until one side has enough."""
        listener, oldest, newest = await self._feed.join(self._user_id)
        gone = asyncio.create_task(_end_when_gone(receive, listener))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._send(send, f"retry: {RETRY_MS}\n\n".encode())
            async for text in self._texts(listener, oldest, newest):
                await self._send(send, text)
            await self._send(send, b"", more=False)
        except TimeoutError:
            # Returning without an end closes the connection, which is what it needs.
            return
        finally:
            gone.cancel()
            self._feed.leave(listener)

    async def _texts(self, listener: Listener, oldest: int, newest: int) -> AsyncIterator[bytes]:
        after = newest if self._after is None else self._after
        if after > newest or after < oldest - 1:
            # It has seen numbers we don't have (a restored backup), or is away for longer than
            # events are kept. Only loading everything again helps, and it has to be told.
            after = newest
            yield frame_text(newest, "stream.reset", {"after": self._after})
        async for text in self._feed.replay(self._user_id, after, newest):
            yield text
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + LIFE_SECONDS
        while not listener.is_over and loop.time() < ends_at:
            text = await listener.take(self._heartbeat_seconds)
            if not listener.is_over:
                yield text or _HEARTBEAT

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        message: dict[str, Any] = {"type": "http.response.body", "body": body, "more_body": more}
        await asyncio.wait_for(send(message), self._send_seconds)


async def _end_when_gone(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()
