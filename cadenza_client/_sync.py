"""The synchronous engine: one thread, blocking sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, TypeVar, cast

import httpx
import tenacity

from cadenza_client._call import Call, Flow, Page, Repeat, Step, Walk
from cadenza_client._engine import Engine
from cadenza_client._following import Following
from cadenza_client._perform import perform
from cadenza_client._retry import Decide
from cadenza_client._storage import StorageDriver
from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._failures import WIRE_ERRORS, failure
from cadenza_client.errors import AuthenticationError, CadenzaError
from cadenza_client.models import LiveEvent

__all__ = ["SyncEngine"]

T = TypeVar("T")


class SyncEngine:
    """Runs flows. Safe to use from several threads."""

    def __init__(
        self,
        engine: Engine,
        transport: httpx.BaseTransport,
        storage: StorageDriver,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._transport = transport
        self._storage = storage
        self._sleep = sleep

    def run(self, flow: Flow[T] | Step[T]) -> T:
        """Do what a flow asks for, step by step, and give its result."""
        steps = iter(flow)
        try:
            step = next(steps)
            while True:
                try:
                    result = self._do(step)
                except BaseException as error:  # noqa: BLE001 - the flow gets it, whatever it is
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return cast("T", end.value)

    def iterate(self, first: Call[Page[T]], limit: int | None = None) -> Iterator[T]:
        """The items of a list, page after page as they are asked for."""
        return islice(self._items(first), limit)

    def _items(self, first: Call[Page[T]]) -> Iterator[T]:
        walk = Walk(first)
        while walk.call is not None:
            page = self.run(walk.call)
            yield from page.items
            walk.turn(page)

    def _do(self, step: Step[Any]) -> Any:
        if isinstance(step, Call):
            call: Call[Any] = step
            return self._repeat(self._engine.decision_for(call), lambda: self._ask(call))
        if isinstance(step, Repeat):
            repeat: Repeat[Any] = step
            return self._repeat(repeat.decide, lambda: self.run(repeat.attempt()))
        return perform(step, self._storage)

    def _repeat(self, decide: Decide, attempt: Callable[[], T]) -> T:
        arguments = self._engine.retry_arguments(decide)
        return tenacity.Retrying(sleep=self._sleep, **arguments)(attempt)

    def _ask(self, call: Call[T]) -> T:
        """One API request, and once more if a 401 can be cured by a new token (S05)."""
        if not call.authenticated:
            return self._exchange(call, None)
        bearer = self._engine.bearer
        token = bearer.current()
        try:
            return self._exchange(call, token)
        except AuthenticationError:
            if not bearer.renewed_since(token):
                raise
        return self._exchange(call, bearer.current())

    def _exchange(self, call: Call[T], token: str | None) -> T:
        request = self._engine.request_for(call, token)
        exchange = self._engine.exchange_for(call)
        request.extensions["trace"] = exchange.trace
        with exchange.active():
            try:
                response, body = self._receive(call, request)
                return self._engine.result(call, response, body)
            except WIRE_ERRORS as error:
                failed = failure(error, exchange, self._engine.config.api.origin)
        # Out here, so that the library's exception is not its context either.
        raise failed

    def _receive(self, call: Call[Any], request: httpx.Request) -> tuple[httpx.Response, bytes]:
        response = self._transport.handle_request(request)
        return response, self._read(call, response)

    def _read(self, call: Call[Any], response: httpx.Response) -> bytes:
        body = bytearray()
        try:
            for part in cast("httpx.SyncByteStream", response.stream):
                body += part
                self._engine.room_left(call, body)
        finally:
            response.close()
        return bytes(body)

    # ── an answer without an end ───────────────────────────────────────────────────────────────

    def follow(self, following: Following) -> Iterator[LiveEvent]:
        """The events of a stream, through as many connections as it takes."""
        while True:
            with closing(self._parts(following.call())) as parts:
                while True:
                    try:
                        part = next(parts, None)
                    except CadenzaError as error:
                        wait = following.lost(error)
                        if wait is None:
                            raise
                        break
                    if part is None:
                        wait = following.ended()
                        break
                    yield from following.read(part)
            if wait is None:
                return
            self._sleep(self._engine.seconds_of(wait))

    def _parts(self, call: Call[None]) -> Generator[bytes]:
        """The body of one connection, part by part."""
        bearer = self._engine.bearer
        token = bearer.current()
        try:
            response, exchange = self._open(call, token)
        except AuthenticationError:
            if not bearer.renewed_since(token):
                raise
            response, exchange = self._open(call, bearer.current())
        parts = iter(cast("httpx.SyncByteStream", response.stream))
        try:
            while (part := self._guarded(exchange, lambda: next(parts, None))) is not None:
                yield part
        finally:
            with exchange.active():
                response.close()

    def _open(self, call: Call[None], token: str | None) -> tuple[httpx.Response, Exchange]:
        request = self._engine.request_for(call, token)
        exchange = self._engine.exchange_for_stream(call)
        request.extensions["trace"] = exchange.trace
        response = self._guarded(exchange, lambda: self._transport.handle_request(request))
        if self._engine.is_stream(call, response):
            self._engine.result(call, response, b"")
            return response, exchange
        body = self._guarded(exchange, lambda: self._read(call, response))
        self._engine.result(call, response, body)
        raise AssertionError  # an answer of another kind is always refused

    def _guarded(self, exchange: Exchange, act: Callable[[], T]) -> T:
        """One step on the wire, with the library's errors made ours."""
        with exchange.active():
            try:
                return act()
            except WIRE_ERRORS as error:
                failed = failure(error, exchange, self._engine.config.api.origin)
        raise failed

    def close(self) -> None:
        """Close the connections to the API."""
        self._transport.close()
