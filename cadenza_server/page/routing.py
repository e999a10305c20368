"""How the page's addresses behave: they are for browsers, and refuse in pictures, not in JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Match

from cadenza_server.context import Context, OpenRoute, SignedInRoute, base_url, services_of
from cadenza_server.errors import HANDLERS, ApiError
from cadenza_server.page.rendering import render, render_open
from cadenza_server.page.session import authenticate, close_session

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

#: status → (drawing, title). The sentence below comes from the refusal itself.
_TITLES = {
    403: ("art-lost", "This is not yours to see"),
    404: ("art-lost", "There is nothing here"),
    410: ("art-done", "This take was deleted"),
    429: ("art-lost", "A little slower, please"),
    503: ("art-lost", "The server is busy"),
}
_SENTENCES = {
    403: "It belongs to somebody else’s lessons. Ask the student or the teacher to share it.",
    404: "The address is wrong, or what was here is gone.",
    410: "The student took it back. Nothing of it is kept.",
}
#: Questions about the page itself: going back to signing in would ask for ever.
_NEVER_NEXT = ("/login", "/logout")


class OpenPage(OpenRoute):
    """A page for anybody."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        return _drawing_refusals(super().get_route_handler())


class SignedInPage(SignedInRoute):
    """A page for signed-in users; others are sent to sign in, and then back here."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        return _drawing_refusals(super().get_route_handler())


class BrowserPage(SignedInPage):
    """A page at an address that answers programs with JSON: only a browser's request gets it."""

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, Any]:
        """Leave the request to the API unless it asks for a page."""
        if not asks_for_page(Request(scope)):
            return Match.NONE, {}
        return super().matches(scope)


def asks_for_page(request: Request) -> bool:
    """Browsers name HTML when a person goes to an address; programs do not."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


async def refusal_page(request: Request, error: ApiError) -> Response:
    """What a person sees instead of the page."""
    if error.status == 401:
        return _sign_in_first(request, expired=error.code == "signin_required")
    status = 404 if error.status == 422 else error.status
    picture, title = _TITLES.get(status, ("art-lost", "That did not work"))
    values = {
        "picture": picture,
        "title": title,
        "sentence": _SENTENCES.get(status, error.detail),
        "request_id": request.scope.get("cadenza.request_id", ""),
    }
    answer = await _with_frame(request, status, values)
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


async def on_http_error(request: Request, error: Exception) -> Response:
    """An address that nobody answers: a page for browsers, the usual refusal for programs."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and asks_for_page(request):
        return await refusal_page(request, ApiError("not_found"))
    answer: Response = await HANDLERS[HTTPException](request, error)
    return answer


async def _with_frame(request: Request, status: int, values: dict[str, Any]) -> Response:
    """The refusal within the signed-in user's own navigation, as far as there is one."""
    services = services_of(request)
    if status != 429:
        try:
            user_id = authenticate(
                request, services.keyring, now=services.clock(), dev=services.settings.is_dev
            )
            ctx = Context(user_id, services, services.storage_at(base_url(request)))
            draw = partial(render, ctx, request, "refusal.html", status=status, **values)
            return await ctx.run(draw)
        except ApiError:
            pass  # nobody is signed in: a page without navigation
    return render_open(request, "refusal.html", status=status, **values)


def _sign_in_first(request: Request, *, expired: bool) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = {"expired": "1"} if expired else {}
    if request.url.path not in ("/", *_NEVER_NEXT):
        query["next"] = here
    answer = RedirectResponse(f"/login?{urlencode(query)}" if query else "/login", 303)
    answer.headers["Cache-Control"] = "no-store"
    # A cookie that is no good any more would be refused again and again.
    close_session(answer, services_of(request).settings)
    return answer


def _drawing_refusals(handle: Handler) -> Handler:
    async def handle_page(request: Request) -> Response:
        try:
            return await handle(request)
        except ApiError as error:
            return await refusal_page(request, error)
        except RequestValidationError:
            return await refusal_page(request, ApiError("not_found"))

    return handle_page
