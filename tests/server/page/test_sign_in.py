"""The sign-in form: who gets a cookie, what kind of cookie, and where it leads."""

from __future__ import annotations

import re

import httpx
import pytest

from cadenza_server.page.session import COOKIE
from cadenza_server.tables import User
from tests.server.world import World

PASSWORD = "correct horse"
SECRET = "s" * 40
PAGE = {"Accept": "text/html"}


def post(
    world: World, path: str, headers: dict[str, str] | None = None, **form: str
) -> httpx.Response:
    return world.http.post(path, data=form, headers={**PAGE, **(headers or {})})


def give_password(world: World, who: str) -> None:
    with world.services.db.writing() as session:
        user = session.get(User, world.people[who])
        assert user is not None
        user.password_hash = world.services.passwords.hash(PASSWORD)


def test_in_dev_a_click_signs_in_and_leads_to_where_one_wanted_to_be(world: World) -> None:
    page = world.http.get("/login?next=/students", headers=PAGE)
    assert 'value="student@studio.example"' in page.text
    answer = post(world, "/login", pick="student@studio.example", next="/students")
    assert (answer.status_code, answer.headers["location"]) == (303, "/students")
    assert world.http.get("/auth/me").json()["id"] == world.people["student"]


def test_the_cookie_is_out_of_scripts_reach(world: World) -> None:
    cookie = post(world, "/login", pick="student@studio.example").headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=2592000"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_outside_dev_it_travels_over_tls_only_and_nobody_can_be_picked(make_world) -> None:  # type: ignore[no-untyped-def]
    world: World = make_world(env="prod", secret=SECRET)
    assert "student@studio.example" not in world.http.get("/login", headers=PAGE).text
    assert post(world, "/login", pick="student@studio.example").status_code == 401
    give_password(world, "student")
    answer = post(world, "/login", email="Student@Studio.example", password=PASSWORD)
    assert answer.status_code == 303
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("student@studio.example", "wrong", "Wrong e-mail or password."),
        ("nobody@studio.example", PASSWORD, "Wrong e-mail or password."),
        ("", "", "Enter your e-mail and your password."),
    ],
)
def test_a_refusal_says_why_and_keeps_what_was_typed(
    world: World, email: str, password: str, sentence: str
) -> None:
    give_password(world, "student")
    answer = post(world, "/login", email=email, password=password, next="/inbox")
    assert answer.status_code == 401
    assert sentence in answer.text
    assert "set-cookie" not in answer.headers
    assert f'value="{email}"' in answer.text
    assert 'value="/inbox"' in answer.text
    assert "wrong" not in answer.text


def test_guessing_is_slowed_down_by_account(make_world) -> None:  # type: ignore[no-untyped-def]
    world: World = make_world(rate_auth_per_minute=3)
    for _ in range(3):
        post(world, "/login", email="student@studio.example", password="guess")
    answer = post(world, "/login", email="student@studio.example", password="guess")
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_sign_a_visitor_in(world: World, headers: dict[str, str]) -> None:
    answer = post(world, "/login", headers, pick="student@studio.example")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://cadenza.test"}, {}]
)
def test_our_own_form_can(world: World, headers: dict[str, str]) -> None:
    assert post(world, "/login", headers, pick="student@studio.example").status_code == 303


def test_what_is_typed_is_never_markup(world: World) -> None:
    answer = post(world, "/login", email='"><script>alert(1)</script>', password="x")
    assert "<script>alert" not in answer.text


def test_signing_out_takes_the_cookie_back_and_only_our_page_may_ask(world: World) -> None:
    post(world, "/login", pick="student@studio.example")
    assert post(world, "/logout").status_code == 403
    assert world.http.get("/auth/me").status_code == 200
    page = world.http.get("/no-such-page", headers=PAGE).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    answer = post(world, "/logout", csrf_token=token[1])
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert world.http.get("/auth/me").status_code == 401
    assert post(world, "/logout").status_code == 303


def test_an_unknown_address_is_a_page_for_browsers_and_json_for_programs(world: World) -> None:
    page = world.http.get("/no-such-page", headers=PAGE)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in page.text
    assert world.http.get("/no-such-page").json()["code"] == "not_found"
    assert world.http.post("/health", headers=PAGE).json()["code"] == "invalid"
