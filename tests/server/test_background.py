"""Work off the request path goes on whatever happens, and ends when it is told to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from cadenza_server.background import Background, Job
from cadenza_server.jobs import background_of
from cadenza_server.serving import run_in_thread
from tests.server.databases import ON_SQLITE
from tests.server.world import World


def test_a_job_is_done_again_and_again() -> None:
    done = threading.Event()
    results = iter([True, True, False])
    calls: list[int] = []

    def step() -> bool:
        calls.append(1)
        found = next(results, None)
        if found is None:
            done.set()
        return bool(found)

    background = Background([Job("x", step, 0.01)])
    background.start()
    assert done.wait(5)
    background.stop()
    count = len(calls)
    time.sleep(0.05)
    assert len(calls) == count >= 4


def test_a_job_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    again = threading.Event()
    failures = iter([True])

    def step() -> None:
        if next(failures, False):
            raise RuntimeError("the database is away")
        again.set()

    background = Background([Job("x", step, 0.01)])
    with caplog.at_level(logging.WARNING, "cadenza.server"):
        logging.getLogger("cadenza.server").propagate = True
        background.start()
        assert again.wait(5)
    background.stop()
    assert "background_job_failed" in caplog.text


def test_what_fails_because_we_stop_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        assert stopped.wait(5)
        raise RuntimeError

    background = Background([Job("x", step, 0.01)], on_stop=stopped.set)
    background.start()
    assert begun.wait(5)
    background.stop()
    assert "background_job_failed" not in caplog.text


@ON_SQLITE
def test_the_server_makes_derivatives_unless_told_not_to(
    make_world: Callable[..., World],
) -> None:
    def names(world: World) -> list[str]:
        return [job.name for job in background_of(world.services)._jobs]

    assert names(make_world(derivatives="on")) == ["webhooks", "prune", "derivatives"]
    assert names(make_world(derivatives="off")) == ["webhooks", "prune"]


@ON_SQLITE
def test_jobs_run_with_the_server_and_end_with_it(make_world: Callable[..., World]) -> None:
    world = make_world(derivatives="on")

    # Another server of this process may be running.
    before = set(threading.enumerate())

    def running() -> set[str]:
        names = ("cadenza-webhooks", "cadenza-prune", "cadenza-derivatives")
        mine = set(threading.enumerate()) - before
        return {thread.name for thread in mine if thread.name in names}

    with run_in_thread(world.app):
        assert len(running()) == 3
    assert running() == set()
