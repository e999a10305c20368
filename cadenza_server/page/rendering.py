"""Templates to answers: what every page knows, and the headers that keep it harmless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cadenza_server.context import Context, base_url, services_of
from cadenza_server.page import words
from cadenza_server.page.assets import Assets
from cadenza_server.page.queries import count_waiting, load_everywhere
from cadenza_server.page.session import csrf_token
from cadenza_server.settings import ServerSettings

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "cadenza_theme"


@dataclass(frozen=True)
class Person:
    """The signed-in user, as every page shows them."""

    id: int
    name: str
    email: str
    is_teacher: bool
    initials: str


class Pages:
    """The templates and static files of one app; in `app.state.pages`."""

    def __init__(self, settings: ServerSettings) -> None:
        self.assets = Assets.load()
        self.templates = Environment(
            loader=PackageLoader("cadenza_server.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=settings.is_dev,
        )
        self.templates.globals.update(asset=self.assets.url, place=words.place)
        self.templates.filters.update(
            clock=words.clock,
            span=words.span,
            initials=words.initials,
            plural=words.plural,
            stamp=lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def answer(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
        store: str | None = None,
    ) -> HTMLResponse:
        """Draw one page.

        Args:
            request: what was asked.
            template: a file of `templates/`.
            values: what it shows.
            status: of the answer.
            store: an address in the object store, when the page shows what is there.
        """
        theme = request.cookies.get(THEME_COOKIE)
        text = self.templates.get_template(template).render(
            path=request.url.path,
            theme=theme if theme in THEMES else "auto",
            **values,
        )
        return HTMLResponse(text, status, headers=_headers(base_url(request), store))


def pages_of(request: Request) -> Pages:
    """The templates of the app that got the request."""
    pages: Pages = request.app.state.pages
    return pages


def render(
    ctx: Context, request: Request, template: str, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Draw a page for the signed-in user.

    Every page knows `user`, `csrf`, `now`, the counts of the navigation, and `live_after`: from
    where on it has to hear of events.
    """
    services = ctx.services
    shown = {**everywhere(ctx), **values, "now": ctx.now(), "is_dev": services.settings.is_dev}
    store = ctx.storage.presign_get("any", expires_in=60)
    return pages_of(request).answer(request, template, shown, status=status, store=store)


def render_open(
    request: Request, template: str, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Draw a page for anybody."""
    services = services_of(request)
    shown = {"user": None, "now": services.clock(), "is_dev": services.settings.is_dev, **values}
    return pages_of(request).answer(request, template, shown, status=status)


def everywhere(ctx: Context) -> dict[str, Any]:
    """What the frame of every page shows of the signed-in user."""
    actor = ctx.actor
    is_teacher = actor.user_type == "teacher"
    with ctx.db.reading() as session:
        facts = load_everywhere(session, actor.id)
        waiting = count_waiting(session, actor.id) if is_teacher else 0
    name = facts.full_name or actor.email
    return {
        "user": Person(actor.id, name, actor.email, is_teacher, words.initials(name)),
        "csrf": csrf_token(ctx.services.keyring, actor.id),
        "unread_count": facts.unread,
        "waiting_count": waiting,
        "live_after": facts.last_seq,
    }


def _headers(own_url: str, store: str | None) -> dict[str, str]:
    origin = _origin(store) if store else ""
    # The store may be this server: then it is 'self', however the browser reached us.
    other = f" {origin}" if origin and origin != _origin(own_url) else ""
    policy = (
        "default-src 'self'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' blob:{other}; media-src 'self' blob:{other}; "
        f"connect-src 'self'{other}; object-src 'none'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'self'"
    )
    return {
        "Content-Security-Policy": policy,
        # What a signed-in user saw is not for whoever presses Back on a shared tablet.
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Vary": "Cookie, Accept",
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
