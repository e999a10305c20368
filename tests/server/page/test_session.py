"""The page's cookie: accepted by the API, and no use to another site."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cadenza_server.auth import issue_token
from cadenza_server.page.session import COOKIE, csrf_token, local_path
from tests.server.world import BASE_URL, World


def cookie(world: World, who: str, days: int = 30) -> str:
    services = world.services
    return issue_token(services.keyring, world.people[who], now=world.clock(), days=days)


def ask(world: World, method: str, path: str, value: str, **headers: str) -> httpx.Response:
    all_headers = {"Cookie": f"{COOKIE}={value}", **headers}
    return world.http.request(method, path, headers=all_headers, **_body(method))


def _body(method: str) -> dict[str, Any]:
    return {"json": {"title": "Gavotte"}} if method == "POST" else {}


def test_the_cookie_signs_a_request_in(world: World) -> None:
    answer = ask(world, "GET", "/auth/me", cookie(world, "student"))
    assert answer.json()["id"] == world.people["student"]


def test_a_change_by_cookie_alone_is_refused(world: World) -> None:
    answer = ask(world, "POST", "/pieces", cookie(world, "student"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert world.ask("student", "GET", "/pieces").json()[0]["title"] == "Bourrée"


def test_a_change_with_the_pages_own_token_is_accepted(world: World) -> None:
    token = csrf_token(world.services.keyring, world.people["student"])
    answer = ask(world, "POST", "/pieces", cookie(world, "student"), **{"X-CSRF-Token": token})
    assert answer.status_code == 201


@pytest.mark.parametrize("kind", ["of another", "cut", "no hex", "other key", "empty"])
def test_a_token_that_is_not_ones_own_is_refused(world: World, kind: str) -> None:
    keyring = world.services.keyring
    own = csrf_token(keyring, world.people["student"])
    token = {
        "of another": csrf_token(keyring, world.people["teacher"]),
        "cut": own[:-2],
        "no hex": "k1.zz",
        "other key": own.replace("k1.", "k9."),
        "empty": "",
    }[kind]
    answer = ask(world, "POST", "/pieces", cookie(world, "student"), **{"X-CSRF-Token": token})
    assert answer.status_code == 403


def test_a_bearer_needs_no_such_token_and_goes_before_the_cookie(world: World) -> None:
    headers = {"Authorization": f"Bearer {cookie(world, 'teacher')}"}
    answer = ask(world, "GET", "/auth/me", cookie(world, "student"), **headers)
    assert answer.json()["id"] == world.people["teacher"]
    made = ask(world, "POST", "/pieces", "nonsense", **headers)
    assert made.status_code == 201


def test_a_wrong_bearer_does_not_fall_back_on_the_cookie(world: World) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    assert ask(world, "GET", "/auth/me", cookie(world, "student"), **headers).status_code == 401


def test_an_expired_cookie_is_told_apart_from_a_forged_one(world: World) -> None:
    value = cookie(world, "student", days=1)
    world.clock.advance(days=2)
    assert ask(world, "GET", "/auth/me", value).json()["code"] == "signin_required"
    assert ask(world, "GET", "/auth/me", "forged").json()["code"] == "unauthorized"


def test_a_dev_shortcut_is_no_cookie(world: World) -> None:
    answer = ask(world, "GET", "/auth/me", f"dev_token_user_{world.people['student']}")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/inbox?sort=piece", "/inbox?sort=piece"),
        (None, "/"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/a\\b", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(target: str | None, path: str) -> None:
    assert local_path(target) == path
    assert BASE_URL not in path
