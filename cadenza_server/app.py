"""`create_app`: settings in, application out. Nothing lives at module level."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route

from cadenza_server.assets import is_sealed
from cadenza_server.auth import Passwords
from cadenza_server.clock import Clock, utc_now
from cadenza_server.context import Services
from cadenza_server.database import Database, open_database
from cadenza_server.documentation import add_storage_paths
from cadenza_server.errors import HANDLERS
from cadenza_server.feed import EventFeed
from cadenza_server.jobs import background_of
from cadenza_server.keyring import Keyring
from cadenza_server.limits import Kind, Limiter, RateLimiter
from cadenza_server.middleware import RequestScope
from cadenza_server.page.router import add_pages
from cadenza_server.page.views import notices
from cadenza_server.routes import (
    events,
    identity,
    markers,
    messages,
    notifications,
    operations,
    pieces,
    practice,
    review,
    submissions,
    webhooks,
)
from cadenza_server.settings import ServerSettings
from cadenza_server.shared_limits import SharedRateLimiter, sqlite_rates
from cadenza_server.stores import open_store

_EXPOSED = (
    "Link",
    "X-Total-Count",
    "X-Request-ID",
    "Retry-After",
    "ETag",
    "Accept-Ranges",
    "Content-Range",
)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The document, with the routes FastAPI does not know of."""
        if self.openapi_schema is None:
            document = super().openapi()
            serves_objects = self.state.services.settings.storage == "local"
            self.openapi_schema = add_storage_paths(document) if serves_objects else document
        return self.openapi_schema


def create_app(
    settings: ServerSettings | None = None,
    *,
    clock: Clock = utc_now,
    monotonic: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Build the application; the database is brought up to date on the way.

    Args:
        settings: read from the environment when left out.
        clock: the server's time, aware.
        monotonic: for rate limits and durations.

    Raises:
        pydantic.ValidationError: the settings are not acceptable (default secret outside dev).
        StorageSetupError: the bucket can't be used as it is set up.
    """
    settings = settings or ServerSettings()
    db = open_database(settings)
    db.migrate()
    keyring = Keyring.from_settings(settings)
    store = open_store(settings, keyring, clock, is_sealed=partial(is_sealed, db))
    services = Services(
        settings=settings,
        clock=clock,
        db=db,
        keyring=keyring,
        passwords=Passwords(),
        limiter=_limiter(settings, db, clock, monotonic),
        storage_at=store.at,
        feed=EventFeed(db),
        in_threads=not db.is_sqlite or store.is_remote,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        background = background_of(services)
        background.start()
        yield
        services.feed.close()
        await run_sync(background.stop)
        db.close()

    app = _Application(
        title="Cadenza",
        version=version("cadenza"),
        summary="Practice takes, from the student's disk to the teacher's eyes.",
        lifespan=lifespan,
        exception_handlers=HANDLERS,
        redirect_slashes=False,  # a redirected POST loses its body or repeats its token
    )
    app.state.services = services
    for router in (  # they are searched in this order: the busiest first
        submissions.router,
        notices.router,  # a page where the API has a list: it leaves to the list what is no page's
        messages.router,
        markers.router,
        notifications.router,
        identity.open_router,
        operations.router,
        identity.router,
        pieces.router,
        practice.router,
        review.router,
        events.router,
        webhooks.router,
    ):
        # Nothing is added to them here, so they serve as they are: including a router builds each
        # of its routes again, at the first request (0.1 s for all).
        app.router.routes.extend(router.routes)
    add_pages(app, settings)
    if store.endpoint is not None:
        app.router.routes.append(Route("/storage/{key:path}", endpoint=store.endpoint))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=list(_EXPOSED),
        )
    observe = None
    if settings.metrics == "on":
        # Imported only here: with several workers its files are chosen at the import.
        from cadenza_server.metrics import add_metrics

        observe = add_metrics(app, settings).observe
    app.add_middleware(RequestScope, monotonic=monotonic, is_dev=settings.is_dev, observe=observe)
    return app


def _limiter(
    settings: ServerSettings, db: Database, clock: Clock, monotonic: Callable[[], float]
) -> Limiter:
    """One worker counts by itself; several count together, and so do all on one PostgreSQL."""
    kinds: tuple[Kind, ...] = ("auth", "write", "read")
    per_minute = {kind: settings.rate_per_minute(kind) for kind in kinds}
    if not db.is_sqlite:
        return SharedRateLimiter(per_minute, clock, db.alone, in_thread=True)
    if settings.workers > 1:
        rates = sqlite_rates(db.file.with_name(f"{db.file.name}-rates"))
        return SharedRateLimiter(per_minute, clock, rates, in_thread=False)
    return RateLimiter(per_minute, monotonic)
