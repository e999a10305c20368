"""Creating a submission: idempotent, bounded, and never more than the client may say."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cadenza_server.serving import RunningServer
from tests.server.world import JPEG, MP4, World, declared, facts


def _post(world: World, body: dict[str, Any], who: str = "student") -> httpx.Response:
    return world.ask(who, "POST", "/video-submissions", json=body)


def _code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


# ── idempotency (B-19) ─────────────────────────────────────────────────────────


def test_a_repeated_create_finds_the_same_submission(world: World) -> None:
    body = world.take(**declared(MP4), notes="bar 17", captured_at="2026-11-20T16:04:05Z")
    first = _post(world, body)
    world.clock.advance(minutes=5)

    again = _post(world, body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["submission"] == first.json()["submission"]
    assert world.put(again.json(), MP4).status_code == 200
    assert len(world.ask("student", "GET", "/video-submissions").json()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"duration_seconds": 46},
        {"notes": "bar 18"},
        {"size_bytes": 7},
        {"captured_at": "2026-11-20T16:04:06Z"},
        {"page_number": 4},
    ],
)
def test_the_same_id_for_another_take_is_a_conflict(world: World, change: dict[str, Any]) -> None:
    body = world.take(**declared(MP4), captured_at="2026-11-20T16:04:05Z")
    _post(world, body)

    assert _code(_post(world, body | change)) == (409, "id_conflict")


def test_nobody_can_take_over_somebody_elses_id(world: World) -> None:
    body = world.take(**declared(MP4))
    _post(world, body)
    foreign = body | {"piece_id": str(world.foreign_piece_id)}

    assert _code(_post(world, foreign, "other_student")) == (409, "id_conflict")


def test_the_same_instant_in_another_notation_is_the_same_request(world: World) -> None:
    body = world.take(**declared(MP4), captured_at="2026-11-20T16:04:05Z")
    _post(world, body)

    repeat = body | {"captured_at": "2026-11-20T16:04:05+00:00", "sha256": body["sha256"].upper()}

    assert _post(world, repeat).status_code == 200


def test_creates_racing_with_one_id_make_one_submission(
    world: World, running: RunningServer
) -> None:
    body = world.take(**declared(MP4))
    headers = {"Authorization": f"Bearer dev_token_user_{world.people['student']}"}

    def create(_: int) -> int:
        url = f"{running.url}/video-submissions"
        return httpx.post(url, json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(16)))

    assert statuses == [200] * 15 + [201]
    assert world.event_names(body["id"]).count("created") == 1


def test_repeating_a_finished_create_gives_no_url_to_overwrite_it(world: World) -> None:
    body = world.take(**declared(MP4))
    answer = _post(world, body).json()
    world.put(answer, MP4)
    world.confirm(body["id"], **facts(MP4))

    again = _post(world, body)

    assert again.status_code == 200
    assert again.json()["submission"]["media_state"] == "uploaded"
    assert again.json()["upload_url"] is None
    assert again.json()["upload_headers"] is None


def test_repeating_the_create_of_what_is_complete_gives_no_url_at_all(world: World) -> None:
    body = world.take(**declared(MP4))
    answer = _post(world, body).json()
    world.put(answer, MP4)
    world.put(answer, JPEG, "thumbnail")
    world.confirm(body["id"], **facts(MP4), thumbnail=True)
    before = world.event_names(body["id"])

    again = _post(world, body).json()

    assert again["upload_url"] is again["thumbnail_upload_url"] is None
    assert world.event_names(body["id"]) == before, "nothing was issued, nothing is written down"


def test_repeating_the_create_of_a_deleted_submission_says_so(world: World) -> None:
    body = world.take(**declared(MP4))
    _post(world, body)
    world.ask("student", "DELETE", f"/video-submissions/{body['id']}")

    assert _code(_post(world, body)) == (410, "submission_deleted")


def test_without_an_id_every_create_is_a_new_one(world: World) -> None:
    first, second = world.create(), world.create()

    assert first["submission"]["id"] != second["submission"]["id"]


# ── what the upload URL binds (W7, B-13) ───────────────────────────────────────


def test_a_v1_client_is_asked_for_nothing_but_the_content_type(world: World) -> None:
    answer = world.create()

    assert answer["upload_headers"] == {"Content-Type": "video/mp4"}
    assert answer["thumbnail_upload_headers"] == {"Content-Type": "image/jpeg"}


def test_everything_declared_is_bound_to_the_url(world: World) -> None:
    sha256 = "00" * 31 + "ff"
    body: dict[str, Any] = {"id": str(uuid4()), "size_bytes": 8_123_456, "sha256": sha256}

    answer = world.create(**body, thumbnail_size_bytes=9_000)

    assert answer["upload_headers"] == {
        "Content-Type": "video/mp4",
        "Content-Length": "8123456",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
        "If-None-Match": "*",
    }
    assert answer["thumbnail_upload_headers"] == {
        "Content-Type": "image/jpeg",
        "Content-Length": "9000",
        "If-None-Match": "*",
    }


@pytest.mark.parametrize(
    ("env", "prefix"), [("dev", "dev/"), ("staging", "staging/"), ("prod", "")]
)
def test_keys_carry_the_environment(
    make_world: Callable[..., World], env: str, prefix: str
) -> None:
    world = make_world(env=env, secret="a secret that is long enough to be one")
    token = _token(world, "student")

    answer = world.http.post(
        "/video-submissions", json=world.take(), headers={"Authorization": f"Bearer {token}"}
    ).json()["submission"]

    user_id, submission_id = world.people["student"], answer["id"]
    assert answer["s3_key"] == f"{prefix}cadenza/videos/{user_id}/{submission_id}.mp4"
    assert answer["thumbnail_s3_key"] is None


def _token(world: World, name: str) -> str:
    from cadenza_server.auth import issue_token

    keyring = world.services.keyring
    return issue_token(keyring, world.people[name], now=world.clock(), days=1)


# ── refusals ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"duration_seconds": None}, (422, "duration_required")),
        ({"duration_seconds": 0}, (422, "duration_out_of_range")),
        ({"duration_seconds": -5}, (422, "duration_out_of_range")),
        ({"duration_seconds": 181}, (422, "duration_out_of_range")),
        ({"duration_seconds": 99_999}, (422, "duration_out_of_range")),
        ({"duration_seconds": "45"}, (422, "invalid")),
        ({"duration_seconds": 45.5}, (422, "invalid")),
        ({"duration_seconds": True}, (422, "invalid")),
        ({"piece_id": None}, (422, "context_required")),
        ({"piece_id": "bach"}, (422, "invalid_id")),
        ({"id": "not-a-uuid"}, (422, "invalid_id")),
        ({"notes": "x" * 2001}, (422, "invalid")),
        ({"sha256": "abc"}, (422, "invalid")),
        ({"size_bytes": 0}, (422, "invalid")),
        ({"size_bytes": 2**70}, (422, "invalid")),
        ({"captured_at": "2026-11-20T16:04:05"}, (422, "invalid")),
        ({"captured_at": "yesterday"}, (422, "invalid")),
        ({"page_number": 0}, (422, "invalid")),
        ({"measure_number": 17, "measure_end": 16}, (422, "invalid")),
        ({"measure_end": 16}, (422, "invalid")),
        ({"width": 1920, "height": 1080}, (422, "resolution_exceeded")),
        ({"width": 1280, "height": 721}, (422, "resolution_exceeded")),
        ({"width": 721, "height": 1280}, (422, "resolution_exceeded")),
        ({"size_bytes": 250_000_001}, (413, "too_large")),
    ],
)
def test_what_is_refused_and_how(
    world: World, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert _code(_post(world, world.take(**fields))) == expected
    assert world.ask("student", "GET", "/video-submissions").json() == []


def test_a_null_duration_is_a_missing_one(world: World) -> None:
    body = world.take() | {"duration_seconds": None}

    assert _code(_post(world, body)) == (422, "duration_required")


@pytest.mark.parametrize(
    "fields",
    [
        {"duration_seconds": 1},
        {"duration_seconds": 180},
        {"width": 1280, "height": 720},
        {"width": 720, "height": 1280},
        {"width": 720, "height": 720},
        {"width": 4000},
        {"notes": "x" * 2000},
        {"measure_number": 17, "measure_end": 17},
        {"size_bytes": 250_000_000},
    ],
)
def test_what_just_fits(world: World, fields: dict[str, Any]) -> None:
    assert _post(world, world.take(**fields)).status_code == 201


def test_refusals_name_what_was_measured(world: World) -> None:
    problem = _post(world, world.take(width=1080, height=1920)).json()

    assert problem["detail"] == "The take is 1080 × 1920; at most 1280 × 720 is taken."
    assert problem["fields"] == {"width": 1080, "height": 1920, "max": [1280, 720]}


def test_a_teacher_sends_no_takes(world: World) -> None:
    assert _code(_post(world, world.take(), "teacher")) == (403, "forbidden")


def test_a_feature_can_be_switched_off_for_a_student(world: World) -> None:
    from cadenza_server.tables import User

    with world.services.db.writing() as session:
        user = session.get(User, world.people["student"])
        assert user is not None
        user.features = {"video_submissions": False}

    assert _code(_post(world, world.take())) == (403, "feature_disabled")


def test_the_daily_quota_frees_itself_after_a_day(make_world: Callable[..., World]) -> None:
    world = make_world(takes_per_day=2)
    bodies = [world.take(**declared(MP4)) for _ in range(3)]
    assert [_post(world, body).status_code for body in bodies[:2]] == [201, 201]

    assert _code(_post(world, bodies[2])) == (403, "quota_exceeded")
    assert _post(world, bodies[0]).status_code == 200, "a repeat is not a new take"
    world.clock.advance(days=1, seconds=1)
    assert _post(world, bodies[2]).status_code == 201


# ── whose context (B-21, SEC-15) ───────────────────────────────────────────────


def test_ones_own_and_assigned_contexts_are_accepted(world: World) -> None:
    titles: dict[str, dict[str, Any]] = {
        "Bourrée": {"piece_id": str(world.piece_id)},
        "Scales in thirds": {"piece_id": None, "exercise_id": str(world.exercise_id)},
        "Half hour": {"piece_id": None, "session_id": str(world.session_id)},
    }
    for title, context in titles.items():
        answer = world.create(**context)["submission"]
        assert answer["context_title"] == title
        read = world.ask("student", "GET", f"/video-submissions/{answer['id']}").json()
        assert read["context_title"] == title, "the list and the creation agree"


@pytest.mark.parametrize("field", ["piece_id", "exercise_id", "session_id"])
def test_a_foreign_context_looks_like_none(world: World, field: str) -> None:
    foreign = {
        "piece_id": world.foreign_piece_id,
        "exercise_id": world.exercise_id,
        "session_id": world.session_id,
    }
    body = {"duration_seconds": 5, field: str(foreign[field])}
    unknown = {"duration_seconds": 5, field: str(uuid4())}
    who = "student" if field == "piece_id" else "other_student"

    answers = [_post(world, b, who) for b in (body, unknown)]

    assert [_code(answer) for answer in answers] == [(404, "context_not_found")] * 2
    first, second = ({**a.json(), "request_id": ""} for a in answers)
    assert first == second


def test_being_the_teacher_of_somebody_does_not_lend_their_pieces(world: World) -> None:
    from cadenza_server.tables import User

    with world.services.db.writing() as session:
        other = session.get(User, world.people["other_student"])
        assert other is not None
        other.teacher_id = world.people["student"]

    body = world.take(piece_id=str(world.foreign_piece_id))

    assert _code(_post(world, body)) == (404, "context_not_found")


def test_a_piece_of_the_assigned_routine_may_be_recorded(world: World) -> None:
    from cadenza_server.tables import Exercise

    with world.services.db.writing() as session:
        exercise = session.get(Exercise, world.exercise_id)
        assert exercise is not None
        exercise.piece_id = world.foreign_piece_id

    assert world.create(piece_id=str(world.foreign_piece_id))["submission"]["id"]


def test_what_only_the_server_may_say_is_ignored(world: World) -> None:
    forged: dict[str, Any] = {
        "user_id": world.people["other_student"],
        "s3_key": "somewhere/else.mp4",
        "thumbnail_s3_key": "somewhere/else.jpg",
        "reviewed_at": "2026-11-20T16:00:00Z",
        "reviewed_by_id": world.people["teacher"],
        "media_state": "ready",
        "confirmed_at": "2026-11-20T16:00:00Z",
        "is_mastered": True,
        "created_at": "2020-01-01T00:00:00Z",
    }

    submission = world.create(**forged)["submission"]

    assert submission["user_id"] == world.people["student"]
    assert submission["s3_key"].endswith(f"{submission['id']}.mp4")
    assert submission["media_state"] == "awaiting_upload"
    assert submission["is_mastered"] is False
    assert submission["created_at"] == "2026-11-20T17:00:00Z"
    for name in ("thumbnail_s3_key", "reviewed_at", "reviewed_by_id", "uploaded_at"):
        assert submission[name] is None, name


# ── when it was played (B-28) ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2026-11-16T08:00:00Z", "2026-11-16T08:00:00Z"),
        ("2026-11-20T18:00:00+02:00", "2026-11-20T16:00:00Z"),
        (None, "2026-11-20T17:00:00Z"),
        ("2026-11-21T17:00:00Z", "2026-11-20T17:00:00Z"),
        ("1970-01-01T00:00:07Z", "2026-11-20T17:00:00Z"),
    ],
)
def test_the_capture_time_is_the_devices_unless_its_clock_is_wrong(
    world: World, told: str | None, kept: str
) -> None:
    submission = world.create(captured_at=told)["submission"]

    assert submission["captured_at"] == kept
    assert submission["created_at"] == "2026-11-20T17:00:00Z"


def test_the_creation_is_written_down(world: World) -> None:
    submission_id = world.create(**declared(MP4))["submission"]["id"]

    lines = world.ask("student", "GET", f"/video-submissions/{submission_id}/events").json()

    assert [line["event"] for line in lines] == ["created", "urls_issued"]
    assert lines[0]["actor_id"] == world.people["student"]
    assert lines[0]["data"]["size_bytes"] == len(MP4)
