"""The asynchronous engine: API requests on the event loop, storage requests in a worker thread.

Why a thread: see `_storage`. The event loop never waits for a disk, a hash or a socket of an
upload; `progress` is called on the event loop; cancelling the task ends the request within a
fraction of a second, and no thread is left behind that still sends.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar, cast

import anyio
import anyio.from_thread
import anyio.to_thread
import httpx
import tenacity

from cadenza_client._call import Call, Download, Flow, Page, PutObject, Repeat, Step, Walk
from cadenza_client._engine import Engine
from cadenza_client._following import Following
from cadenza_client._perform import perform
from cadenza_client._retry import Decide
from cadenza_client._storage import StorageDriver
from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._failures import WIRE_ERRORS, failure
from cadenza_client.errors import AuthenticationError, CadenzaError, RequestTimeoutError
from cadenza_client.models import LiveEvent

__all__ = ["AsyncEngine"]

T = TypeVar("T")

_MOST_THREADS = 32
_LAST_MOMENTS_SECONDS = 5.0


class AsyncEngine:
    """Runs flows on an event loop."""

    def __init__(
        self,
        engine: Engine,
        transport: httpx.AsyncBaseTransport,
        storage: StorageDriver,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._engine = engine
        self._transport = transport
        self._storage = storage
        self._sleep = sleep
        self._threads: anyio.CapacityLimiter | None = None

    async def run(self, flow: Flow[T] | Step[T]) -> T:
        """Do what a flow asks for, step by step, and give its result."""
        steps = iter(flow)
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._do(step)
                except BaseException as error:  # noqa: BLE001 - the flow gets it, whatever it is
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return cast("T", end.value)

    async def iterate(self, first: Call[Page[T]], limit: int | None = None) -> AsyncIterator[T]:
        """The items of a list, page after page as they are asked for."""
        walk, left = Walk(first), limit
        while walk.call is not None and left != 0:
            page = await self.run(walk.call)
            for item in page.items[:left]:
                yield item
            left = None if left is None else max(0, left - len(page.items))
            walk.turn(page)

    async def _do(self, step: Step[Any]) -> Any:
        if isinstance(step, Call):
            call: Call[Any] = step
            return await self._repeat(self._engine.decision_for(call), lambda: self._ask(call))
        if isinstance(step, Repeat):
            repeat: Repeat[Any] = step
            return await self._repeat(repeat.decide, lambda: self.run(repeat.attempt()))
        return await self._in_thread(step)

    async def _repeat(self, decide: Decide, attempt: Callable[[], Awaitable[T]]) -> T:
        async def once() -> T:
            return await attempt()  # tenacity awaits only what it can see to be a coroutine

        arguments = self._engine.retry_arguments(decide)
        return await tenacity.AsyncRetrying(sleep=self._sleep, **arguments)(once)

    async def _ask(self, call: Call[T]) -> T:
        """One API request, and once more if a 401 can be cured by a new token (S05)."""
        if not call.authenticated:
            return await self._exchange(call, None)
        bearer = self._engine.bearer
        token = bearer.current()
        try:
            return await self._exchange(call, token)
        except AuthenticationError:
            # A refresh is a request of the token source's own, and blocks.
            if not await anyio.to_thread.run_sync(bearer.renewed_since, token):
                raise
        return await self._exchange(call, bearer.current())

    async def _exchange(self, call: Call[T], token: str | None) -> T:
        request = self._engine.request_for(call, token)
        exchange = self._engine.exchange_for(call)
        request.extensions["trace"] = exchange.trace_async
        origin = self._engine.config.api.origin
        failed: CadenzaError
        with exchange.active():
            try:
                with anyio.fail_after(self._engine.seconds_for(call)):
                    response, body = await self._receive(call, request)
                return self._engine.result(call, response, body)
            except TimeoutError:
                # The whole took too long although something kept moving (N14).
                failed = RequestTimeoutError(
                    f"{origin} did not answer in time", sent=exchange.sent()
                )
            except WIRE_ERRORS as error:
                failed = failure(error, exchange, origin)
        # Out here, so that the library's exception is not its context either.
        raise failed

    async def _receive(
        self, call: Call[Any], request: httpx.Request
    ) -> tuple[httpx.Response, bytes]:
        response = await self._transport.handle_async_request(request)
        return response, await self._read(call, response)

    async def _read(self, call: Call[Any], response: httpx.Response) -> bytes:
        body = bytearray()
        try:
            async for part in cast("httpx.AsyncByteStream", response.stream):
                body += part
                self._engine.room_left(call, body)
        finally:
            await response.aclose()
        return bytes(body)

    # ── an answer without an end ───────────────────────────────────────────────────────────────

    async def follow(self, following: Following) -> AsyncIterator[LiveEvent]:
        """The events of a stream, through as many connections as it takes."""
        while True:
            async with aclosing(self._parts(following.call())) as parts:
                while True:
                    try:
                        part = await anext(parts, None)
                    except CadenzaError as error:
                        wait = following.lost(error)
                        if wait is None:
                            raise
                        break
                    if part is None:
                        wait = following.ended()
                        break
                    for event in following.read(part):
                        yield event
            if wait is None:
                return
            await self._sleep(self._engine.seconds_of(wait))

    async def _parts(self, call: Call[None]) -> AsyncGenerator[bytes]:
        """The body of one connection, part by part."""
        bearer = self._engine.bearer
        token = bearer.current()
        try:
            response, exchange = await self._open(call, token)
        except AuthenticationError:
            if not await anyio.to_thread.run_sync(bearer.renewed_since, token):
                raise
            response, exchange = await self._open(call, bearer.current())
        parts = aiter(cast("httpx.AsyncByteStream", response.stream))
        try:
            while (part := await self._guarded(exchange, lambda: anext(parts, None))) is not None:
                yield part
        finally:
            with exchange.active(), anyio.CancelScope(shield=True):
                await response.aclose()

    async def _open(self, call: Call[None], token: str | None) -> tuple[httpx.Response, Exchange]:
        request = self._engine.request_for(call, token)
        exchange = self._engine.exchange_for_stream(call)
        request.extensions["trace"] = exchange.trace_async
        response = await self._guarded(
            exchange, lambda: self._transport.handle_async_request(request)
        )
        if self._engine.is_stream(call, response):
            self._engine.result(call, response, b"")
            return response, exchange
        body = await self._guarded(exchange, lambda: self._read(call, response))
        self._engine.result(call, response, body)
        raise AssertionError  # an answer of another kind is always refused

    async def _guarded(self, exchange: Exchange, act: Callable[[], Awaitable[T]]) -> T:
        """One step on the wire, with the library's errors made ours."""
        with exchange.active():
            try:
                return await act()
            except WIRE_ERRORS as error:
                failed = failure(error, exchange, self._engine.config.api.origin)
        raise failed

    # ── the worker thread ──────────────────────────────────────────────────────────────────────

    async def _in_thread(self, step: Step[Any]) -> Any:
        stop, started, ended = threading.Event(), threading.Event(), threading.Event()
        step = _for_thread(step, stop)

        def work() -> Any:
            started.set()
            try:
                return perform(step, self._storage)
            finally:
                ended.set()

        self._threads = self._threads or anyio.CapacityLimiter(_MOST_THREADS)
        try:
            return await anyio.to_thread.run_sync(
                work, abandon_on_cancel=True, limiter=self._threads
            )
        except anyio.get_cancelled_exc_class():
            stop.set()
            with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_MOMENTS_SECONDS):
                # Polled: the thread cannot set an anyio event on a loop that is going away.
                while started.is_set() and not ended.is_set():  # noqa: ASYNC110
                    await anyio.sleep(0.02)
            raise

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._transport.aclose()


def _for_thread(step: Step[Any], stop: threading.Event) -> Step[Any]:
    """The same step with callbacks that work from another thread."""
    if isinstance(step, PutObject):
        outgoing = step.outgoing
        return replace(
            step,
            outgoing=replace(
                outgoing,
                progress=_on_the_loop(outgoing.progress),
                cancel=_either(stop, outgoing.cancel),
            ),
        )
    if isinstance(step, Download):
        return replace(
            step, progress=_on_the_loop(step.progress), cancel=_either(stop, step.cancel)
        )
    return step


def _on_the_loop(
    progress: Callable[[int, int], None] | None,
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None

    def report(done_bytes: int, total_bytes: int) -> None:
        anyio.from_thread.run_sync(progress, done_bytes, total_bytes)

    return report


def _either(stop: threading.Event, cancel: Callable[[], bool] | None) -> Callable[[], bool]:
    return lambda: stop.is_set() or (cancel is not None and cancel())
