"""Markers (PR3): who marks what, at which moment, once; tried and settled."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from cadenza_server.serving import RunningServer
from cadenza_server.tables import MediaAsset, VideoMarker
from tests.server.talk import (
    code,
    last_seq,
    mark,
    post,
    say,
    send_video,
    statements_of,
    thread,
    told,
    video,
)
from tests.server.world import World


@pytest.fixture
def take(world: World) -> str:
    """A take of 45 s on page 3 that has arrived."""
    return world.uploaded(page_number=3)


def put_on(world: World, who: str | None, path: str, **body: Any) -> httpx.Response:
    return world.ask(who, "POST", f"{path}/markers", json={"timestamp_ms": 1, "text": "x", **body})


def on_take(world: World, who: str, take: str, query: str = "") -> list[dict[str, Any]]:
    response = world.ask(who, "GET", f"/video-submissions/{take}/markers{query}")
    assert response.status_code == 200, response.text
    return list(response.json())


def change(world: World, who: str, marker: dict[str, Any], **body: Any) -> httpx.Response:
    return world.ask(who, "PATCH", f"/markers/{marker['id']}", json=body)


# ── marking ────────────────────────────────────────────────────────────────────


def test_a_marker_on_the_wire(world: World, take: str) -> None:
    client_id = str(uuid4())
    marker = mark(
        world,
        "teacher",
        take,
        23400,
        "Keep the bow moving.",
        end_ms=27100,
        measure_number=17,
        measure_end=18,
        client_id=client_id,
    )

    assert marker == {
        "id": marker["id"],
        "submission_id": take,
        "message_id": None,
        "author_id": world.people["teacher"],
        "author_name": "Teacher",
        "timestamp_ms": 23400,
        "end_ms": 27100,
        "text": "Keep the bow moving.",
        "marker_type": "feedback",
        "page_number": 3,
        "measure_number": 17,
        "measure_end": 18,
        "status": "open",
        "settled_by_submission_id": None,
        "carried_from_id": None,
        "client_id": client_id,
        "created_at": "2026-11-20T17:00:00Z",
        "edited_at": None,
        "is_own": True,
    }
    assert on_take(world, "student", take) == [marker | {"is_own": False}]
    assert on_take(world, "admin", take) == [marker | {"is_own": False}]


def test_markers_come_in_the_order_of_the_video(world: World, take: str) -> None:
    for at in (30_000, 10_000, 20_000):
        mark(world, "teacher", take, at)

    assert [m["timestamp_ms"] for m in on_take(world, "student", take)] == [10_000, 20_000, 30_000]


def test_the_page_is_the_takes_unless_something_else_is_said(world: World, take: str) -> None:
    clip = send_video(world, "teacher", take, page_number=5)

    pages = [
        mark(world, "teacher", take)["page_number"],
        mark(world, "teacher", take, page_number=4)["page_number"],
        mark(world, "teacher", take, page_number=None)["page_number"],
        put_on(world, "teacher", f"/messages/{clip['id']}").json()["page_number"],
    ]

    assert pages == [3, 4, None, 5]


def test_students_ask_and_teachers_say_what_they_like(world: World, take: str) -> None:
    path = f"/video-submissions/{take}"

    assert put_on(world, "student", path).json()["marker_type"] == "question"
    assert put_on(world, "teacher", path).json()["marker_type"] == "feedback"
    for kind in ("feedback", "question", "praise"):
        assert put_on(world, "teacher", path, marker_type=kind).json()["marker_type"] == kind
    for kind in ("feedback", "praise"):
        refused = put_on(world, "student", path, marker_type=kind)
        assert code(refused) == (403, "forbidden")
        assert "Students ask questions" in refused.json()["detail"]


@pytest.mark.parametrize("who", ["other_student", "second_student", "other_teacher", "admin"])
def test_nobody_else_marks(world: World, take: str, who: str) -> None:
    marker = mark(world, "teacher", take)

    assert code(put_on(world, who, f"/video-submissions/{take}")) == (403, "forbidden")
    assert code(change(world, who, marker, text="Mine")) == (403, "forbidden")
    assert code(world.ask(who, "DELETE", f"/markers/{marker['id']}")) == (403, "forbidden")
    assert on_take(world, "student", take)[0]["text"] == "Here."


def test_a_former_teacher_marks_and_deletes_nothing_more(world: World, take: str) -> None:
    marker = mark(world, "teacher", take)
    world.ask("student", "DELETE", "/users/remove-teacher")

    assert code(put_on(world, "teacher", f"/video-submissions/{take}")) == (403, "forbidden")
    assert code(change(world, "teacher", marker, text="x")) == (403, "forbidden")
    assert code(world.ask("teacher", "DELETE", f"/markers/{marker['id']}")) == (403, "forbidden")
    refused = world.ask("teacher", "GET", f"/video-submissions/{take}/markers")
    assert code(refused) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"timestamp_ms": 0}, 201),
        ({"timestamp_ms": 45_500}, 201),  # 45 s as declared, and the grace of rounding
        ({"timestamp_ms": 45_499, "end_ms": 45_500}, 201),
        ({"timestamp_ms": 45_501}, "timestamp_out_of_range"),
        ({"timestamp_ms": -1}, "timestamp_out_of_range"),
        ({"timestamp_ms": 100, "end_ms": 100}, "timestamp_out_of_range"),
        ({"timestamp_ms": 100, "end_ms": 99}, "timestamp_out_of_range"),
        ({"timestamp_ms": 100, "end_ms": 45_501}, "timestamp_out_of_range"),
        ({"timestamp_ms": 1.5}, "invalid"),
        ({"timestamp_ms": 2**31}, "invalid"),
        ({"timestamp_ms": None}, "invalid"),
        ({"text": " "}, "invalid"),
        ({"text": "x" * 1001}, "invalid"),
        ({"text": "x" * 1000}, 201),
        ({"text": "a\x00"}, "invalid"),
        ({"marker_type": "anger"}, "invalid"),
        ({"measure_end": 3}, "invalid"),
        ({"measure_number": 4, "measure_end": 3}, "invalid"),
        ({"measure_number": 4, "measure_end": 4}, 201),
        ({"page_number": 0}, "invalid"),
        ({"client_id": "mine"}, "invalid_id"),
    ],
)
def test_where_and_what_a_marker_may_be(
    world: World, take: str, body: dict[str, Any], expected: int | str
) -> None:
    response = put_on(world, "teacher", f"/video-submissions/{take}", **body)

    if expected == 201:
        assert response.status_code == 201, response.text
    else:
        assert code(response) == (422, expected)
        assert on_take(world, "teacher", take) == []


@pytest.mark.parametrize("field", ["timestamp_ms", "text", "marker_type", "status"])
def test_what_every_marker_has_is_not_taken_away(world: World, take: str, field: str) -> None:
    marker = mark(world, "teacher", take)

    answer = change(world, "teacher", marker, **{field: None})

    assert code(answer) == (422, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert on_take(world, "teacher", take) == [marker]


def test_a_measured_video_ends_where_it_was_measured(world: World, take: str) -> None:
    with world.services.db.writing() as session:
        asset = session.get(MediaAsset, UUID(take))
        assert asset is not None
        asset.duration_ms = 44_120

    path = f"/video-submissions/{take}"
    assert put_on(world, "teacher", path, timestamp_ms=44_120).status_code == 201
    late = put_on(world, "teacher", path, timestamp_ms=44_121)
    assert code(late) == (422, "timestamp_out_of_range")
    assert late.json()["fields"] == {
        "timestamp_ms": 44_121,
        "end_ms": None,
        "duration_ms": 44_120,
    }


def test_one_video_holds_500(world: World, take: str) -> None:
    with world.services.db.writing() as session:
        session.add_all(
            VideoMarker(
                submission_id=UUID(take),
                author_id=world.people["teacher"],
                timestamp_ms=at,
                text="x",
                marker_type="feedback",
                created_at=world.clock(),
            )
            for at in range(500)
        )
    clip = send_video(world, "teacher", take)

    full = put_on(world, "teacher", f"/video-submissions/{take}")

    assert code(full) == (403, "quota_exceeded")
    assert put_on(world, "teacher", f"/messages/{clip['id']}").status_code == 201


# ── on a message's video ───────────────────────────────────────────────────────


def test_both_sides_mark_a_messages_video(world: World, take: str) -> None:
    clip = send_video(world, "teacher", take)
    path = f"/messages/{clip['id']}"
    asked = put_on(world, "student", path, timestamp_ms=12_500).json()
    said = put_on(world, "teacher", path, timestamp_ms=500).json()
    on_the_take = mark(world, "teacher", take, 700)

    assert asked["message_id"] == clip["id"]
    assert asked["submission_id"] == take
    of_message = world.ask("student", "GET", f"{path}/markers").json()
    assert [m["id"] for m in of_message] == [said["id"], asked["id"]]
    assert [m["id"] for m in on_take(world, "teacher", take)] == [on_the_take["id"]]
    everything = on_take(world, "teacher", take, "?include=messages")
    assert [m["id"] for m in everything] == [said["id"], on_the_take["id"], asked["id"]]
    late = put_on(world, "student", path, timestamp_ms=12_501)
    assert code(late) == (422, "timestamp_out_of_range")
    assert code(world.ask("student", "GET", f"{path}/markers?limit=0")) == (422, "invalid")
    unknown = world.ask("student", "GET", f"/video-submissions/{take}/markers?include=all")
    assert code(unknown) == (422, "invalid")


def test_a_text_has_no_moments(world: World, take: str) -> None:
    message = say(world, "teacher", take)

    path = f"/messages/{message['id']}"
    assert code(put_on(world, "teacher", path)) == (404, "no_video")
    assert code(world.ask("student", "GET", f"{path}/markers")) == (404, "no_video")


def test_a_video_on_its_way_is_marked_by_its_sender_alone(world: World, take: str) -> None:
    answer = post(world, "teacher", take, **video()).json()
    path = f"/messages/{answer['message']['id']}"

    own = put_on(world, "teacher", path)

    assert own.status_code == 201
    assert code(put_on(world, "student", path)) == (404, "not_found")
    assert on_take(world, "student", take, "?include=messages") == []
    assert code(change(world, "student", own.json(), status="tried")) == (404, "not_found")


def test_the_markers_of_a_deleted_message_go_with_it(world: World, take: str) -> None:
    clip = send_video(world, "teacher", take)
    marker = put_on(world, "student", f"/messages/{clip['id']}").json()
    world.ask("teacher", "DELETE", f"/messages/{clip['id']}")

    assert on_take(world, "teacher", take, "?include=messages") == []
    assert code(change(world, "teacher", marker, status="settled")) == (404, "not_found")
    one = world.ask("teacher", "GET", f"/video-submissions/{take}").json()
    assert (one["marker_count"], one["question_count"]) == (0, 0)
    assert world.ask("teacher", "GET", "/review-queue").json()[0]["has_question"] is False


def test_a_deleted_submission_has_none(world: World, take: str) -> None:
    marker = mark(world, "teacher", take)
    world.ask("student", "DELETE", f"/video-submissions/{take}")
    gone = (410, "submission_deleted")

    assert code(put_on(world, "student", f"/video-submissions/{take}")) == gone
    assert code(change(world, "student", marker, status="tried")) == gone
    assert code(world.ask("teacher", "DELETE", f"/markers/{marker['id']}")) == gone
    for suffix in ("", ".vtt", ".csv", ".json"):
        path = f"/video-submissions/{take}/markers{suffix}"
        assert code(world.ask("teacher", "GET", path)) == gone


# ── repeats ────────────────────────────────────────────────────────────────────


def test_the_same_client_id_is_the_same_marker(world: World, take: str) -> None:
    body = {"timestamp_ms": 5, "text": "Here", "client_id": str(uuid4())}
    path = f"/video-submissions/{take}"
    first = put_on(world, "teacher", path, **body)
    change(world, "teacher", first.json(), text="There")
    seq = last_seq(world)

    again = put_on(world, "teacher", path, **body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["text"] == "There"
    assert told(world, seq) == []
    # Another author's id is another id.
    assert put_on(world, "student", path, **body).status_code == 201


def test_a_client_id_is_for_one_marker(world: World, take: str) -> None:
    body = {"client_id": str(uuid4())}
    first = put_on(world, "teacher", f"/video-submissions/{take}", **body).json()
    elsewhere = world.uploaded()
    conflict = (409, "id_conflict")

    path = f"/video-submissions/{take}"
    assert code(put_on(world, "teacher", path, **body, timestamp_ms=6)) == conflict
    assert code(put_on(world, "teacher", f"/video-submissions/{elsewhere}", **body)) == conflict
    world.ask("teacher", "DELETE", f"/markers/{first['id']}")
    assert code(put_on(world, "teacher", path, **body)) == (404, "not_found")
    assert on_take(world, "teacher", take) == []


def test_a_double_mark_over_the_wire_is_one_marker(world: World, running: RunningServer) -> None:
    take = world.uploaded()
    body = {"timestamp_ms": 5, "text": "Here", "client_id": str(uuid4())}
    headers = {"Authorization": f"Bearer dev_token_user_{world.people['teacher']}"}

    def send(_: int) -> tuple[int, str]:
        with httpx.Client(base_url=running.url, headers=headers) as client:
            response = client.post(f"/video-submissions/{take}/markers", json=body)
            return response.status_code, response.json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))

    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({marker_id for _, marker_id in answers}) == 1
    assert len(on_take(world, "student", take)) == 1


# ── editing and deleting ───────────────────────────────────────────────────────


def test_the_author_edits_words_and_place(world: World, take: str) -> None:
    marker = mark(world, "teacher", take, 1000, end_ms=2000, measure_number=3)
    world.clock.advance(hours=2)

    edited = change(
        world,
        "teacher",
        marker,
        timestamp_ms=1500,
        end_ms=None,
        text="Better words",
        marker_type="praise",
        page_number=None,
        measure_number=4,
        measure_end=5,
    )

    assert edited.status_code == 200
    expected = {
        "timestamp_ms": 1500,
        "end_ms": None,
        "text": "Better words",
        "marker_type": "praise",
        "page_number": None,
        "measure_number": 4,
        "measure_end": 5,
        "edited_at": "2026-11-20T19:00:00Z",
    }
    assert edited.json() == marker | expected
    assert on_take(world, "teacher", take) == [edited.json()]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"timestamp_ms": 2000}, (422, "timestamp_out_of_range")),
        ({"end_ms": 1000}, (422, "timestamp_out_of_range")),
        ({"end_ms": 99_000}, (422, "timestamp_out_of_range")),
        ({"measure_end": 2}, (422, "invalid")),
        ({"measure_number": None, "measure_end": 3}, (422, "invalid")),
        ({"text": None}, (422, "invalid")),
        ({"text": ""}, (422, "invalid")),
        ({"timestamp_ms": None}, (422, "invalid")),
        ({"marker_type": None}, (422, "invalid")),
        ({"status": None}, (422, "invalid")),
        ({"status": "done"}, (422, "invalid")),
    ],
)
def test_an_edit_keeps_to_the_rules(
    world: World, take: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    marker = mark(world, "teacher", take, 1000, end_ms=2000, measure_number=3)

    assert code(change(world, "teacher", marker, **body)) == expected
    assert on_take(world, "teacher", take) == [marker]


def test_the_other_side_edits_and_deletes_nothing(world: World, take: str) -> None:
    by_teacher, by_student = mark(world, "teacher", take), mark(world, "student", take)

    for who, marker in (("student", by_teacher), ("teacher", by_student)):
        refused = change(world, who, marker, text="Mine now")
        assert code(refused) == (403, "forbidden")
        assert code(world.ask(who, "DELETE", f"/markers/{marker['id']}")) == (403, "forbidden")
    assert len(on_take(world, "student", take)) == 2


def test_a_student_cant_turn_a_question_into_praise(world: World, take: str) -> None:
    marker = mark(world, "student", take)

    assert code(change(world, "student", marker, marker_type="praise")) == (403, "forbidden")
    assert change(world, "student", marker, marker_type="question").json() == marker


def test_deleted_is_deleted(world: World, take: str) -> None:
    marker = mark(world, "teacher", take, text="Not so.")
    path = f"/markers/{marker['id']}"

    assert world.ask("teacher", "DELETE", path).status_code == 204
    seq = last_seq(world)
    assert world.ask("teacher", "DELETE", path).status_code == 204

    assert told(world, seq) == []
    assert on_take(world, "teacher", take) == []
    assert code(change(world, "teacher", marker, text="x")) == (404, "not_found")
    assert code(world.ask("teacher", "DELETE", f"/markers/{uuid4()}")) == (404, "not_found")
    with world.services.db.reading() as session:
        row = session.get(VideoMarker, UUID(marker["id"]))
        assert row is not None
        assert row.text == ""  # the words are gone, and not only out of sight


# ── open, tried, settled ───────────────────────────────────────────────────────

_WAYS = [
    ("student", "open", "tried", 200),
    ("student", "tried", "open", 200),
    ("student", "open", "settled", 403),
    ("student", "tried", "settled", 403),
    ("student", "settled", "open", 403),
    ("student", "settled", "tried", 403),
    ("student", "settled", "settled", 200),
    ("teacher", "open", "tried", 200),
    ("teacher", "open", "settled", 200),
    ("teacher", "tried", "open", 200),
    ("teacher", "settled", "open", 200),
]


@pytest.mark.parametrize(("who", "before", "after", "expected"), _WAYS)
def test_who_may_say_tried_and_settled(
    world: World, take: str, who: str, before: str, after: str, expected: int
) -> None:
    marker = mark(world, "teacher", take)
    change(world, "teacher", marker, status=before)

    response = change(world, who, marker, status=after)

    assert response.status_code == expected
    assert on_take(world, "teacher", take)[0]["status"] == (after if expected == 200 else before)
    assert on_take(world, "teacher", take)[0]["edited_at"] is None  # the words are as they were


def test_another_take_shows_that_it_was_tried(world: World, take: str) -> None:
    marker = mark(world, "teacher", take)
    newer = world.uploaded()

    tried = change(world, "student", marker, status="tried", settled_by_submission_id=newer)
    settled = change(world, "teacher", marker, status="settled")
    opened = change(world, "teacher", marker, status="open")

    assert tried.json()["settled_by_submission_id"] == newer
    assert settled.json()["settled_by_submission_id"] == newer
    assert opened.json()["settled_by_submission_id"] is None


def test_what_shows_it_is_a_take_of_the_same_student(world: World, take: str) -> None:
    marker = mark(world, "teacher", take)
    foreign = world.ask("second_student", "POST", "/pieces", json={"title": "Air"}).json()["id"]
    others = world.create("second_student", piece_id=foreign)["submission"]["id"]
    deleted = world.uploaded()
    world.ask("student", "DELETE", f"/video-submissions/{deleted}")

    for wrong in (others, deleted, str(uuid4())):
        refused = change(world, "teacher", marker, status="tried", settled_by_submission_id=wrong)
        assert code(refused) == (404, "not_found")
        assert refused.json()["fields"] == {"settled_by_submission_id": "not found"}
    still_open = change(world, "teacher", marker, settled_by_submission_id=take)
    assert code(still_open) == (422, "invalid")


# ── counts and the queue ───────────────────────────────────────────────────────


def test_a_submission_counts_markers_and_open_questions(world: World, take: str) -> None:
    mark(world, "teacher", take)
    question = mark(world, "student", take)
    gone = mark(world, "student", take)
    world.ask("student", "DELETE", f"/markers/{gone['id']}")
    clip = send_video(world, "teacher", take)
    put_on(world, "student", f"/messages/{clip['id']}")
    path = f"/video-submissions/{take}"

    counts = world.ask("student", "GET", path).json()
    change(world, "teacher", question, status="settled")
    fewer = world.ask("student", "GET", "/video-submissions").json()[0]

    assert (counts["marker_count"], counts["question_count"]) == (3, 2)
    assert (fewer["marker_count"], fewer["question_count"]) == (3, 1)


def _queue(world: World) -> list[tuple[str, bool]]:
    items = world.ask("teacher", "GET", "/review-queue").json()
    return [(item["submission"]["id"], item["has_question"]) for item in items]


def test_questions_come_first_in_the_queue(world: World) -> None:
    takes = []
    for _ in range(3):
        takes.append(world.uploaded())
        world.clock.advance(minutes=5)
    assert _queue(world) == [(take, False) for take in takes]

    question = mark(world, "student", takes[2])
    message = say(world, "student", takes[1], "Is this better?")

    assert _queue(world) == [(takes[1], True), (takes[2], True), (takes[0], False)]
    page = world.ask("teacher", "GET", "/review-queue?limit=2")
    assert page.headers["x-total-count"] == "3"
    rest = world.ask("teacher", "GET", page.links["next"]["url"]).json()
    assert [item["submission"]["id"] for item in rest] == [takes[0]]

    change(world, "teacher", question, status="tried")
    assert _queue(world) == [(takes[1], True), (takes[0], False), (takes[2], False)]
    world.clock.advance(minutes=1)
    say(world, "teacher", takes[1], "Much.")
    assert _queue(world) == [(take, False) for take in takes]
    world.clock.advance(minutes=1)
    again = say(world, "student", takes[1], "Thanks! And bar 20?")
    assert _queue(world)[0] == (takes[1], True)
    world.ask("student", "DELETE", f"/messages/{again['id']}")
    assert _queue(world) == [(take, False) for take in takes]
    assert message["id"] in {m["id"] for m in thread(world, "teacher", takes[1])}


def test_an_answer_in_another_thread_answers_nothing_here(world: World) -> None:
    asked, other = world.uploaded(), world.uploaded()
    say(world, "student", asked, "Is this better?")
    world.clock.advance(minutes=1)

    say(world, "teacher", other, "Bravo.")

    assert _queue(world) == [(asked, True), (other, False)]


def test_a_teachers_own_question_does_not_wait_for_the_teacher(world: World, take: str) -> None:
    mark(world, "teacher", take, marker_type="question")
    say(world, "teacher", take, "What do you hear?")

    assert _queue(world) == [(take, False)]


def test_a_video_on_its_way_asks_and_answers_nothing(world: World, take: str) -> None:
    post(world, "student", take, **video())
    assert _queue(world) == [(take, False)]

    say(world, "student", take, "Well?")
    world.clock.advance(minutes=1)
    post(world, "teacher", take, **video())
    assert _queue(world) == [(take, True)]
    send_video(world, "teacher", take)
    assert _queue(world) == [(take, False)]


# ── events, pages, cost ────────────────────────────────────────────────────────


def test_both_sides_are_told_of_every_change(world: World, take: str) -> None:
    both = sorted((world.people["student"], world.people["teacher"]))
    seq = last_seq(world)
    marker = mark(world, "teacher", take)
    change(world, "student", marker, status="tried")
    change(world, "student", marker, status="tried")
    change(world, "teacher", marker, text="Here.")
    world.ask("teacher", "DELETE", f"/markers/{marker['id']}")

    assert told(world, seq) == [
        ("marker.created", both),
        ("marker.updated", both),
        ("marker.deleted", both),
    ]


def test_markers_in_pages_are_the_markers(world: World, take: str) -> None:
    for number in range(5):
        mark(world, "teacher", take, 1000 * (number // 2))
    whole = [marker["id"] for marker in on_take(world, "teacher", take)]

    paged: list[str] = []
    url = f"/video-submissions/{take}/markers?limit=2"
    while url:
        page = world.ask("student", "GET", url)
        assert page.headers["x-total-count"] == "5"
        paged += [marker["id"] for marker in page.json()]
        url = page.links.get("next", {}).get("url", "")

    assert paged == whole
    assert len(set(paged)) == 5


@pytest.mark.parametrize("position", [[2**31, str(uuid4())], [True, "x"], ["1", str(uuid4())]])
def test_a_forged_position_is_refused(world: World, take: str, position: list[Any]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")

    path = f"/video-submissions/{take}/markers?cursor={cursor}"

    assert code(world.ask("student", "GET", path)) == (422, "invalid")


def test_fifty_markers_cost_no_more_statements_than_two(world: World, take: str) -> None:
    costs = []
    for count in (2, 48):
        for at in range(count):
            mark(world, "teacher", take, at)
        costs.append(
            statements_of(world, lambda: on_take(world, "student", take, "?include=messages"))
        )

    assert costs[0] == costs[1]
