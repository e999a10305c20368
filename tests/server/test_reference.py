"""Pieces and their pages, routines, exercises, practice sessions."""

from __future__ import annotations

import struct
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.server.world import World

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 2480, 3508)
JPEG = (
    b"\xff\xd8\xff\xe1\x00\x08Exif\x00\x00"
    b"\xff\xff\xc0\x00\x11\x08" + struct.pack(">HH", 1754, 1240) + b"\x03"
)


def _code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def _put_page(
    world: World, number: object, data: bytes, who: str = "student", **params: Any
) -> httpx.Response:
    path = f"/pieces/{world.piece_id}/pages/{number}"
    headers = {"Content-Type": "image/png"}
    return world.ask(who, "PUT", path, content=data, headers=headers, params=params)


# ── pieces ─────────────────────────────────────────────────────────────────────


def test_a_piece_is_added_listed_and_read(world: World) -> None:
    body = {"title": "  Air  ", "page_count": 4, "pdf_filename": "air.pdf"}
    created = world.ask("student", "POST", "/pieces", json=body)

    assert created.status_code == 201
    assert created.json()["title"] == "Air"
    titles = [piece["title"] for piece in world.ask("student", "GET", "/pieces").json()]
    assert titles == ["Air", "Bourrée"]
    read = world.ask("teacher", "GET", f"/pieces/{created.json()['id']}")
    assert read.json() == created.json() | {"pages": []}


def test_pieces_come_in_pages(world: World) -> None:
    for title in ("Air", "Air", "Zwiefacher"):
        world.ask("student", "POST", "/pieces", json={"title": title})

    titles, url = [], "/pieces?limit=1"
    while url:
        page = world.ask("student", "GET", url)
        assert page.headers["x-total-count"] == "4"
        titles += [piece["title"] for piece in page.json()]
        url = page.links.get("next", {}).get("url", "")

    assert titles == ["Air", "Air", "Bourrée", "Zwiefacher"]


@pytest.mark.parametrize("body", [{}, {"title": "  "}, {"title": "x" * 201}, {"title": 5}, []])
def test_a_piece_needs_a_title(world: World, body: Any) -> None:
    assert _code(world.ask("student", "POST", "/pieces", json=body)) == (422, "invalid")


def test_a_piece_of_the_assigned_routine_is_visible(world: World) -> None:
    air = world.ask("teacher", "POST", "/pieces", json={"title": "Air"}).json()
    path = f"/pieces/{air['id']}"
    assert world.ask("student", "GET", path).status_code == 403

    body = {"piece_id": air["id"], "start_page": 2, "intentions": "slowly"}
    world.ask("teacher", "POST", f"/routines/{world.routine_id}/exercises", json=body)

    assert world.ask("student", "GET", path).status_code == 200
    assert world.ask("second_student", "GET", path).status_code == 403
    titles = [piece["title"] for piece in world.ask("student", "GET", "/pieces").json()]
    assert titles == ["Air", "Bourrée"]
    copy = world.ask(
        "student", "POST", "/pieces", json={"title": "Air", "shared_from_piece_id": air["id"]}
    )
    assert copy.json()["shared_from_piece_id"] == air["id"]
    assert _code(
        world.ask(
            "second_student",
            "POST",
            "/pieces",
            json={"title": "Air", "shared_from_piece_id": air["id"]},
        )
    ) == (403, "forbidden")


def test_pages_are_stored_measured_and_shown_in_order(world: World) -> None:
    second = _put_page(world, 2, JPEG)
    first = _put_page(world, 1, PNG, measure_start=1, measure_end=24)

    assert (first.status_code, second.status_code) == (200, 200)
    pages = world.ask("teacher", "GET", f"/pieces/{world.piece_id}").json()["pages"]
    assert [page | {"image_url": ""} for page in pages] == [
        {
            "page_number": 1,
            "image_url": "",
            "width": 2480,
            "height": 3508,
            "measure_start": 1,
            "measure_end": 24,
        },
        {
            "page_number": 2,
            "image_url": "",
            "width": 1240,
            "height": 1754,
            "measure_start": None,
            "measure_end": None,
        },
    ]
    picture = world.http.get(pages[1]["image_url"])
    assert (picture.content, picture.headers["content-type"]) == (JPEG, "image/jpeg")


def test_a_page_can_be_replaced(world: World) -> None:
    _put_page(world, 1, PNG)
    _put_page(world, 1, JPEG)

    pages = world.ask("student", "GET", f"/pieces/{world.piece_id}").json()["pages"]

    assert [page["width"] for page in pages] == [1240]
    assert world.http.get(pages[0]["image_url"]).content == JPEG


