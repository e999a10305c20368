"""All pages, and the static files they load."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Route

from cadenza_server.page.rendering import Pages
from cadenza_server.page.routing import on_http_error
from cadenza_server.page.views import (
    home,
    inbox,
    own,
    recording,
    sign_in,
    students,
    watching,
)
from cadenza_server.settings import ServerSettings

_ROUTERS: tuple[APIRouter, ...] = (
    watching.router,
    inbox.router,
    home.router,
    students.router,
    own.router,
    recording.router,
    sign_in.router,
)


def add_pages(app: FastAPI, settings: ServerSettings) -> None:
    """Serve the pages from this app; the API's routes, which are asked for more often, go first."""
    pages = Pages(settings)
    app.state.pages = pages
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    path = "/static/{release}/{name:path}"
    app.router.routes.append(Route(path, pages.assets.serve, methods=["GET", "HEAD"]))
    app.add_exception_handler(HTTPException, on_http_error)
