"""http: the adapter is a small web service that somebody else starts (LaunchDarkly's way)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from cadenza_conformance._transport import AdapterError, AdapterGoneError
from cadenza_conformance._transport._commands import Commands
from cadenza_conformance._transport._exec import parse_reply

_START_SECONDS = 20.0


class HttpFactory:
    """One adapter at one address; scenarios take turns, each after a `reset`."""

    is_parallel = False

    def __init__(self, url: str, commands: Commands) -> None:
        self._address = _parse(url)
        self._commands = commands

    async def open(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to undo."""

    def make(self, name: str) -> HttpAdapter:  # noqa: ARG002 - there is only one
        """The adapter."""
        return HttpAdapter(self._address, self._commands)


class HttpAdapter:
    """POSTs each command to the adapter's address."""

    pid = None

    def __init__(self, address: tuple[str, int, str], commands: Commands) -> None:
        self._host, self._port, self._path = address
        self._commands = commands
        self._lock = asyncio.Lock()
        self.is_up = True

    @property
    def can_kill(self) -> bool:
        """Only with commands for it."""
        return self._commands.can_kill

    async def up(self) -> None:
        """Start the client again, and wait until it answers."""
        if self.is_up:
            return
        await self._commands.start()
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while True:
            try:
                _, writer = await asyncio.open_connection(self._host, self._port)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise AdapterError("the adapter does not come back") from None
                await asyncio.sleep(0.05)
                continue
            writer.close()
            self.is_up = True
            return

    async def call(self, cmd: str, *, timeout_seconds: float, **fields: Any) -> dict[str, Any]:
        """One POST.

        Raises:
            AdapterGoneError: nobody listens. AdapterError: it answered something else.
        """
        body = json.dumps({"cmd": cmd, **fields}).encode()
        async with self._lock:
            try:
                async with asyncio.timeout(timeout_seconds):
                    return parse_reply(await self._post(body))
            except TimeoutError:
                raise AdapterError(f"no reply to {cmd} within {timeout_seconds:g} s") from None
            except (OSError, asyncio.IncompleteReadError):
                raise AdapterGoneError(f"the adapter does not listen during {cmd}") from None

    async def _post(self, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = (
                f"POST {self._path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            status = await reader.readline()
            length: int | None = None
            while (line := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            if b" 200 " not in status:
                raise AdapterError(f"the adapter answered {status.decode('latin-1').strip()}")
            return await (reader.read() if length is None else reader.readexactly(length))
        finally:
            writer.close()

    async def kill(self) -> None:
        """Run the kill command."""
        await self._commands.kill()
        self.is_up = False

    async def close(self) -> None:
        """Forget what this scenario left behind."""
        if not self.is_up:
            await self.up()
        await self.call("reset", timeout_seconds=20.0)

    def log_text(self) -> str:
        """Not ours to read."""
        return ""


def _parse(url: str) -> tuple[str, int, str]:
    """Host, port and path.

    Raises:
        AdapterError: not an address of a web service.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise AdapterError("an adapter's address is http://HOST:PORT/PATH")
    return parts.hostname, parts.port or 80, parts.path or "/"
