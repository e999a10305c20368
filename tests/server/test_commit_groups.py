"""Group commit: one flush for many, nobody answered before it, nobody hurt by another's failure.

This is SQLite's, on the event loop; PostgreSQL's, among threads, is in `test_write_groups`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from cadenza_server import ServerSettings, admin
from cadenza_server.database import Database
from cadenza_server.events import first_broken
from cadenza_server.storage import StorageUnavailableError
from cadenza_server.tables import Studio, UploadEvent
from tests.server.world import MP4, World, declared


@pytest.fixture
def database() -> str:
    return "sqlite"


@pytest.fixture
def db(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "cadenza.db").write_bytes(migrated.read_bytes())
    database = Database(f"sqlite:///{tmp_path / 'cadenza.db'}")
    yield database
    database.close()


@pytest.fixture
def commits(db: Database) -> list[str]:
    """One entry for each commit."""
    seen: list[str] = []
    sa.event.listen(db.engine, "commit", lambda _: seen.append("commit"))
    return seen


def _add(db: Database, name: str) -> Callable[[], str]:
    def work() -> str:
        with db.writing() as session:
            session.add(Studio(name=name))
        return name

    return work


def _names(db: Database) -> list[str]:
    with db.reading() as session:
        return sorted(session.scalars(select(Studio.name)))


async def _together(db: Database, *works: Callable[[], Any]) -> list[Any]:
    return await asyncio.gather(*(db.run(work) for work in works), return_exceptions=True)


def test_those_who_come_together_share_a_commit(db: Database, commits: list[str]) -> None:
    works = [_add(db, f"{number}") for number in range(10)]

    assert asyncio.run(_together(db, *works)) == [f"{number}" for number in range(10)]

    assert commits == ["commit"]
    assert len(_names(db)) == 10


def test_one_who_fails_takes_back_only_his_own(db: Database, commits: list[str]) -> None:
    def fail() -> None:
        with db.writing() as session:
            session.add(Studio(name="half"))
            session.flush()
            raise ValueError("no")

    answers = asyncio.run(_together(db, _add(db, "before"), fail, _add(db, "after")))

    assert answers[::2] == ["before", "after"]
    assert isinstance(answers[1], ValueError)
    assert _names(db) == ["after", "before"]
    assert commits == ["commit"]


def test_what_was_written_before_a_failure_stays(db: Database) -> None:
    # A refused confirm is written down, and then the request is refused.
    def refuse() -> None:
        _add(db, "written down")()
        raise ValueError("refused")

    (answer,) = asyncio.run(_together(db, refuse))

    assert isinstance(answer, ValueError)
    assert _names(db) == ["written down"]


def test_nobody_is_answered_before_the_disk_has_it(db: Database) -> None:
    at_the_disk, go_on = threading.Event(), threading.Event()

    def wait(_: sa.Connection) -> None:
        at_the_disk.set()
        assert go_on.wait(10)

    sa.event.listen(db.engine, "commit", wait)

    async def scenario() -> None:
        first = asyncio.create_task(db.run(_add(db, "first")))
        await asyncio.to_thread(at_the_disk.wait, 10)
        # The loop goes on meanwhile, and who comes now waits for the next group.
        late = asyncio.create_task(db.run(_add(db, "late")))
        reader = asyncio.create_task(db.run(lambda: _names(db)))
        await asyncio.sleep(0.05)
        assert not first.done()
        assert not late.done()
        assert not reader.done()
        assert await asyncio.to_thread(_names, db) == [], "nobody else sees it either"
        go_on.set()
        assert await first == "first"
        assert await late == "late"
        assert "first" in await reader

    asyncio.run(scenario())
    assert _names(db) == ["first", "late"]


def test_who_has_written_reads_what_was_written(db: Database) -> None:
    def work() -> tuple[list[str], list[str]]:
        before = _names(db)
        _add(db, "mine")()
        return before, _names(db)

    assert asyncio.run(db.run(work)) == ([], ["mine"])


def test_who_only_reads_does_not_write(db: Database, commits: list[str]) -> None:
    assert asyncio.run(db.run(lambda: _names(db))) == []
    assert commits == []


def test_a_transaction_that_the_database_gave_up_fails_for_all(db: Database) -> None:
    # SQLite does this by itself on a full disk; the earlier ones' writes are gone as well.
    def full_disk() -> None:
        with db.writing() as session:
            driver = session.core.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute("ROLLBACK")
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    answers = asyncio.run(_together(db, _add(db, "early"), full_disk, _add(db, "late")))

    kinds = [type(answer) for answer in answers]
    assert kinds == [StorageUnavailableError] * 3
    assert _names(db) == []
    assert asyncio.run(db.run(_add(db, "next"))) == "next", "and the next group is a new one"


def test_a_commit_that_fails_fails_for_all(db: Database) -> None:
    def refuse(_: sa.Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    sa.event.listen(db.engine, "commit", refuse)
    answers = asyncio.run(_together(db, _add(db, "one"), _add(db, "two")))
    sa.event.remove(db.engine, "commit", refuse)

    assert [type(answer) for answer in answers] == [OperationalError] * 2
    assert _names(db) == []
    assert asyncio.run(db.run(_add(db, "next"))) == "next"


def test_a_group_that_can_not_begin_fails_for_him_who_asked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    sa.event.listen(db._write_engine, "begin", locked)
    (answer,) = asyncio.run(_together(db, _add(db, "one")))
    sa.event.remove(db._write_engine, "begin", locked)

    assert isinstance(answer, OperationalError)
    assert asyncio.run(db.run(_add(db, "next"))) == "next"


def test_one_who_stops_waiting_stops_nobody(db: Database) -> None:
    async def scenario() -> None:
        tasks = [asyncio.create_task(db.run(_add(db, f"{number}"))) for number in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[0].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert answers[1:] == ["1", "2"]

    asyncio.run(scenario())
    assert {"1", "2"} <= set(_names(db))


def test_threads_and_other_loops_take_their_turn(db: Database) -> None:
    def in_loop(start: int) -> None:
        async def scenario() -> None:
            for number in range(start, start + 20):
                await db.run(_add(db, str(number)))

        asyncio.run(scenario())

    def in_thread(start: int) -> None:
        for number in range(start, start + 20):
            _add(db, str(number))()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(in_loop, 0), pool.submit(in_loop, 100), pool.submit(in_thread, 200)]
        for job in jobs:
            job.result(timeout=60)

    assert len(_names(db)) == 60


def test_a_failed_commit_is_a_503_and_the_server_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = world.services.db.engine

    def refuse(_: sa.Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    body = world.take(**declared(MP4))
    sa.event.listen(engine, "commit", refuse)
    refused = world.ask("student", "POST", "/video-submissions", json=body)
    sa.event.remove(engine, "commit", refuse)

    assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
    assert "disk" not in refused.text
    assert world.ask("student", "POST", "/video-submissions", json=body).status_code == 201


def test_work_can_run_in_threads_instead(world: World) -> None:
    # What a database across a network will do.
    from dataclasses import replace

    world.app.state.services = replace(world.services, in_threads=True)

    submission_id = world.uploaded()

    answer = world.ask("student", "GET", f"/video-submissions/{submission_id}")
    assert answer.json()["media_state"] == "uploaded"


# ── the promise itself ─────────────────────────────────────────────────────────


def test_a_killed_server_has_kept_everything_it_acknowledged(tmp_path: Path) -> None:
    settings = ServerSettings(data_dir=tmp_path)
    demo = admin.seed_demo(settings)
    acknowledged: list[str] = []
    with _started(tmp_path) as (process, url):
        headers = {"Authorization": f"Bearer dev_token_user_{demo.student_id}"}

        def send(_: int) -> None:
            with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
                while True:
                    body = {"piece_id": str(demo.piece_id), "duration_seconds": 5, **declared(MP4)}
                    if client.post("/video-submissions", json=body).status_code == 201:
                        acknowledged.append(body["id"])

        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(send, number) for number in range(6)]
            while len(acknowledged) < 60:
                assert not any(job.done() for job in jobs)
                threading.Event().wait(0.01)
            process.send_signal(signal.SIGKILL)
            for job in jobs:
                with pytest.raises(httpx.TransportError):
                    job.result(timeout=30)

    database = Database(settings.database_url)
    with database.reading() as session:
        kept = {str(row) for row in session.execute(sa.text("SELECT id FROM video_submissions"))}
        trail = select(UploadEvent).order_by(sa.text("seq"))
        assert first_broken(session.scalars(trail)) is None
        count = session.execute(sa.text("SELECT count(*) FROM media_assets")).scalar_one()
    database.close()
    missing = [one for one in acknowledged if not any(one.replace("-", "") in row for row in kept)]
    assert missing == []
    assert count == len(kept), "no half of a submission"


@contextlib.contextmanager
def _started(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    program = (
        "from cadenza_server import ServerSettings; from cadenza_server.serving import serve\n"
        "serve(ServerSettings(), port=0, on_ready=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "CADENZA_SERVER_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()
