"""Notifications: one's own, newest first, read once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.server.talk import code, mark, say, send_video
from tests.server.world import World


def bell(world: World, who: str, query: str = "") -> list[dict[str, Any]]:
    response = world.ask(who, "GET", f"/notifications{query}")
    assert response.status_code == 200, response.text
    return list(response.json())


@pytest.fixture
def take(world: World) -> str:
    """A take that has arrived: the teacher is told of it."""
    return world.uploaded()


def test_each_is_told_what_the_other_did(world: World, take: str) -> None:
    world.clock.advance(minutes=1)
    message = say(world, "teacher", take, "Try the third finger.")
    world.clock.advance(minutes=1)
    mark(world, "teacher", take, text="Here")

    newest, older = bell(world, "student")

    assert older == {
        "id": older["id"],
        "type": "message.created",
        "title": "Teacher wrote to you",
        "body": "Try the third finger.",
        "url": f"/v/{take}?message={message['id']}",
        "submission_id": take,
        "event_count": 1,
        "created_at": "2026-11-20T17:01:00Z",
        "read_at": None,
    }
    assert newest["type"] == "marker.created"
    assert [one["type"] for one in bell(world, "teacher")] == ["submission.uploaded"]
    assert bell(world, "admin") == bell(world, "other_teacher") == []


def test_a_video_reply_is_told_of_when_it_can_be_watched(world: World, take: str) -> None:
    send_video(world, "teacher", take)

    [notice] = bell(world, "student")

    assert (notice["title"], notice["body"]) == ("Teacher wrote to you", "A video of 0:12")


def test_read_once_is_read(world: World, take: str) -> None:
    say(world, "teacher", take)
    [notice] = bell(world, "student", "?unread=true")
    path = f"/notifications/{notice['id']}/read"

    first = world.ask("student", "PATCH", path).json()
    world.clock.advance(minutes=1)
    again = world.ask("student", "PATCH", path).json()

    assert first["read_at"] == again["read_at"] == "2026-11-20T17:00:00Z"
    assert bell(world, "student", "?unread=true") == []
    assert bell(world, "student", "?unread=false") == [again]


def test_somebody_elses_stay_unread(world: World, take: str) -> None:
    say(world, "teacher", take)
    [notice] = bell(world, "student")

    refused = world.ask("teacher", "PATCH", f"/notifications/{notice['id']}/read")
    assert code(refused) == (403, "forbidden")
    assert world.ask("teacher", "POST", "/notifications/read-all").status_code == 204

    assert bell(world, "student") == [notice]
    assert bell(world, "teacher", "?unread=true") == []
    assert len(bell(world, "teacher")) == 1
    unknown = world.ask("student", "PATCH", f"/notifications/{uuid4()}/read")
    assert code(unknown) == (404, "not_found")


def test_all_at_once(world: World) -> None:
    for _ in range(3):
        say(world, "teacher", world.uploaded())

    assert world.ask("student", "POST", "/notifications/read-all").status_code == 204
    assert world.ask("student", "POST", "/notifications/read-all").status_code == 204

    assert len(bell(world, "student")) == 3
    assert bell(world, "student", "?unread=true") == []


def test_notifications_in_pages(world: World) -> None:
    for number in range(5):
        say(world, "teacher", world.uploaded())
        world.clock.advance(minutes=number % 2)
    whole = [one["id"] for one in bell(world, "student")]

    paged: list[str] = []
    url = "/notifications?limit=2&unread=true"
    while url:
        page = world.ask("student", "GET", url)
        assert page.headers["x-total-count"] == "5"
        paged += [one["id"] for one in page.json()]
        url = page.links.get("next", {}).get("url", "")

    assert paged == whole
    assert len(set(paged)) == 5
    assert code(world.ask("student", "GET", "/notifications?cursor=x")) == (422, "invalid")
