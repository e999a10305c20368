"""Who may call what: every route × every kind of person (SEC-14, B-67).

The table is the rule and the test's data. A route without a row fails, so nobody can add one
without saying who it is for. 403 and not 404 for strangers: ids are random, and a client has to
tell "not yours" from "gone" (`20-product-and-api.md` §2.7).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from fastapi.routing import iter_route_contexts

from tests.server.world import MP4, World, facts

# Strangers first: what they try must change nothing for those who come after them.
PEOPLE = (None, "other_student", "other_teacher", "admin", "teacher", "student")


class Row(NamedTuple):
    """Expected statuses of anonymous, other student, other teacher, studio admin, teacher, owner.

    `path` fills the route's parameters; `state` is what exists before.
    """

    statuses: tuple[int, int, int, int, int, int]
    body: dict[str, Any] | None = None
    query: str = ""
    state: str = "uploaded"


OPEN = (200, 200, 200, 200, 200, 200)
SIGNED_IN = (401, 200, 200, 200, 200, 200)
SEE = (401, 403, 403, 200, 200, 200)
OWN = (401, 403, 403, 403, 403, 200)
REVIEW = (401, 403, 403, 403, 200, 403)
MAKE = (401, 201, 201, 201, 201, 201)

TABLE: dict[str, Row] = {
    "GET /health": Row(OPEN),
    "POST /auth/login": Row(
        (401, 401, 401, 401, 401, 401), {"email": "x@example.org", "password": "x"}
    ),
    "POST /auth/dev-login": Row(OPEN, query="?email=student@studio.example"),
    "GET /auth/me": Row(SIGNED_IN),
    "POST /users/set-teacher": Row(
        # A teacher can't become their own.
        (401, 200, 200, 200, 422, 200),
        query="?teacher_email=teacher@studio.example",
    ),
    "DELETE /users/remove-teacher": Row((401, 204, 204, 204, 204, 204)),
    "GET /users/my-teacher": Row(SIGNED_IN),
    "GET /users/my-students": Row((401, 403, 200, 200, 200, 403)),
    "GET /pieces": Row(SIGNED_IN),
    "POST /pieces": Row(MAKE, {"title": "Air"}),
    "GET /pieces/{piece_id}": Row(SEE),
    "PUT /pieces/{piece_id}/pages/{page_number}": Row(OWN),
    "GET /routines": Row(SIGNED_IN),
    "POST /routines": Row(MAKE, {"title": "Week 3"}),
    # The routine is the teacher's; here she is the owner.
    "POST /routines/{routine_id}/exercises": Row((401, 403, 403, 403, 201, 403), {"title": "x"}),
    "POST /students/{student_id}/assign-routine": Row(REVIEW, {"routine_id": "{routine_id}"}),
    "GET /my-current-routine": Row(SIGNED_IN),
    # The student starts with the routine that was assigned to her; strangers have no business.
    "POST /sessions": Row((401, 403, 403, 201, 201, 201), {"routine_id": "{routine_id}"}),
    "PUT /sessions/{session_id}/complete": Row(OWN, {}),
    "POST /video-submissions": Row(
        (401, 404, 403, 403, 403, 201), {"piece_id": "{piece_id}", "duration_seconds": 5}
    ),
    "GET /video-submissions": Row(SIGNED_IN),
    "GET /video-submissions/{submission_id}": Row(SEE),
    "GET /video-submissions/{submission_id}/upload-url": Row(OWN, state="created"),
    "POST /video-submissions/{submission_id}/confirm": Row(OWN, facts(MP4)),
    "GET /video-submissions/{submission_id}/video-url": Row(SEE),
    "DELETE /video-submissions/{submission_id}": Row((401, 403, 403, 403, 403, 204)),
    "GET /video-submissions/{submission_id}/events": Row(SEE),
    "GET /students/{student_id}/video-submissions": Row(REVIEW),
    "GET /review-queue": Row(SIGNED_IN),
    "PATCH /video-submissions/{submission_id}/reviewed": Row(REVIEW),
    "DELETE /video-submissions/{submission_id}/reviewed": Row(REVIEW),
}

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x03"


def _fill(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**ids)
    if isinstance(value, dict):
        return {name: _fill(part, ids) for name, part in value.items()}
    return value


@pytest.mark.parametrize("route", TABLE)
def test_who_may_call_it(world: World, route: str) -> None:
    row = TABLE[route]
    method, template = route.split(" ")
    answer = world.create()
    if row.state == "uploaded":
        world.put(answer, MP4)
    ids = {
        "submission_id": answer["submission"]["id"],
        "student_id": str(world.people["student"]),
        "piece_id": str(world.piece_id),
        "routine_id": str(world.routine_id),
        "session_id": str(world.session_id),
        "page_number": "1",
    }
    options: dict[str, Any] = {"json": _fill(row.body, ids)} if row.body is not None else {}
    if method == "PUT" and "page_number" in template:
        options = {"content": PNG, "headers": {"Content-Type": "image/png"}}

    statuses = []
    for who in PEOPLE:
        response = world.ask(who, method, template.format(**ids) + row.query, **options)
        statuses.append(response.status_code)

    assert dict(zip(PEOPLE, statuses, strict=True)) == dict(zip(PEOPLE, row.statuses, strict=True))


def test_every_route_has_a_row(world: World) -> None:
    served = set()
    for route in iter_route_contexts(world.app.routes):
        assert route.path is not None
        # The object store has signed URLs instead of people, and a test module of its own;
        # the others are the documentation's pages.
        if route.path == "/storage/{key:path}" or route.path.startswith(("/docs", "/redoc")):
            continue
        if route.path == "/openapi.json":
            continue
        served |= {f"{method} {route.path}" for method in route.methods or ()}

    assert served == set(TABLE)


def test_no_route_answers_a_forged_or_foreign_token(world: World) -> None:
    import jwt

    key = world.services.keyring.key("token")
    assert key is not None
    forged = [
        "dev_token_user_9999",
        "dev_token_user_-1",
        "dev_token_user_1 ",
        jwt.encode({"sub": "1", "exp": 2**40}, "x" * 32, algorithm="HS256"),
        jwt.encode({"sub": "1", "exp": 2**40}, "", algorithm="none"),
        jwt.encode({"sub": str(2**40), "exp": 2**40}, key, algorithm="HS256"),
        "",
        "a.b.c",
    ]
    for token in forged:
        headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": "Bearer"}
        response = world.http.get("/auth/me", headers=headers)
        expected = 200 if token == "dev_token_user_1 " else 401  # the header's own white space
        assert response.status_code == expected, token