@pytest.mark.parametrize(
    ("number", "data", "expected"),
    [
        (1, b"%PDF-1.7", (415, "unsupported_media")),
        (1, PNG[:20], (415, "unsupported_media")),
        (0, PNG, (422, "invalid_id")),
        ("x", PNG, (422, "invalid_id")),
        (1, PNG + b"\0" * (10 * 1024 * 1024), (413, "too_large")),
        (1, b"", (422, "invalid")),
    ],
)
def test_what_is_no_page_is_refused(
    world: World, number: object, data: bytes, expected: tuple[int, str]
) -> None:
    assert _code(_put_page(world, number, data)) == expected


# ── routines ───────────────────────────────────────────────────────────────────


def test_a_routine_grows_and_is_given_to_a_student(world: World) -> None:
    world.clock.advance(minutes=1)
    routine = world.ask("teacher", "POST", "/routines", json={"title": "Week 3"}).json()
    path = f"/routines/{routine['id']}/exercises"
    for body in (
        {"title": "Long notes", "recommended_time_seconds": 300},
        {"title": "Last", "order_index": 7},
        {"title": "Really last"},
        {"title": "First", "order_index": 0},
    ):
        assert world.ask("teacher", "POST", path, json=body).status_code == 201

    assigned = world.ask(
        "teacher",
        "POST",
        f"/students/{world.people['student']}/assign-routine",
        json={"routine_id": routine["id"]},
    )

    assert assigned.status_code == 200
    current = world.ask("student", "GET", "/my-current-routine").json()
    assert current == assigned.json()
    assert [e["order_index"] for e in current["exercises"]] == [0, 0, 7, 8]
    assert {e["title"] for e in current["exercises"][:2]} == {"First", "Long notes"}
    listed = world.ask("teacher", "GET", "/routines").json()
    assert [r["title"] for r in listed] == ["Half hour", "Week 3"]
    assert world.ask("second_student", "GET", "/my-current-routine").json() is None


def test_nobody_hands_out_somebody_elses_routine(world: World) -> None:
    theirs = world.ask("other_teacher", "POST", "/routines", json={"title": "Theirs"}).json()
    path = f"/students/{world.people['student']}/assign-routine"

    assert _code(world.ask("teacher", "POST", path, json={"routine_id": theirs["id"]})) == (
        403,
        "forbidden",
    )
    assert _code(world.ask("teacher", "POST", path, json={"routine_id": str(uuid4())})) == (
        404,
        "not_found",
    )


def test_an_exercise_needs_a_piece_one_may_see(world: World) -> None:
    path = f"/routines/{world.routine_id}/exercises"
    foreign = {"piece_id": str(world.foreign_piece_id)}

    assert _code(world.ask("teacher", "POST", path, json=foreign)) == (403, "forbidden")
    unknown = {"piece_id": str(uuid4())}
    assert _code(world.ask("teacher", "POST", path, json=unknown)) == (404, "not_found")
    students = {"piece_id": str(world.piece_id)}
    assert world.ask("teacher", "POST", path, json=students).status_code == 201


# ── practice sessions ──────────────────────────────────────────────────────────


def test_a_session_is_timed_by_the_server_unless_told(world: World) -> None:
    timed = world.ask("student", "POST", "/sessions", json={}).json()
    told = world.ask(
        "student", "POST", "/sessions", json={"routine_id": str(world.routine_id)}
    ).json()
    world.clock.advance(minutes=25)

    timed = world.ask("student", "PUT", f"/sessions/{timed['id']}/complete").json()
    told = world.ask(
        "student", "PUT", f"/sessions/{told['id']}/complete", json={"duration_seconds": 900}
    ).json()

    assert timed["completed_at"] == "2026-11-20T17:25:00Z"
    assert (timed["duration_seconds"], told["duration_seconds"]) == (1500, 900)
    assert told["routine_id"] == str(world.routine_id)


def test_a_session_is_completed_once(world: World) -> None:
    path = f"/sessions/{world.session_id}/complete"
    first = world.ask("student", "PUT", path, json={"duration_seconds": 0}).json()
    world.clock.advance(hours=1)

    again = world.ask("student", "PUT", path, json={"duration_seconds": 999}).json()

    assert first == again
    assert first["duration_seconds"] == 0


def test_a_session_with_a_routine_one_was_not_given(world: World) -> None:
    body = {"routine_id": str(world.routine_id)}

    assert _code(world.ask("second_student", "POST", "/sessions", json=body)) == (403, "forbidden")
    body = {"routine_id": str(uuid4())}
    assert _code(world.ask("student", "POST", "/sessions", json=body)) == (404, "not_found")
    path = f"/sessions/{uuid4()}/complete"
    assert _code(world.ask("student", "PUT", path, json={})) == (404, "not_found")
