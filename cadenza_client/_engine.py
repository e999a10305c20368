"""What both clients are made of: everything but the waiting.

`Engine` turns a `Call` into an `httpx.Request` and raw answer bytes into a result, keeps the clock
offset, and knows the retry decision for a call. The two thin engines add the sending, in
`_sync.py` and `_async.py`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import tenacity

from cadenza_client._answers import check_answer
from cadenza_client._auth import Bearer
from cadenza_client._call import Answer, Call
from cadenza_client._config import ClientConfig
from cadenza_client._headers import http_date, lowered, media_type
from cadenza_client._retry import Decide, Wait, decide_call
from cadenza_client._wire._exchange import Exchange
from cadenza_client.errors import APIError, ResponseError

__all__ = ["Engine"]

T = TypeVar("T")

_log = logging.getLogger("cadenza_client")


class Engine:
    """The state and the pure work of one client.

    Args:
        config: what the client was told.
        monotonic: a clock in seconds that only goes forward.
        clock: the wall clock, in seconds since the epoch.
        chance: a number from 0 to 1, for jitter.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.config = config
        self.bearer = Bearer(config.tokens)
        self.clock_offset_seconds: float | None = None
        self._monotonic = monotonic
        self._clock = clock
        self._chance = chance

    # ── the request ────────────────────────────────────────────────────────────────────────────

    def exchange_for(self, call: Call[Any]) -> Exchange:
        """Patience for one API request: a limit on the whole of it."""
        return Exchange(
            monotonic=self._monotonic,
            idle_seconds=self.config.timeouts.idle_seconds,
            deadline=self._monotonic() + self.seconds_for(call),
        )

    def exchange_for_stream(self, call: Call[Any]) -> Exchange:
        """Patience for an answer without an end: only silence counts."""
        return Exchange(monotonic=self._monotonic, idle_seconds=self.seconds_for(call))

    def seconds_for(self, call: Call[Any]) -> float:
        """How long one try of a call may take, connecting included."""
        timeouts = self.config.timeouts
        reply = timeouts.api_seconds if call.reply_seconds is None else call.reply_seconds
        return timeouts.connect_seconds + reply

    def request_for(self, call: Call[Any], token: str | None) -> httpx.Request:
        """The request, with the token only where the call wants it; always to the API's origin."""
        timeouts = self.config.timeouts
        headers = {
            "Accept": call.accept,
            # An answer we can bound the size of; a few kilobytes are not worth a bomb (S12).
            "Accept-Encoding": "identity",
            "User-Agent": self.config.user_agent,
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        headers.update(call.headers)
        return httpx.Request(
            call.method,
            self.config.api.url(call.path),
            params=call.query or None,
            headers=headers,
            content=call.body,
            extensions={
                "timeout": {
                    "connect": timeouts.connect_seconds,
                    "pool": timeouts.connect_seconds,
                    "read": self.seconds_for(call),
                    "write": timeouts.idle_seconds,
                }
            },
        )

    # ── the answer ─────────────────────────────────────────────────────────────────────────────

    def room_left(self, call: Call[Any], body: bytearray) -> None:
        """Stop reading an answer that is longer than any honest one (S12)."""
        if len(body) > call.max_answer_bytes:
            raise ResponseError(f"the answer is longer than {call.max_answer_bytes} bytes")

    def result(self, call: Call[T], response: httpx.Response, body: bytes) -> T:
        """The result of a call, or the error it stands for."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        headers = lowered(response.headers.items())
        request_id = headers.get("x-request-id")
        _log.debug(
            "api.answer",
            extra={
                "method": call.method,
                "path": call.path,
                "status_code": response.status_code,
                "request_id": request_id,
            },
        )
        try:
            check_answer(response.status_code, headers, body, now=now, accept=call.accept)
        except APIError:
            self._compare_clocks(headers.get("date"), now)
            raise
        result = call.read(
            Answer(
                status_code=response.status_code,
                headers=headers,
                body=body,
                received_at=now,
                received_at_monotonic=self._monotonic(),
                api=self.config.api,
            )
        )
        self._compare_clocks(headers.get("date"), now)
        return result

    def is_stream(self, call: Call[Any], response: httpx.Response) -> bool:
        """Whether the answer is the stream that was asked for, and not a refusal or a page."""
        kind = media_type(lowered(response.headers.items()))
        return response.status_code == 200 and kind == call.accept

    def _compare_clocks(self, date: str | None, now: datetime) -> None:
        # Only after the answer turned out to be the API's: a login page has a clock as well.
        server = http_date(date)
        if server is not None:
            # The header names a whole second that has begun; on average half of it is over.
            self.clock_offset_seconds = (server - now).total_seconds() + 0.5

    # ── trying again ───────────────────────────────────────────────────────────────────────────

    def decision_for(self, call: Call[Any]) -> Decide:
        """When to repeat a call."""

        def decide(error: BaseException, attempts: int) -> Wait | None:
            return decide_call(
                error, attempts, idempotent=call.idempotent, policy=self.config.retry
            )

        return decide

    def seconds_of(self, wait: Wait) -> float:
        """How long to wait, with chance in it."""
        return wait.least_seconds + wait.spread_seconds * self._chance()

    def retry_arguments(self, decide: Decide) -> dict[str, Any]:
        """Tenacity's settings for a decision: it asks whether, then how long, then waits."""

        def wanted(state: tenacity.RetryCallState) -> Wait | None:
            error = None if state.outcome is None else state.outcome.exception()
            return None if error is None else decide(error, state.attempt_number)

        def wait(state: tenacity.RetryCallState) -> float:
            found = wanted(state)
            assert found is not None
            return self.seconds_of(found)

        def about_to_wait(state: tenacity.RetryCallState) -> None:
            error = None if state.outcome is None else state.outcome.exception()
            _log.info(
                "retry",
                extra={
                    "attempt": state.attempt_number,
                    "reason": str(error),
                    "wait_seconds": round(state.upcoming_sleep, 3),
                },
            )

        def again(state: tenacity.RetryCallState) -> bool:
            return wanted(state) is not None

        return {
            "retry": again,
            "wait": wait,
            "stop": tenacity.stop_never,
            "before_sleep": about_to_wait,
            "reraise": True,
        }
