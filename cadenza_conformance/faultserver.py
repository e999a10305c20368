"""The fault server: API, storage and a host nobody should talk to, each on a port of its own.

Every run stands below a base path `/r/RUN`, so one server can play several scenarios at once
(OpenID's conformance suite isolates runs the same way).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Literal

from cadenza_conformance._binding import Role
from cadenza_conformance._server._player import Addresses, Player
from cadenza_conformance._server._wire import Answer, Connection, CutError, Head, MalformedError
from cadenza_conformance._server._world import World

__all__ = ["FaultServer", "ca_file"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BACKLOG = 256
_WINDOW_BYTES = 256 * 1024
Outside = Callable[[Connection, Head], Awaitable[bool]]
_ROLES: tuple[Role, ...] = ("api", "storage", "other")


def ca_file() -> str:
    """Path of the kit's own certificate authority, for a client that is to trust `tls: good`."""
    return str(resources.files("cadenza_conformance").joinpath("tls", "ca.pem"))


class FaultServer:
    """Listens for the runs that are added to it.

    Args:
        host: address to bind; anything but loopback has to be asked for (SEC-29).
        port: of the API role; 0 for any.
        tls: which certificate to show, None for plain HTTP.
        outside: answers requests to the API port that belong to no run.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: Literal["expired", "wrong_host", "self_signed", "good"] | None = None,
        outside: Outside | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = None if tls is None else _tls_context(tls)
        self._outside = outside
        self._worlds: dict[str, World] = {}
        self._ports: dict[Role, int] = {}
        self._servers: dict[Role, asyncio.Server] = {}
        self._placeholders: dict[Role, socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[Connection, Role] = {}
        self.handshakes = 0

    async def __aenter__(self) -> FaultServer:
        for role in _ROLES:
            raw = _bound(self._host, self._port if role == "api" else 0)
            # A small window: a throttled body has to wait at the sender, as on a real line.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
            self._ports[role] = raw.getsockname()[1]
            await self._listen(role, raw)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers.values():
            server.close()
        for raw in self._placeholders.values():
            raw.close()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self._host in _LOOPBACK

    def add(self, world: World) -> None:
        """Serve a run."""
        self._worlds[world.run] = world

    def world(self, run: str) -> World | None:
        """The run with this name."""
        return self._worlds.get(run)

    def addresses(self, run: str) -> Addresses:
        """The base URLs of a run."""
        scheme = "https" if self._tls else "http"
        # A name, not an address: clients refuse to send bytes to bare addresses (SEC-09), and a
        # certificate is for a name.
        host = "localhost" if self._tls else self._host
        api, storage = (f"{scheme}://{host}:{self._ports[r]}/r/{run}" for r in ("api", "storage"))
        # The stranger never has a certificate: what is sent there, everybody can read.
        return Addresses(api, storage, f"http://{host}:{self._ports['other']}/r/{run}")

    @property
    def port(self) -> int:
        """The API role's port."""
        return self._ports["api"]

    def storage_hosts(self) -> list[str]:
        """`host:port` of the storage role, for a client's allow-list."""
        host = "localhost" if self._tls else self._host
        return [f"{host}:{self._ports['storage']}"]

    async def down(self, role: Role) -> None:
        """Close a port: connections are refused and open ones are cut; nobody else gets it."""
        server = self._servers.pop(role, None)
        if server is None:
            return
        server.close()
        for connection in [c for c, of in self._open.items() if of == role]:
            connection.reset()
        # Bound but not listening: the port stays ours, and the kernel refuses for us.
        self._placeholders[role] = _bound(self._host, self._ports[role])

    async def up(self, role: Role) -> None:
        """Open a closed port again."""
        raw = self._placeholders.pop(role, None)
        if raw is not None:
            await self._listen(role, raw)

    async def _listen(self, role: Role, raw: socket.socket) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._converse(role, Connection(reader, writer))
            finally:
                self._tasks.discard(task)
                with contextlib.suppress(OSError, RuntimeError):
                    writer.close()

        tls = None if role == "other" else self._tls
        self._servers[role] = await asyncio.start_server(
            accept, sock=raw, ssl=tls, backlog=_BACKLOG, limit=1 << 17
        )

    async def _converse(self, role: Role, connection: Connection) -> None:
        self.handshakes += 1
        self._open[connection] = role
        try:
            while role in self._servers:
                head = await connection.head()
                if head is None or not await self._one(role, connection, head):
                    break
        except (CutError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except MalformedError:
            answer = Answer(400, {"Content-Type": "text/plain"}, b"not an HTTP/1.1 request")
            with contextlib.suppress(CutError):
                await connection.write(answer.encode(date="", close=True))
        except asyncio.CancelledError:
            # The run is over; whoever still hangs on the line is left there.
            pass
        finally:
            del self._open[connection]
            connection.close()

    async def _one(self, role: Role, connection: Connection, head: Head) -> bool:
        run, path = _split(head.path)
        world = self._worlds.get(run)
        if world is None and role == "other" and len(self._worlds) == 1:
            world, path = next(iter(self._worlds.values())), head.path
        if world is None:
            if self._outside is not None and role == "api":
                return await self._outside(connection, head)
            await connection.write(Answer(404, {}).encode(date="", close=True))
            return False
        return await Player(world, role, self.addresses(run)).play(connection, head, path)


def _split(path: str) -> tuple[str, str]:
    parts = path.split("/", 3)
    if len(parts) >= 3 and parts[1] == "r":
        return parts[2], f"/{parts[3]}" if len(parts) == 4 else "/"
    return "", path


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_STREAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        raw.bind((host, port))
    except OSError:
        raw.close()
        raise
    raw.setblocking(False)
    return raw


def _tls_context(kind: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    folder = resources.files("cadenza_conformance").joinpath("tls")
    context.load_cert_chain(str(folder.joinpath(f"{kind}.pem")))
    return context
