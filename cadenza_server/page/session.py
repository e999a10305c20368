"""The page's session: a cookie the browser sends by itself, and what keeps others from using it.

The cookie holds the same token that programs send as a bearer. Since a browser attaches it to
whatever any site makes it send, a request that changes something must also carry a value that
only our own pages know (`X-CSRF-Token`), and a sign-in must come from our own form.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from cadenza_server.auth import bearer_of, issue_token, read_token
from cadenza_server.errors import ApiError
from cadenza_server.keyring import Keyring
from cadenza_server.settings import ServerSettings

COOKIE = "cadenza_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OUT_OF_DATE = "This page is out of date. Reload it and try again."


def authenticate(request: Request, keyring: Keyring, *, now: datetime, dev: bool) -> int:
    """The id of the user who asks: by bearer token, or by the page's cookie when there is none.

    Raises:
        ApiError: `unauthorized`, `signin_required`; `forbidden` for an unsafe request by cookie
            that does not come from one of our pages.
    """
    header = request.headers.get("authorization")
    cookie = request.cookies.get(COOKIE)
    if header is not None or not cookie:
        return read_token(keyring, bearer_of(header), now=now, dev=dev)
    user_id = cookie_user(cookie, keyring, now=now)
    if request.method not in _SAFE_METHODS:
        require_csrf(keyring, user_id, request.headers.get(CSRF_HEADER))
    return user_id


def cookie_user(cookie: str, keyring: Keyring, *, now: datetime) -> int:
    """The user id in a session cookie; the dev shortcut tokens are no cookies.

    Raises:
        ApiError: `unauthorized`, `signin_required`.
    """
    return read_token(keyring, cookie, now=now, dev=False)


def csrf_token(keyring: Keyring, user_id: int) -> str:
    """What our pages carry in `<meta name="csrf-token">` and send back with every change."""
    signature = keyring.sign("csrf", _csrf_message(user_id))
    return f"{keyring.current_id}.{signature.hex()}"


def require_csrf(keyring: Keyring, user_id: int, token: str | None) -> None:
    """Refuse a change that does not come from one of our pages.

    Raises:
        ApiError: `forbidden`.
    """
    key_id, _, digest = (token or "").partition(".")
    try:
        signature = bytes.fromhex(digest)
    except ValueError:
        signature = b""
    if not keyring.verify("csrf", key_id, _csrf_message(user_id), signature):
        raise ApiError("forbidden", _OUT_OF_DATE)


def require_own_form(request: Request, own_url: str) -> None:
    """Refuse a form another site sent: it could sign the visitor in as somebody else.

    Raises:
        ApiError: `forbidden`.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_ours = site in ("same-origin", "none")
    else:
        ours = {urlsplit(own_url).netloc, request.headers.get("host", "")}
        is_ours = origin is None or urlsplit(origin).netloc in ours
    if not is_ours:
        raise ApiError("forbidden", "This form was sent from another site.")


def open_session(
    response: Response, settings: ServerSettings, keyring: Keyring, user_id: int, *, now: datetime
) -> None:
    """Give the browser its cookie: out of scripts' reach, and over TLS only outside dev."""
    token = issue_token(keyring, user_id, now=now, days=settings.token_days)
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings.token_days * 86_400,
        path="/",
        secure=not settings.is_dev,
        httponly=True,
        samesite="lax",
    )


def close_session(response: Response, settings: ServerSettings) -> None:
    """Take the cookie back."""
    response.delete_cookie(
        COOKIE, path="/", secure=not settings.is_dev, httponly=True, samesite="lax"
    )


def local_path(target: str | None) -> str:
    """Where to go after signing in: a path of this server, never another site."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return "/"
    return target if target.isprintable() and "\\" not in target else "/"


def _csrf_message(user_id: int) -> bytes:
    return f"page:{user_id}".encode()
