"""Coming in and going out."""

from __future__ import annotations

from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, StringConstraints
from sqlmodel import col, select
from starlette.responses import RedirectResponse

from cadenza_server.auth import find_by_email, normalise_email
from cadenza_server.context import Services, SignInLimit, base_url, services_of
from cadenza_server.errors import ApiError
from cadenza_server.page.rendering import render_open
from cadenza_server.page.routing import OpenPage
from cadenza_server.page.session import (
    COOKIE,
    close_session,
    cookie_user,
    local_path,
    open_session,
    require_csrf,
    require_own_form,
)
from cadenza_server.page.words import initials
from cadenza_server.routes.identity import check_password
from cadenza_server.schemas import NO_NUL
from cadenza_server.tables import User

router = APIRouter(route_class=OpenPage, include_in_schema=False)
#: In dev the page offers everybody; a database with more people is no demo.
_MOST_PEOPLE = 12


class SignInForm(BaseModel):
    """What the form sends; no password where `CADENZA_ENV` is `dev` and a person was picked."""

    email: Annotated[str, StringConstraints(max_length=254, pattern=NO_NUL)] = ""
    password: Annotated[str, StringConstraints(max_length=1024)] = ""
    pick: Annotated[str, StringConstraints(max_length=254, pattern=NO_NUL)] = ""
    next: Annotated[str, StringConstraints(max_length=2000)] = ""


@router.get("/login")
async def login_page(
    request: Request,
    target: Annotated[str, Query(alias="next", max_length=2000)] = "",
    expired: bool = False,
) -> Response:
    """The form."""
    return await run_sync(_form, request, local_path(target), "", "", 200, expired)


@router.post("/login", dependencies=[SignInLimit])
async def login(request: Request, form: Annotated[SignInForm, Form()]) -> Response:
    """Check who it is, give the cookie, go on to where they wanted to be."""
    require_own_form(request, base_url(request))
    services = services_of(request)
    target = local_path(form.next)
    try:
        user_id = await run_sync(_identify, services, form)
    except ApiError as error:
        return await run_sync(_form, request, target, form.email, error.detail, error.status, False)
    answer = RedirectResponse(target, 303)
    answer.headers["Cache-Control"] = "no-store"
    open_session(answer, services.settings, services.keyring, user_id, now=services.clock())
    return answer


@router.post("/logout")
async def logout(
    request: Request, csrf: Annotated[str, Form(alias="csrf_token", max_length=200)] = ""
) -> Response:
    """Take the cookie back; only our own page may ask for it."""
    services = services_of(request)
    try:
        user_id = cookie_user(
            request.cookies.get(COOKIE, ""), services.keyring, now=services.clock()
        )
    except ApiError:
        pass  # signed out already
    else:
        require_csrf(services.keyring, user_id, csrf)
    answer = RedirectResponse("/login", 303)
    answer.headers["Cache-Control"] = "no-store"
    close_session(answer, services.settings)
    return answer


def _identify(services: Services, form: SignInForm) -> int:
    if form.pick and services.settings.is_dev:
        with services.db.reading() as session:
            picked = find_by_email(session, form.pick)
        if picked is None or picked.id is None:
            raise ApiError("unauthorized", "Nobody here has this e-mail any more.")
        return picked.id
    if not form.email.strip() or not form.password:
        raise ApiError("unauthorized", "Enter your e-mail and your password.")
    user = check_password(services, normalise_email(form.email), form.password)
    assert user.id is not None
    return user.id


def _form(
    request: Request, target: str, email: str, error: str, status: int, expired: bool
) -> Response:
    values: dict[str, Any] = {
        "people": _people(services_of(request)),
        "target": target,
        "email": email,
        "error": error,
        "expired": expired,
    }
    return render_open(request, "login.html", status=status, **values)


def _people(services: Services) -> list[dict[str, str]]:
    """Whom one may be with a click; nobody outside dev."""
    if not services.settings.is_dev:
        return []
    query = (
        select(User)
        .where(col(User.deleted_at).is_(None))
        .order_by(col(User.user_type).desc(), col(User.id))
        .limit(_MOST_PEOPLE)
    )
    with services.db.reading() as session:
        people = list(session.exec(query))
    return [
        {
            "email": person.email,
            "name": person.full_name or person.email,
            "kind": person.user_type or "",
            "initials": initials(person.full_name or person.email),
        }
        for person in people
    ]
