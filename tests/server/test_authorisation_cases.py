"""Ways round the rule: foreign ids, ids of another kind, extra fields, the deleted, new teachers.

All of it over the routes of `authorisation.TABLE`, so a new route is tried as well.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import sqlalchemy as sa

from cadenza_server.tables import metadata
from tests.server.authorisation import SEE, TABLE, placeholders, prepare
from tests.server.databases import ON_SQLITE
from tests.server.makers import MAKERS
from tests.server.test_authorisation import call, filled
from tests.server.world import World

_KINDS = sorted(name for name in MAKERS if name.endswith("_id") and name != "new_id")
_API = [route for route, row in TABLE.items() if not row.page]
_WITH_ID = [route for route in _API if any(name in _KINDS for name in placeholders(route))]
_WITH_SUBMISSION = [route for route in _API if "{submission_id}" in route]
_WITH_BODY = [route for route in _API if TABLE[route].body is not None and "/auth/" not in route]


def _one_who_may(route: str) -> str:
    may = TABLE[route].may
    return next(who for who in ("owner", "teacher", *sorted(may)) if who in may)


def _id_in(route: str) -> str:
    return next(name for name in placeholders(route) if name in _KINDS)


@ON_SQLITE
@pytest.mark.parametrize("route", _WITH_ID)
def test_an_id_of_nothing_is_a_404_and_a_broken_one_a_422(world: World, route: str) -> None:
    ids, name = prepare(world, route), _id_in(route)
    nothing = "2000000000" if name == "student_id" else str(uuid4())

    assert call(world, _one_who_may(route), route, ids | {name: nothing}) == 404
    for broken in ("x", "-1", "\0", "' OR 1=1", "9" * 40, "none"):
        assert call(world, _one_who_may(route), route, ids | {name: quote(broken)}) == 422, broken


@ON_SQLITE
@pytest.mark.parametrize("route", _WITH_ID)
def test_an_id_of_another_kind_names_nothing(world: World, route: str) -> None:
    ids, name = prepare(world, route), _id_in(route)
    others = [kind for kind in ("piece_id", "routine_id", "session_id") if kind != name]

    for other in others:
        wrong = ids | {name: MAKERS[other](world, "uploaded")}
        expected = 422 if name == "student_id" else 404
        assert call(world, _one_who_may(route), route, wrong) == expected, other


@ON_SQLITE
@pytest.mark.parametrize("route", _WITH_SUBMISSION)
def test_what_is_deleted_is_gone_for_those_who_knew_it_and_closed_to_others(
    world: World, route: str
) -> None:
    ids = prepare(world, route)
    deleted = world.ask("student", "DELETE", f"/video-submissions/{ids['submission_id']}")
    assert deleted.status_code == 204, deleted.text

    may = [who for who in ("teacher", "admin", "owner") if who in TABLE[route].may]
    strangers = [who for who in ("former_teacher", "other_student") if who not in TABLE[route].may]
    repeat = {204} if route == "DELETE /video-submissions/{submission_id}" else {410}

    assert {call(world, who, route, ids) for who in may} == repeat
    assert {call(world, who, route, ids) for who in strangers} <= {403}


# ── mass assignment (SEC-15) ───────────────────────────────────────────────────────────────────


def _hostile(world: World) -> dict[str, Any]:
    """A value for every column of every table that no request may set."""
    somebody = world.people["other_student"]
    values: dict[str, Any] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            kind = column.type.python_type
            if any(key.column.table.name == "users" for key in column.foreign_keys):
                values[column.name] = somebody
            elif kind is str:
                values[column.name] = "hostile"
            elif kind is bool:
                values[column.name] = True
            elif "_at" in column.name or column.name.endswith(("_since", "_until")):
                values[column.name] = "1999-01-01T00:00:00Z"
    values |= {"user_id": somebody, "owner_id": somebody, "sender_id": somebody}
    return values | {"author_id": somebody, "is_own": True, "features": {"all": True}}


@ON_SQLITE
@pytest.mark.parametrize("route", _WITH_BODY)
def test_fields_nobody_asked_for_set_nothing(world: World, route: str) -> None:
    ids = prepare(world, route)
    wanted = filled(TABLE[route].body, ids)
    known = _fields_of(world, route)
    hostile = {name: v for name, v in _hostile(world).items() if name not in known}
    before = _rows(world)

    status = call(world, _one_who_may(route), route, ids, json={**hostile, **wanted})

    assert status == TABLE[route].ok
    new = _rows(world) - before
    assert new or route.endswith("/confirm"), "nothing was written: it proves nothing"
    somebody = world.people["other_student"]
    for table, row in new:
        assert "hostile" not in row, table
        assert "1999" not in row, table
        assert f"_id={somebody}," not in row, table


def _fields_of(world: World, route: str) -> set[str]:
    method, path = route.split(" ")
    document = world.app.openapi()
    body = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
    schema = body["schema"]
    schema = next((one for one in schema.get("anyOf", [schema]) if "$ref" in one), schema)
    name = schema["$ref"].rpartition("/")[2]
    return set(document["components"]["schemas"][name]["properties"])


def _rows(world: World) -> set[tuple[str, str]]:
    with world.services.db.reading() as session:
        return {
            (table.name, ",".join(f"{name}={value!r}" for name, value in row._mapping.items()))
            for table in metadata.sorted_tables
            for row in session.core.execute(sa.select(table))
        }


# ── teachers change (B-30) ─────────────────────────────────────────────────────────────────────

_BY_TEACHER = [
    ("GET", "/video-submissions/{id}"),
    ("GET", "/video-submissions/{id}/video-url"),
    ("GET", "/video-submissions/{id}/events"),
    ("PATCH", "/video-submissions/{id}/reviewed"),
    ("DELETE", "/video-submissions/{id}/reviewed"),
]


def _reach(world: World, who: str, submission_id: str) -> set[int]:
    return {
        world.ask(who, method, path.format(id=submission_id)).status_code
        for method, path in _BY_TEACHER
    }


def _listed(world: World, who: str) -> set[str]:
    path = f"/students/{world.people['student']}/video-submissions"
    answer = world.ask(who, "GET", path)
    queue = world.ask(who, "GET", "/review-queue").json()
    shown = answer.json() if answer.status_code == 200 else []
    return {row["id"] for row in shown} | {item["submission"]["id"] for item in queue}


@pytest.mark.parametrize("share", [True, False, None])
def test_a_change_of_teacher_moves_access_as_the_student_says(
    world: World, share: bool | None
) -> None:
    early = world.uploaded()
    assert early in _listed(world, "teacher")
    world.clock.advance(hours=1)
    query = "" if share is None else f"&share_history={str(share).lower()}"
    path = f"/users/set-teacher?teacher_email=other_teacher@studio.example{query}"
    assert world.ask("student", "POST", path).status_code == 200
    world.clock.advance(hours=1)
    late = world.uploaded()

    assert _reach(world, "teacher", early) == _reach(world, "teacher", late) == {403}
    assert _listed(world, "teacher") == set()
    assert _reach(world, "other_teacher", late) == {200}
    assert _reach(world, "other_teacher", early) == ({200} if share else {403})
    assert _listed(world, "other_teacher") == ({early, late} if share else {late})


def test_who_has_no_teacher_is_seen_by_herself_and_her_studio(world: World) -> None:
    take = world.uploaded()
    assert world.ask("student", "DELETE", "/users/remove-teacher").status_code == 204

    seen = {
        who: world.ask(who, "GET", f"/video-submissions/{take}").status_code
        for who in ("student", "admin", "teacher", "other_teacher", "former_teacher")
    }

    assert seen == {
        "student": 200, "admin": 200, "teacher": 403, "other_teacher": 403, "former_teacher": 403,
    }  # fmt: skip


def test_a_teacher_back_again_sees_what_is_new(world: World) -> None:
    early = world.uploaded()
    for teacher in ("other_teacher", "teacher"):
        world.clock.advance(hours=1)
        path = f"/users/set-teacher?teacher_email={teacher}@studio.example"
        assert world.ask("student", "POST", path).status_code == 200

    assert _reach(world, "teacher", early) == {403}
    assert _reach(world, "teacher", world.uploaded()) == {200}


def test_a_right_of_the_table_is_of_somebody_in_it() -> None:
    assert all(set(TABLE[route].may) <= SEE for route in _WITH_SUBMISSION)
