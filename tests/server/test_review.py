"""The teacher's side: the queue by waiting time, reviewed once, lists in pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cadenza_server.tables import Piece, User
from tests.server.world import MP4, START, World, declared, facts


def _upload(world: World, who: str, title: str, *, wait_minutes: int = 0, **fields: Any) -> str:
    piece = world.ask(who, "POST", "/pieces", json={"title": title}).json()
    answer = world.create(who, piece_id=piece["id"], **declared(MP4), **fields)
    world.put(answer, MP4)
    submission_id = str(answer["submission"]["id"])
    world.confirm(submission_id, who, **facts(MP4))
    world.clock.advance(minutes=wait_minutes)
    return submission_id


def _ids(response: httpx.Response) -> list[str]:
    rows = response.json()
    return [row["submission"]["id"] if "submission" in row else row["id"] for row in rows]


# ── the queue ──────────────────────────────────────────────────────────────────


def test_who_waits_longest_comes_first(world: World) -> None:
    # The second one was played earlier but arrived later: it is the teacher's wait that counts.
    first = _upload(world, "student", "Gigue", wait_minutes=5, captured_at="2026-11-20T16:50:00Z")
    second = _upload(
        world, "second_student", "Air", wait_minutes=5, captured_at="2026-11-16T08:00:00Z"
    )
    third = _upload(world, "student", "Bourrée", wait_minutes=5)

    items = world.ask("teacher", "GET", "/review-queue").json()

    assert [item["submission"]["id"] for item in items] == [first, second, third]
    assert [item["waiting_seconds"] for item in items] == [900, 600, 300]
    assert items[0]["student_name"] == "Student"
    assert items[0]["student_id"] == world.people["student"]
    assert items[0]["due_at"] == "2026-11-22T17:00:00Z"
    assert items[0]["has_question"] is False


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("student", ["Second Student:Air", "Student:Gigue", "Student:Bourrée"]),
        ("piece", ["Second Student:Air", "Student:Bourrée", "Student:Gigue"]),
    ],
)
def test_the_queue_sorted_otherwise(world: World, sort: str, expected: list[str]) -> None:
    _upload(world, "student", "Gigue", wait_minutes=5)
    _upload(world, "student", "Bourrée", wait_minutes=5)
    _upload(world, "second_student", "Air")

    items = world.ask("teacher", "GET", "/review-queue", params={"sort": sort}).json()

    shown = [f"{i['student_name']}:{i['submission']['context_title']}" for i in items]
    assert shown == expected


@pytest.mark.parametrize("sort", ["waiting", "student", "piece"])
def test_the_queue_in_pages_is_the_queue(world: World, sort: str) -> None:
    for number in range(5):
        _upload(world, "student", f"Etude {number % 2}", wait_minutes=number % 2)
    params: dict[str, Any] = {"sort": sort}
    whole = _ids(world.ask("teacher", "GET", "/review-queue", params=params))

    paged, url = [], "/review-queue?limit=2&sort=" + sort
    while url:
        page = world.ask("teacher", "GET", url)
        assert page.headers["x-total-count"] == "5"
        paged += _ids(page)
        url = page.links.get("next", {}).get("url", "")

    assert paged == whole
    assert len(set(paged)) == 5


def test_the_queue_holds_what_has_arrived_and_is_not_reviewed(world: World) -> None:
    world.create()
    done = _upload(world, "student", "Gigue", wait_minutes=1)
    _upload(world, "other_student", "Allemande")
    world.ask("teacher", "PATCH", f"/video-submissions/{done}/reviewed")
    waiting = _upload(world, "student", "Bourrée")

    assert _ids(world.ask("teacher", "GET", "/review-queue")) == [waiting]
    world.ask("teacher", "DELETE", f"/video-submissions/{done}/reviewed")
    assert _ids(world.ask("teacher", "GET", "/review-queue")) == [done, waiting]


def test_a_student_has_an_empty_queue(world: World) -> None:
    world.uploaded()

    assert world.ask("student", "GET", "/review-queue").json() == []
    unknown = world.ask("teacher", "GET", "/review-queue", params={"sort": "mood"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid")


# ── reviewing (B-22) ───────────────────────────────────────────────────────────


def test_the_first_review_counts(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}/reviewed"
    first = world.ask("teacher", "PATCH", path).json()
    world.clock.advance(days=1)

    again = world.ask("teacher", "PATCH", path)

    assert again.status_code == 200
    assert again.json()["reviewed_at"] == first["reviewed_at"] == "2026-11-20T17:00:00Z"


def test_a_review_can_be_taken_back(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}/reviewed"
    world.ask("teacher", "PATCH", path)

    reopened = world.ask("teacher", "DELETE", path)

    assert reopened.status_code == 200
    assert reopened.json()["reviewed_at"] is reopened.json()["reviewed_by_id"] is None
    assert world.event_names(submission_id)[-2:] == ["reviewed", "reopened"]


@pytest.mark.parametrize("who", ["student", "other_teacher", "other_student", "admin"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_only_the_owners_teacher_reviews(world: World, who: str, method: str) -> None:
    submission_id = world.uploaded()

    response = world.ask(who, method, f"/video-submissions/{submission_id}/reviewed")

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


def test_one_who_teaches_himself_still_does_not_review_himself(world: World) -> None:
    submission_id = world.uploaded()
    with world.services.db.writing() as session:
        user = session.get(User, world.people["student"])
        assert user is not None
        user.teacher_id = user.id

    response = world.ask("student", "PATCH", f"/video-submissions/{submission_id}/reviewed")

    assert response.status_code == 403


# ── when the teacher changes (B-30) ────────────────────────────────────────────


def test_a_new_teacher_sees_what_comes_after_the_change(world: World) -> None:
    before = world.uploaded()
    world.clock.advance(minutes=1)
    params = {"teacher_email": "other_teacher@studio.example"}
    answer = world.ask("student", "POST", "/users/set-teacher", params=params)
    assert answer.json()["teacher"]["id"] == world.people["other_teacher"]
    world.clock.advance(minutes=1)
    after = world.uploaded()
    path = f"/students/{world.people['student']}/video-submissions"

    assert _ids(world.ask("other_teacher", "GET", path)) == [after]
    assert _ids(world.ask("other_teacher", "GET", "/review-queue")) == [after]
    assert world.ask("other_teacher", "GET", f"/video-submissions/{before}").status_code == 403
    assert world.ask("other_teacher", "GET", f"/video-submissions/{after}").status_code == 200
    for lost in (path, f"/video-submissions/{before}", f"/video-submissions/{after}"):
        assert world.ask("teacher", "GET", lost).status_code == 403, lost
    assert world.ask("teacher", "GET", "/review-queue").json() == []


def test_a_student_may_share_the_history_with_a_new_teacher(world: World) -> None:
    before = world.uploaded()
    world.clock.advance(minutes=1)
    params = {"teacher_email": "other_teacher@studio.example", "share_history": True}
    world.ask("student", "POST", "/users/set-teacher", params=params)

    assert world.ask("other_teacher", "GET", f"/video-submissions/{before}").status_code == 200
    assert _ids(world.ask("other_teacher", "GET", "/review-queue")) == [before]


def test_the_first_teacher_sees_what_was_recorded_before(world: World) -> None:
    with world.services.db.writing() as session:
        user = session.get(User, world.people["student"])
        assert user is not None
        user.teacher_id = user.teacher_since = None
        user.share_history = False
    before = world.uploaded()
    world.clock.advance(minutes=1)

    params = {"teacher_email": "teacher@studio.example"}
    world.ask("student", "POST", "/users/set-teacher", params=params)

    assert world.ask("teacher", "GET", f"/video-submissions/{before}").status_code == 200


def test_a_teacher_who_was_removed_sees_nothing_and_it_is_written_down(world: World) -> None:
    submission_id = world.uploaded()

    assert world.ask("student", "DELETE", "/users/remove-teacher").status_code == 204
    assert world.ask("student", "DELETE", "/users/remove-teacher").status_code == 204

    assert world.ask("teacher", "GET", f"/video-submissions/{submission_id}").status_code == 403
    assert world.ask("teacher", "GET", "/users/my-students").json()[0]["full_name"] == (
        "Second Student"
    )
    assert world.ask("student", "GET", "/users/my-teacher").json() is None
    from cadenza_server.tables import UploadEvent

    with world.services.db.reading() as session:
        from sqlmodel import select

        names = session.scalars(select(UploadEvent.event)).all()
    assert names.count("teacher_removed") == 1


# ── lists and pages (W4) ───────────────────────────────────────────────────────


def test_lists_are_bare_arrays_newest_capture_first_with_a_link(world: World) -> None:
    for day in (3, 1, 5, 2, 4):
        world.create(captured_at=f"2026-11-0{day}T08:00:00Z")

    first = world.ask("student", "GET", "/video-submissions?limit=2")
    second = world.ask("student", "GET", first.links["next"]["url"])
    third = world.ask("student", "GET", second.links["next"]["url"])

    days = [[row["captured_at"][8:10] for row in page.json()] for page in (first, second, third)]
    assert days == [["05", "04"], ["03", "02"], ["01"]]
    assert "link" not in third.headers
    assert {page.headers["x-total-count"] for page in (first, second, third)} == {"5"}


def test_a_page_is_stable_while_new_takes_arrive(world: World) -> None:
    for day in (1, 2, 3):
        world.create(captured_at=f"2026-11-0{day}T08:00:00Z")
    first = world.ask("student", "GET", "/video-submissions?limit=2")
    world.create(captured_at="2026-11-09T08:00:00Z")

    second = world.ask("student", "GET", first.links["next"]["url"])

    assert [row["captured_at"][8:10] for row in second.json()] == ["01"]


def test_takes_of_one_second_are_all_listed_once(world: World) -> None:
    for _ in range(5):
        world.create(captured_at="2026-11-01T08:00:00Z")

    seen, url = [], "/video-submissions?limit=1"
    while url:
        page = world.ask("student", "GET", url)
        seen += _ids(page)
        url = page.links.get("next", {}).get("url", "")

    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "cursor=xyz", "cursor=W10", "cursor=" + "A" * 1001],
)
def test_bad_pages_are_refused(world: World, query: str) -> None:
    response = world.ask("student", "GET", f"/video-submissions?{query}")

    assert (response.status_code, response.json()["code"]) == (422, "invalid")


def test_the_cursor_of_another_list_is_refused(world: World) -> None:
    for title in ("A", "B"):
        world.ask("student", "POST", "/pieces", json={"title": title})
    url = world.ask("student", "GET", "/pieces?limit=1").links["next"]["url"]
    cursor = httpx.URL(url).params["cursor"]

    response = world.ask("student", "GET", "/video-submissions", params={"cursor": cursor})

    assert response.json()["code"] == "invalid"


def test_own_lists_are_filtered(world: World) -> None:
    other = Piece(
        owner_id=world.people["student"], title="Gigue", created_at=START, updated_at=START
    )
    with world.services.db.writing() as session:
        session.add(other)
    ids = {
        "piece": world.create()["submission"]["id"],
        "other": world.create(piece_id=str(other.id))["submission"]["id"],
        "exercise": world.create(piece_id=None, exercise_id=str(world.exercise_id))["submission"][
            "id"
        ],
        "session": world.create(piece_id=None, session_id=str(world.session_id))["submission"][
            "id"
        ],
        "uploaded": world.uploaded(piece_id=str(other.id)),
    }
    world.ask("teacher", "PATCH", f"/video-submissions/{ids['uploaded']}/reviewed")

    def listed(**params: Any) -> set[str]:
        return set(_ids(world.ask("student", "GET", "/video-submissions", params=params)))

    assert listed() == set(ids.values())
    assert listed(piece_id=str(other.id)) == {ids["other"], ids["uploaded"]}
    assert listed(exercise_id=str(world.exercise_id)) == {ids["exercise"]}
    assert listed(session_id=str(world.session_id)) == {ids["session"]}
    assert listed(media_state="uploaded") == {ids["uploaded"]}
    assert listed(reviewed=True) == {ids["uploaded"]}
    assert ids["uploaded"] not in listed(reviewed=False)
    assert listed(piece_id=str(other.id), reviewed=False) == {ids["other"]}


def test_a_students_list_is_filtered_for_the_teacher(world: World) -> None:
    first = world.uploaded()
    second = world.create(piece_id=None, exercise_id=str(world.exercise_id))["submission"]["id"]
    path = f"/students/{world.people['student']}/video-submissions"

    def listed(**params: Any) -> list[str]:
        return _ids(world.ask("teacher", "GET", path, params=params))

    assert listed(media_state="uploaded") == [first]
    assert listed(media_state="awaiting_upload") == [second]
    assert listed(piece_id=str(world.piece_id)) == [first]
    assert listed(exercise_id=str(world.exercise_id)) == [second]
    assert world.ask("teacher", "GET", "/students/9999/video-submissions").status_code == 404
