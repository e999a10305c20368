"""What a request works with: the services of the app, and who is asking."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cadenza_server.access import Actor
from cadenza_server.auth import Passwords, bearer_of, load_actor, read_token
from cadenza_server.clock import Clock
from cadenza_server.database import Database
from cadenza_server.keyring import Keyring
from cadenza_server.limits import RateLimiter
from cadenza_server.settings import ServerSettings
from cadenza_server.storage import Storage


@dataclass(frozen=True)
class Services:
    """Everything `create_app` builds once; in `app.state.services`."""

    settings: ServerSettings
    clock: Clock
    db: Database
    keyring: Keyring
    passwords: Passwords
    limiter: RateLimiter
    storage_at: Callable[[str], Storage]


@dataclass(frozen=True)
class Context:
    """One signed-in request."""

    actor: Actor
    services: Services
    storage: Storage

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


def services_of(request: Request) -> Services:
    """The services of the app that got the request."""
    services: Services = request.app.state.services
    return services


def base_url(request: Request) -> str:
    """Where clients reach this server: as configured, else as they asked for it."""
    return services_of(request).settings.public_url or str(request.base_url).rstrip("/")


class SignedInRoute(APIRoute):
    """A route for signed-in users only.

    The token and the rate limit are checked before the body is read: a stranger learns nothing
    but 401, whatever he sends, and costs no parsing.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handle_signed_in(request: Request) -> Response:
            services = services_of(request)
            token = bearer_of(request.headers.get("authorization"))
            now = services.clock()
            dev = services.settings.is_dev
            user_id = read_token(services.keyring, token, now=now, dev=dev)
            kind = "read" if request.method in ("GET", "HEAD") else "write"
            services.limiter.check(kind, f"user:{user_id}")
            request.state.actor = await run_sync(_load, services.db, user_id)
            request.scope["cadenza.user_id"] = user_id
            return await handle(request)

        return handle_signed_in


def _load(db: Database, user_id: int) -> Actor:
    with db.reading() as session:
        return load_actor(session, user_id)


_bearer = HTTPBearer(auto_error=False, description="the token of a sign-in (W9)")


async def _context(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Context:
    services = services_of(request)
    return Context(request.state.actor, services, services.storage_at(base_url(request)))


async def _limit_sign_in(request: Request) -> None:
    client = request.client.host if request.client else "unknown"
    services_of(request).limiter.check("auth", f"address:{client}")


async def _services(request: Request) -> Services:
    return services_of(request)


ContextDep = Annotated[Context, Depends(_context)]
ServicesDep = Annotated[Services, Depends(_services)]
SignInLimit = Depends(_limit_sign_in)
