"""A raw HTTP exchange over a socket, for tests that look at what is really on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cadenza_conformance import FaultServer, Scenario
from cadenza_conformance._server._world import World, piece_of

VIDEO = b"a practice take " * 625  # 10 000 bytes


@dataclass(frozen=True)
class Reply:
    """What came back, and how it ended."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    ended: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Bench:
    """One run's server and its world."""

    server: FaultServer
    world: World

    @property
    def api(self) -> str:
        return self.server.addresses(self.world.run).api

    async def send(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        token: bool = True,
        limit: int | None = None,
        seconds: float = 5.0,
    ) -> Reply:
        """One request on a connection of its own."""
        if url.startswith("/"):
            url = self.api + url
        parts = urlsplit(url)
        sent = {"Host": parts.netloc, "Content-Length": str(len(body)), **(headers or {})}
        if token and "storage" not in parts.path:
            sent.setdefault("Authorization", f"Bearer {self.world.token}")
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items()), "", ""]
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write("\r\n".join(lines).encode() + body)
            await writer.drain()
            return await _reply(reader, limit, seconds)
        finally:
            writer.close()

    async def create(self, recording: str = "A", **changes: Any) -> Reply:
        body = {"piece_id": piece_of(recording), "duration_seconds": 5, **changes}
        return await self.send(
            "POST",
            "/video-submissions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )

    async def put(self, ticket: dict[str, Any], body: bytes = VIDEO, **options: Any) -> Reply:
        given = {**(ticket.get("upload_headers") or {"Content-Type": "video/mp4"})}
        given.setdefault("Content-Length", str(len(body)))
        return await self.send("PUT", ticket["upload_url"], body, given, **options)


async def _reply(reader: asyncio.StreamReader, limit: int | None, seconds: float) -> Reply:
    data, ended = b"", "open"
    try:
        async with asyncio.timeout(seconds):
            while b"\r\n\r\n" not in data:
                part = await reader.read(65536)
                if not part:
                    return Reply(None, {}, data, "closed")
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            first, *rest = head.decode("latin-1").split("\r\n")
            headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in rest)}
            length = int(headers.get("content-length", 0)) if limit is None else limit
            while len(body) < length:
                part = await reader.read(65536)
                if not part:
                    ended = "closed"
                    break
                body += part
            status = first.split(" ")[1]
            return Reply(int(status) if status.isdigit() else None, headers, body, ended)
    except ConnectionResetError:
        return Reply(None, {}, data, "reset")
    except TimeoutError:
        return Reply(None, {}, data, "silent")


def a_scenario(*script: dict[str, Any], recordings: int = 1, **server: Any) -> Scenario:
    """A scenario with these faults; its steps play no part here."""
    given = [
        {"id": name, "size": len(VIDEO), "content": f"prng:{name}"} for name in "ABC"[:recordings]
    ]
    return Scenario.model_validate(
        {
            "schema": "cadenza-conformance/1.0",
            "id": "bench",
            "level": "must",
            "title": "a bench",
            "requirements": ["CONF-1"],
            "requires": [],
            "given": {"recordings": given, "server": server},
            "script": list(script),
            "steps": [{"start": {}}],
        }
    )


@asynccontextmanager
async def a_bench(*script: dict[str, Any], **server: Any) -> AsyncIterator[Bench]:
    """A fault server with one run on it."""
    recordings = server.pop("recordings", 1)
    scenario = a_scenario(*script, recordings=recordings, **server)
    async with FaultServer(tls=scenario.given.server.tls) as running:
        world = World(scenario.id, scenario)
        running.add(world)
        yield Bench(running, world)


def play(test: Callable[[], Any]) -> None:
    """Run an asynchronous test."""
    asyncio.run(test())
