"""pull: the client asks for its next command and posts the result.

For an app in a simulator or on a device, which cannot listen. `GET /driver/next` waits for a
command and answers 204 after a while; `POST /driver/result` carries the reply with the
command's `seq`. Anyone who can reach the port can pose as the client, so it is loopback only
unless told otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import Any

from cadenza_conformance._server._wire import Answer, Connection, CutError, Head, MalformedError
from cadenza_conformance._transport import AdapterError
from cadenza_conformance._transport._commands import Commands
from cadenza_conformance._transport._exec import parse_reply

_LONG_POLL_SECONDS = 20.0
_GOODBYE_SECONDS = 2.0
_JSON = {"Content-Type": "application/json"}


class PullFactory:
    """Listens for the one client; scenarios take turns, each after a `reset`."""

    is_parallel = False

    def __init__(self, *, host: str, port: int, commands: Commands) -> None:
        self._host = host
        self._port = port
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._desk = _Desk()

    @property
    def url(self) -> str:
        """Where the client asks for work."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{self._host}:{port}/driver"

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(
            self._desk.converse, self._host, self._port, limit=1 << 20
        )

    async def close(self) -> None:
        """Tell the client that it is over, and stop."""
        await self._desk.say_goodbye()
        if self._server is not None:
            self._server.close()
        await self._desk.end()

    def make(self, name: str) -> PullAdapter:  # noqa: ARG002 - there is only one
        """The adapter."""
        return PullAdapter(self._desk, self._commands)


class _Desk:
    """Where commands lie until the client fetches them, and results until the driver does."""

    def __init__(self) -> None:
        self._commands: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_over = False
        self._left = asyncio.Event()

    async def ask(self, command: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        number = next(self._numbers)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._commands.put_nowait({**command, "seq": number})
        try:
            async with asyncio.timeout(timeout_seconds):
                return await future
        finally:
            del self._waiting[number]

    def forget(self) -> None:
        """Drop what a dead client did not fetch."""
        while not self._commands.empty():
            self._commands.get_nowait()

    async def say_goodbye(self) -> None:
        """Let the client that is waiting for work leave by itself."""
        self.is_over = True
        self.forget()
        self._commands.put_nowait({"cmd": "bye", "seq": 0})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._left.wait()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(reader, writer)
        try:
            while (head := await connection.head()) is not None:
                await self._answer(connection, head)
        except (CutError, MalformedError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            connection.close()

    async def _answer(self, connection: Connection, head: Head) -> None:
        body = b"".join([part async for part in connection.body(head)])
        if (head.method, head.path) == ("GET", "/driver/next"):
            answer = await self._next()
        elif (head.method, head.path) == ("POST", "/driver/result"):
            answer = self._result(body)
        else:
            answer = Answer(404, _JSON, b"{}")
        await connection.write(answer.encode(date="", close=False))
        if self.is_over and head.path == "/driver/next":
            self._left.set()

    async def _next(self) -> Answer:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONG_POLL_SECONDS):
                command = await self._commands.get()
                return Answer(200, _JSON, json.dumps(command).encode())
        return Answer(204, {})

    def _result(self, body: bytes) -> Answer:
        try:
            reply = parse_reply(body)
            future = self._waiting.get(int(reply.pop("seq")))
        except (AdapterError, KeyError, TypeError, ValueError):
            return Answer(400, _JSON, b'{"detail": "a result is an object with the seq"}')
        if future is not None and not future.done():
            future.set_result(reply)
        return Answer(200, _JSON, b"{}")


class PullAdapter:
    """Leaves commands on the desk."""

    pid = None

    def __init__(self, desk: _Desk, commands: Commands) -> None:
        self._desk = desk
        self._commands = commands
        self.is_up = True

    @property
    def can_kill(self) -> bool:
        """Only with commands for it."""
        return self._commands.can_kill

    async def up(self) -> None:
        """Start the client again; it will ask when it is ready."""
        if not self.is_up:
            self._desk.forget()
            await self._commands.start()
            self.is_up = True

    async def call(self, cmd: str, *, timeout_seconds: float, **fields: Any) -> dict[str, Any]:
        """Leave a command and wait for its result.

        Raises:
            AdapterError: it did not come.
        """
        try:
            # An app on its way up needs longer than a process.
            return await self._desk.ask({"cmd": cmd, **fields}, timeout_seconds + 30.0)
        except TimeoutError:
            raise AdapterError(f"no reply to {cmd} within {timeout_seconds:g} s") from None

    async def kill(self) -> None:
        """Run the kill command."""
        await self._commands.kill()
        self._desk.forget()
        self.is_up = False

    async def close(self) -> None:
        """Forget what this scenario left behind."""
        if not self.is_up:
            await self.up()
        await self.call("reset", timeout_seconds=20.0)

    def log_text(self) -> str:
        """Not ours to read."""
        return ""
