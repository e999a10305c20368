"""Setting a server up, as the command does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from cadenza_server import ServerSettings, admin, create_app
from tests.server.world import BASE_URL, InProcess

SECRET = "a secret that is long enough to be one"


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(data_dir=tmp_path / "data")


def _client(settings: ServerSettings) -> httpx.Client:
    return httpx.Client(transport=InProcess(create_app(settings)), base_url=BASE_URL)


def test_init_makes_what_is_needed_and_can_be_repeated(settings: ServerSettings) -> None:
    admin.init(settings)
    admin.init(settings)

    assert (settings.data_dir / "cadenza.db").is_file()
    assert settings.objects_dir.is_dir()


def test_a_student_and_her_teacher_can_sign_in(settings: ServerSettings) -> None:
    teacher_id = admin.add_user(
        settings, email="Tessa@Studio.example", role="teacher", password="long enough"
    )
    student_id = admin.add_user(
        settings,
        email="sam@studio.example",
        full_name="Sam",
        password="long enough too",
        teacher_email="tessa@studio.example",
    )

    with _client(settings) as http:
        body = {"email": "sam@studio.example", "password": "long enough too"}
        answer = http.post("/auth/login", json=body).json()
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        teacher = http.get("/users/my-teacher", headers=headers).json()

    assert answer["user"]["id"] == student_id
    assert (teacher["id"], teacher["email"]) == (teacher_id, "tessa@studio.example")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"email": "nobody"}, "not an e-mail"),
        ({"email": " @ "}, "not an e-mail"),
        ({"email": "TAKEN@studio.example"}, "has an account already"),
        ({"email": "x@studio.example", "password": "short"}, "at least 8 characters"),
        ({"email": "x@studio.example", "teacher_email": "who@x.example"}, "No teacher"),
        ({"email": "x@studio.example", "teacher_email": "taken@studio.example"}, "No teacher"),
    ],
)
def test_what_can_not_be_added_is_told(
    settings: ServerSettings, fields: dict[str, Any], message: str
) -> None:
    admin.add_user(settings, email="taken@studio.example")

    with pytest.raises(admin.AdminError, match=message):
        admin.add_user(settings, **fields)


def test_a_user_without_a_password_can_not_sign_in_by_one(settings: ServerSettings) -> None:
    admin.add_user(settings, email="sam@studio.example")

    with _client(settings) as http:
        for password in ("", "None"):
            body = {"email": "sam@studio.example", "password": password}
            assert http.post("/auth/login", json=body).status_code == 401


def test_the_demo_is_the_same_every_time_and_works(settings: ServerSettings) -> None:
    demo = admin.seed_demo(settings)

    assert admin.seed_demo(settings) == demo
    assert demo.password not in repr(demo)
    with _client(settings) as http:
        body = {"email": demo.student_email, "password": demo.password}
        token = http.post("/auth/login", json=body).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        pieces = http.get("/pieces", headers=headers).json()
        routine = http.get("/my-current-routine", headers=headers).json()
        created = [
            http.post("/video-submissions", json=context | {"duration_seconds": 5}, headers=headers)
            for context in (
                {"piece_id": str(demo.piece_id)},
                {"exercise_id": str(demo.exercise_id)},
            )
        ]
    assert [piece["title"] for piece in pieces] == [demo.piece_title]
    assert routine["exercises"][0]["id"] == str(demo.exercise_id)
    assert [answer.status_code for answer in created] == [201, 201]


def test_no_demo_outside_dev(tmp_path: Path) -> None:
    settings = ServerSettings(data_dir=tmp_path, env="prod", secret=SECRET)

    with pytest.raises(admin.AdminError, match="public password"):
        admin.seed_demo(settings)
    assert list(tmp_path.iterdir()) == []
