"""Signing in, tokens and their end, teachers and students."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import jwt
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlmodel import select

from cadenza_server import auth
from cadenza_server.auth import Passwords, issue_token
from cadenza_server.keyring import Keyring
from cadenza_server.tables import UploadEvent, User
from tests.server.world import World

SECRET = "a secret that is long enough to be one"
PASSWORD = "correct horse battery"


def _set_user(world: World, name: str, **values: object) -> None:
    with world.services.db.writing() as session:
        user = session.get(User, world.people[name])
        assert user is not None
        for key, value in values.items():
            setattr(user, key, value)


def _login(world: World, email: str, password: str) -> tuple[int, dict[str, object]]:
    response = world.http.post("/auth/login", json={"email": email, "password": password})
    return response.status_code, response.json()


def test_health_says_what_the_server_speaks(world: World) -> None:
    answer = world.http.get("/health").json()

    assert answer == {
        "status": "ok",
        "version": world.app.version,
        "time": "2026-11-20T17:00:00Z",
        "profiles": ["v1", "v2"],
    }


# ── passwords ──────────────────────────────────────────────────────────────────


def test_a_password_signs_in(world: World) -> None:
    _set_user(world, "student", password_hash=Passwords().hash(PASSWORD))

    status, answer = _login(world, "  Student@Studio.example", PASSWORD)

    assert status == 200
    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 30 * 86_400
    me = world.http.get("/auth/me", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert me.json() == answer["user"]
    assert me.json() == {
        "id": world.people["student"],
        "email": "student@studio.example",
        "full_name": "Student",
        "user_type": "student",
        "teacher_id": world.people["teacher"],
        "created_at": "2026-09-21T17:00:00Z",
    }


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("student@studio.example", "wrong"),
        ("student@studio.example", ""),
        ("nobody@studio.example", PASSWORD),
        ("teacher@studio.example", PASSWORD),
    ],
    ids=["wrong password", "no password", "nobody", "has no password"],
)
def test_every_failed_sign_in_looks_the_same(world: World, email: str, password: str) -> None:
    _set_user(world, "student", password_hash=Passwords().hash(PASSWORD))

    status, answer = _login(world, email, password)

    assert (status, answer["code"]) == (401, "unauthorized")
    assert answer["detail"] == "Wrong e-mail or password."


def test_the_decoy_costs_as_much_as_a_real_hash() -> None:
    real = Passwords().hash("x")

    assert real.split("$")[:4] == auth._DECOY.split("$")[:4]
    assert len(real) == len(auth._DECOY)
    assert Passwords().verify("", None) == (False, None)


def test_an_old_hash_is_renewed_at_the_next_sign_in(world: World) -> None:
    weak = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    old = weak.hash(PASSWORD)
    _set_user(world, "student", password_hash=old)

    assert _login(world, "student@studio.example", PASSWORD)[0] == 200

    with world.services.db.reading() as session:
        user = session.get(User, world.people["student"])
        assert user is not None
        assert user.password_hash is not None
    assert user.password_hash.split("$")[3] != old.split("$")[3]
    assert _login(world, "student@studio.example", PASSWORD)[0] == 200


def test_a_deleted_user_can_neither_sign_in_nor_go_on(world: World) -> None:
    headers = {"Authorization": f"Bearer dev_token_user_{world.people['student']}"}
    _set_user(world, "student", password_hash=Passwords().hash(PASSWORD), deleted_at=world.clock())

    assert _login(world, "student@studio.example", PASSWORD)[0] == 401
    assert world.http.get("/auth/me", headers=headers).status_code == 401


# ── tokens ─────────────────────────────────────────────────────────────────────


def _me(world: World, token: str) -> tuple[int, str | None]:
    response = world.http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    return response.status_code, response.json().get("code")


def _issue(world: World, keyring: Keyring | None = None) -> str:
    keyring = keyring or world.services.keyring
    return issue_token(keyring, world.people["student"], now=world.clock(), days=30)


def test_a_token_is_what_the_ios_client_knows(world: World) -> None:
    claims = jwt.decode(_issue(world), options={"verify_signature": False})

    assert claims["sub"] == str(world.people["student"])
    assert claims["exp"] == int((world.clock() + timedelta(days=30)).timestamp())


def test_a_token_ends_by_the_servers_clock_and_says_so(world: World) -> None:
    token = _issue(world)

    world.clock.advance(days=30, seconds=-1)
    assert _me(world, token) == (200, None)
    world.clock.advance(seconds=1)
    assert _me(world, token) == (401, "signin_required")


def test_a_refusal_names_the_scheme(world: World) -> None:
    response = world.http.get("/auth/me")

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("claims", [{"exp": 2**40}, {"sub": "1"}, {"sub": "x", "exp": 2**40}])
def test_a_token_without_its_claims_is_none(world: World, claims: dict[str, object]) -> None:
    key = world.services.keyring.key("token")
    assert key is not None

    assert _me(world, jwt.encode(claims, key, algorithm="HS256")) == (401, "unauthorized")


def test_a_rotated_secret_signs_nobody_out(make_world: Callable[..., World]) -> None:
    world = make_world(
        env="prod",
        secret="the new secret, and it is long enough",
        secret_id="k2",
        previous_secrets={"k1": SECRET},
    )
    old = Keyring("k1", {"k1": SECRET.encode()})
    unknown = Keyring("k0", {"k0": SECRET.encode()})

    assert _me(world, _issue(world, old)) == (200, None)
    assert _me(world, _issue(world)) == (200, None)
    assert _me(world, _issue(world, unknown)) == (401, "unauthorized")


def test_dev_shortcuts_exist_in_dev_only(make_world: Callable[..., World]) -> None:
    dev, prod = make_world(), make_world(env="prod", secret=SECRET)
    path = "/auth/dev-login?email=Teacher@studio.example"

    signed_in = dev.http.post(path)
    assert signed_in.status_code == 200
    assert _me(dev, signed_in.json()["access_token"]) == (200, None)
    assert prod.http.post(path).status_code == 404
    assert prod.ask("student", "GET", "/auth/me").status_code == 401
    nobody = dev.http.post("/auth/dev-login?email=nobody@studio.example")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "not_found")


# ── teachers and students ──────────────────────────────────────────────────────


def test_who_teaches_and_who_learns(world: World) -> None:
    students = world.ask("teacher", "GET", "/users/my-students").json()

    assert [student["full_name"] for student in students] == ["Second Student", "Student"]
    assert world.ask("student", "GET", "/users/my-teacher").json()["full_name"] == "Teacher"
    assert world.ask("teacher", "GET", "/users/my-teacher").json() is None


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("nobody@studio.example", (404, "not_found")),
        ("other_student@studio.example", (404, "not_found")),
        ("student@studio.example", (404, "not_found")),
        ("", (404, "not_found")),
    ],
)
def test_only_a_teacher_can_be_chosen(world: World, email: str, expected: tuple[int, str]) -> None:
    response = world.ask("student", "POST", "/users/set-teacher", params={"teacher_email": email})

    assert (response.status_code, response.json()["code"]) == expected


def test_choosing_the_same_teacher_again_keeps_what_was_decided(world: World) -> None:
    params = {"teacher_email": "TEACHER@studio.example"}
    submission_id = world.uploaded()
    world.clock.advance(days=1)

    assert world.ask("student", "POST", "/users/set-teacher", params=params).status_code == 200
    assert world.ask("teacher", "GET", f"/video-submissions/{submission_id}").status_code == 200

    params["share_history"] = "false"
    world.ask("student", "POST", "/users/set-teacher", params=params)
    with world.services.db.reading() as session:
        facts = session.scalars(select(UploadEvent).where(UploadEvent.event == "teacher_set"))
        assert [line.data["share_history"] for line in facts] == [True, False]
