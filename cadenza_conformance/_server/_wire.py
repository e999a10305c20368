"""HTTP/1.1 by hand: read a head and a body, write an answer, or break off in a chosen way."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

_HEAD_BYTES = 64 * 1024
_BLOCK_BYTES = 64 * 1024
_REASONS = {
    100: "Continue",
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class CutError(Exception):
    """The other side went away in the middle of something."""


class MalformedError(Exception):
    """What came is not an HTTP/1.1 request."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of a request; header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]

    @property
    def length(self) -> int | None:
        """The announced body length."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isdigit() else None

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks of unannounced total length."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def asks_first(self) -> bool:
        """Whether the sender waits for `100 Continue`."""
        return self.headers.get("expect", "").lower() == "100-continue"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `Content-Length` and `Date` are added when it is written."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    def encode(self, *, date: str, close: bool, head_only: bool = False) -> bytes:
        """The bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}"]
        headers = {"Date": date, **self.headers}
        if self.status not in (204, 304) and self.status >= 200:
            headers.setdefault("Content-Length", str(len(self.body)))
        if close:
            headers["Connection"] = "close"
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return head if head_only else head + self.body


class Connection:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.cut = False

    async def head(self) -> Head | None:
        """The next request's head; None when the connection ended between requests.

        Raises:
            CutError: it ended inside a head.
            MalformedError: it is none.
        """
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise CutError from None
            return None
        except asyncio.LimitOverrunError:
            raise MalformedError from None
        except ConnectionError:
            return None
        if len(raw) > _HEAD_BYTES:
            raise MalformedError
        lines = raw.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise MalformedError
        headers: dict[str, str] = {}
        for line in lines[1:]:
            if not line:
                continue
            name, colon, value = line.partition(":")
            if not colon:
                raise MalformedError
            key = name.strip().lower()
            value = value.strip()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        path, _, query = words[1].partition("?")
        return Head(words[0], path, query, headers)

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        """The body in pieces; `100 Continue` is sent first when it is asked for.

        Raises:
            CutError: it ended before all announced bytes came.
        """
        if head.asks_first:
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            if head.chunked:
                async for part in self._chunks():
                    yield part
                return
            left = head.length or 0
            while left > 0:
                part = await self._reader.read(min(_BLOCK_BYTES, left))
                if not part:
                    raise CutError
                left -= len(part)
                yield part
        except (ConnectionError, asyncio.IncompleteReadError):
            raise CutError from None

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            size_line = await self._reader.readuntil(b"\r\n")
            try:
                size = int(size_line.split(b";")[0], 16)
            except ValueError:
                raise MalformedError from None
            if size == 0:
                while (await self._reader.readuntil(b"\r\n")) != b"\r\n":
                    pass
                return
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)

    async def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            CutError: nobody is there any more.
        """
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            raise CutError from None

    async def drain_input(self, limit_bytes: int, seconds: float) -> int:
        """Read and drop what a sender still pushes; how much that was."""
        dropped = 0
        try:
            async with asyncio.timeout(seconds):
                while dropped < limit_bytes:
                    part = await self._reader.read(_BLOCK_BYTES)
                    if not part:
                        break
                    dropped += len(part)
        except (TimeoutError, ConnectionError):
            pass
        return dropped

    async def until_gone(self, seconds: float) -> None:
        """Wait until the other side has left, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                while await self._reader.read(_BLOCK_BYTES):
                    pass
        except (TimeoutError, ConnectionError):
            pass

    def reset(self) -> None:
        """Break off with a RST."""
        raw = cast("socket.socket | None", self._writer.get_extra_info("socket"))
        if raw is not None:
            linger = struct.pack("ii", 1, 0)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    def close(self) -> None:
        """End with a FIN."""
        if not self._writer.is_closing():
            self._writer.close()
