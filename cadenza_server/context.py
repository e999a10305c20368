"""What a request works with: the services of the app, and who is asking."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial, wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import Depends, HTTPException, Path, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Message, Receive

from cadenza_server.access import Actor
from cadenza_server.auth import Passwords, load_actor
from cadenza_server.clock import Clock
from cadenza_server.database import Database
from cadenza_server.feed import EventFeed
from cadenza_server.keyring import Keyring
from cadenza_server.limits import Kind, Limiter
from cadenza_server.page.session import authenticate
from cadenza_server.settings import ServerSettings
from cadenza_server.storage import Storage

MAX_JSON_BYTES = 64 * 1024
T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """Everything `create_app` builds once; in `app.state.services`."""

    settings: ServerSettings
    clock: Clock
    db: Database
    keyring: Keyring
    passwords: Passwords
    limiter: Limiter
    storage_at: Callable[[str], Storage]
    #: New events, for the listeners of this process.
    feed: EventFeed
    #: Where routes run: on the event loop when everything they touch is on this machine.
    in_threads: bool


class Context:
    """One signed-in request.

    The user's row is read when a route first asks who is there, in the route's own thread: a
    second trip to a thread would cost more than the query.
    """

    def __init__(self, user_id: int, services: Services, storage: Storage) -> None:
        self.services = services
        self.storage = storage
        self._user_id = user_id

    @cached_property
    def actor(self) -> Actor:
        """Who is asking; 401 when the token outlived the account."""
        with self.db.glance() as session:
            return load_actor(session, self._user_id)

    @property
    def db(self) -> Database:
        """The database."""
        return self.services.db

    @property
    def settings(self) -> ServerSettings:
        """The settings."""
        return self.services.settings

    def now(self) -> datetime:
        """The server's time."""
        return self.services.clock()

    async def run(self, work: Callable[[], T]) -> T:
        """Do work that uses the database, and return when what it wrote is durable.

        With the embedded database it runs on the event loop: its statements take about a
        millisecond there, and under load the way to a thread and back, with two threads fighting
        for the interpreter, takes as long again (measured: 2.4 ms of CPU for a create on the
        loop, 3.7 ms through the thread pool). With a database across a network it runs in a
        thread.
        """
        if self.services.in_threads:
            return await run_sync(work)
        return await self.db.run(work)


def services_of(request: Request) -> Services:
    """The services of the app that got the request."""
    services: Services = request.app.state.services
    return services


def base_url(request: Request) -> str:
    """Where clients reach this server: as configured, else as they asked for it."""
    return services_of(request).settings.public_url or str(request.base_url).rstrip("/")


def takes_up_to(max_bytes: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let an endpoint take a longer body than JSON needs."""

    def mark(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        endpoint.__dict__["max_body_bytes"] = max_bytes
        return endpoint

    return mark


class OpenRoute(APIRoute):
    """A route anybody may call; its body is bounded (SEC-16).

    FastAPI's own bound answers in plain text, and before anybody was asked who they are.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        max_bytes: int = self.endpoint.__dict__.get("max_body_bytes", MAX_JSON_BYTES)

        async def handle_bounded(request: Request) -> Response:
            length = request.headers.get("content-length", "0")
            if not length.isdigit() or int(length) > max_bytes:
                raise _too_large()
            return await handle(Request(request.scope, _bounded(request.receive, max_bytes)))

        return handle_bounded


def _bounded(receive: Receive, max_bytes: int) -> Receive:
    """A body without a length is counted as it comes."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise _too_large()
        return message

    return receive_bounded


def _too_large() -> HTTPException:
    # HTTPException: FastAPI lets no other error through while it reads a body. Closing the
    # connection spares both sides the rest.
    return HTTPException(413, headers={"Connection": "close"})


class SignedInRoute(OpenRoute):
    """A route for signed-in users only; its first parameter is `ctx: ContextDep`.

    The token and the rate limit are checked before the body is read: a stranger learns nothing
    but 401, whatever he sends, and costs no parsing. A plain `def` runs by `Context.run`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _awaitable(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handle_signed_in(request: Request) -> Response:
            services = services_of(request)
            now = services.clock()
            dev = services.settings.is_dev
            user_id = authenticate(request, services.keyring, now=now, dev=dev)
            kind: Kind = "read" if request.method in ("GET", "HEAD") else "write"
            await services.limiter.acheck(kind, f"user:{user_id}")
            request.scope["cadenza.user_id"] = user_id
            return await handle(request)

        return handle_signed_in


def _awaitable(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    async def run(*, ctx: Context, **arguments: Any) -> Any:
        return await ctx.run(partial(endpoint, ctx=ctx, **arguments))

    return run


_bearer = HTTPBearer(auto_error=False, description="the token of a sign-in (W9)")


async def _context(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Context:
    services = services_of(request)
    user_id: int = request.scope["cadenza.user_id"]
    return Context(user_id, services, services.storage_at(base_url(request)))


async def _limit_sign_in(request: Request) -> None:
    client = request.client.host if request.client else "unknown"
    await services_of(request).limiter.acheck("auth", f"address:{client}")


async def _services(request: Request) -> Services:
    return services_of(request)


UserId = Annotated[int, Path(ge=1, le=2**31 - 1)]
ContextDep = Annotated[Context, Depends(_context)]
ServicesDep = Annotated[Services, Depends(_services)]
SignInLimit = Depends(_limit_sign_in)
