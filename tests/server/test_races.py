"""Two requests at once, over real sockets and on both databases: one wins, and all agree which."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import select

from cadenza_server.events import first_broken
from cadenza_server.serving import RunningServer, run_in_thread
from cadenza_server.tables import UploadEvent
from tests.server.world import MP4, World, declared, facts

ROUNDS = 6
AT_ONCE = 6
Ask = Callable[..., httpx.Response]


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(derivatives="off")


@pytest.fixture
def ask(world: World, running: RunningServer) -> Iterator[Ask]:
    """`ask(who, method, path, **options)` from any thread."""
    with httpx.Client(base_url=running.url, timeout=60) as http:

        def send(who: str, method: str, path: str, **options: Any) -> httpx.Response:
            return http.request(method, path, headers=_bearer(world, who), **options)

        yield send


def _at_once(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def _bearer(world: World, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer dev_token_user_{world.people[who]}"}


def _events(world: World, name: str) -> int:
    with world.services.db.reading() as session:
        query = select(sa.func.count()).select_from(UploadEvent).where(UploadEvent.event == name)
        return int(session.execute(query).scalar_one())


def _trail_is_whole(world: World) -> bool:
    with world.services.db.reading() as session:
        lines = session.scalars(select(UploadEvent).order_by(sa.text("seq"))).all()
    return first_broken(lines) is None


def test_the_same_create_many_times_at_once_makes_one_take(world: World, ask: Ask) -> None:
    for _ in range(ROUNDS):
        body = world.take(**declared(MP4))
        call = partial(ask, "student", "POST", "/video-submissions", json=body)
        answers = _at_once(*[call] * AT_ONCE)

        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: AT_ONCE - 1}
    assert _events(world, "created") == ROUNDS
    assert _trail_is_whole(world)


def test_an_id_that_two_want_goes_to_one(world: World, ask: Ask) -> None:
    for _ in range(ROUNDS):
        submission_id = str(uuid4())
        bodies = [world.take(id=submission_id, duration_seconds=n + 1) for n in range(AT_ONCE)]
        answers = _at_once(
            *(partial(ask, "student", "POST", "/video-submissions", json=body) for body in bodies)
        )

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
        (won,) = [n for n, answer in enumerate(answers) if answer.status_code == 201]
        kept = ask("student", "GET", f"/video-submissions/{submission_id}").json()
        assert kept["duration_seconds"] == won + 1


def test_a_confirm_and_a_delete_never_both_win(world: World, ask: Ask) -> None:
    for _ in range(ROUNDS):
        answer = world.create(**declared(MP4))
        world.put(answer, MP4)
        path = f"/video-submissions/{answer['submission']['id']}"
        confirmed, deleted = _at_once(
            partial(ask, "student", "POST", f"{path}/confirm", json=facts(MP4)),
            partial(ask, "student", "DELETE", path),
        )

        assert deleted.status_code == 204
        # First confirmed and then deleted, or deleted and gone: never alive after the delete. (The
        # bytes may be gone already when the confirm looks for them.)
        assert confirmed.status_code in (200, 410, 409)
        assert ask("student", "GET", path).status_code == 410
    assert _events(world, "deleted") == ROUNDS
    assert _trail_is_whole(world)


def test_a_review_and_a_delete_never_both_win(world: World, ask: Ask) -> None:
    for _ in range(ROUNDS):
        submission_id = world.uploaded()
        path = f"/video-submissions/{submission_id}"
        reviewed, deleted = _at_once(
            partial(ask, "teacher", "PATCH", f"{path}/reviewed"),
            partial(ask, "student", "DELETE", path),
        )

        outcome = (reviewed.status_code, deleted.status_code)
        assert outcome in {(200, 409), (410, 204)}
        after = ask("student", "GET", path)
        assert after.status_code == (200 if outcome == (200, 409) else 410)
    assert _events(world, "reviewed") + _events(world, "deleted") == ROUNDS


def test_a_take_that_is_reviewed_many_times_at_once_is_reviewed_once(
    world: World, ask: Ask
) -> None:
    for _ in range(ROUNDS):
        path = f"/video-submissions/{world.uploaded()}/reviewed"
        call = partial(ask, "teacher", "PATCH", path)
        answers = _at_once(*[call] * AT_ONCE)

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["reviewed_at"] for answer in answers}) == 1
    assert _events(world, "reviewed") == ROUNDS
    assert _trail_is_whole(world)


def test_the_last_of_the_quota_goes_to_one(make_world: Callable[..., World]) -> None:
    world = make_world(takes_per_day=3)
    own = _bearer(world, "student")
    with run_in_thread(world.app) as server, httpx.Client(base_url=server.url) as http:
        answers = _at_once(
            *[partial(http.post, "/video-submissions", json=world.take(), headers=own)] * AT_ONCE
        )

    assert Counter(answer.status_code for answer in answers) == {201: 3, 403: AT_ONCE - 3}
