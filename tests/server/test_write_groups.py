"""Writers on PostgreSQL: one at a time, many to a commit, nobody hurt by another's failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import select

from cadenza_server.database import Database
from cadenza_server.events import Fact, append, first_broken
from cadenza_server.postgresql import PoolOptions, driver_of, with_driver
from cadenza_server.storage import StorageUnavailableError
from cadenza_server.tables import Studio, UploadEvent
from cadenza_server.write_groups import MAX_GROUP
from tests.server.world import START

pytestmark = pytest.mark.real("postgresql")


@pytest.fixture
def database() -> str:
    return "postgresql"


@pytest.fixture
def commits(db: Database) -> list[str]:
    """One entry for each commit."""
    seen: list[str] = []
    sa.event.listen(db.engine, "commit", lambda _: seen.append("commit"))
    return seen


def _names(db: Database) -> list[str]:
    with db.reading() as session:
        return sorted(session.scalars(select(Studio.name)))


class Queue:
    """Writers that stand in a row: the first works until it is let go, the others wait."""

    def __init__(self, db: Database, works: list[Callable[[Any], None]]) -> None:
        self._db = db
        self._go = threading.Event()
        self._inside = threading.Event()
        with ThreadPoolExecutor(len(works)) as pool:
            self.answers: list[Future[None]] = [pool.submit(self._write, works[0], True)]
            assert self._inside.wait(10)
            for waiting, work in enumerate(works[1:], 1):
                self.answers.append(pool.submit(self._write, work, False))
                self._until_waiting(waiting)
            self._go.set()

    def _write(self, work: Callable[[Any], None], is_first: bool) -> None:
        with self._db.writing() as session:
            if is_first:
                self._inside.set()
                assert self._go.wait(10)
            work(session)

    def _until_waiting(self, count: int) -> None:
        groups = self._db._thread_groups
        deadline = time.monotonic() + 10
        while groups is not None and groups._waiting < count:
            assert time.monotonic() < deadline
            time.sleep(0.001)


def _add(name: str) -> Callable[[Any], None]:
    def work(session: Any) -> None:
        session.add(Studio(name=name))
        session.flush()

    return work


def test_those_who_wait_share_a_commit(db: Database, commits: list[str]) -> None:
    queue = Queue(db, [_add(f"{number}") for number in range(5)])

    assert [answer.exception() for answer in queue.answers] == [None] * 5
    assert commits == ["commit"]
    assert _names(db) == ["0", "1", "2", "3", "4"]


def test_who_comes_along_in_a_commit_goes_to_the_database_once_more(db: Database) -> None:
    sent: list[str] = []

    def see(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", see)
    Queue(db, [lambda _: None] * 3)

    begin, *parts = sent
    assert begin.startswith("BEGIN")
    assert parts == ["SAVEPOINT part_2", "SAVEPOINT part_3"]


def test_a_savepoint_that_fails_takes_back_nobody_elses(db: Database) -> None:
    def fail(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement == "SAVEPOINT part_3":
            raise OperationalError(statement, {}, Exception("out of memory"))

    sa.event.listen(db.engine, "before_cursor_execute", fail)
    queue = Queue(db, [_add("a"), _add("b"), _add("c")])
    sa.event.remove(db.engine, "before_cursor_execute", fail)

    # Nothing tells which of it the database still has: all hear of it, or all is kept.
    acknowledged = [n for n, one in zip("abc", queue.answers, strict=True) if not one.exception()]
    assert _names(db) == acknowledged
    assert "c" not in acknowledged


def test_the_first_of_a_group_does_not_wait_for_ever(db: Database, commits: list[str]) -> None:
    Queue(db, [_add(f"{number}") for number in range(MAX_GROUP + 3)])

    assert commits == ["commit"] * 2
    assert len(_names(db)) == MAX_GROUP + 3


def test_one_who_fails_takes_back_only_his_own(db: Database, commits: list[str]) -> None:
    def fail(session: Any) -> None:
        session.add(Studio(name="half"))
        session.flush()
        raise ValueError("no")

    def break_a_rule(session: Any) -> None:
        session.core.execute(sa.text("INSERT INTO studios (id) VALUES (1)"))

    queue = Queue(db, [_add("a"), fail, _add("b"), break_a_rule, _add("c"), fail])

    errors = [type(answer.exception()) for answer in queue.answers]
    nothing = type(None)
    assert errors == [nothing, ValueError, nothing, IntegrityError, nothing, ValueError]
    assert _names(db) == ["a", "b", "c"]
    assert commits == ["commit"]


def test_a_first_who_fails_leaves_the_turn_to_the_next(db: Database) -> None:
    def fail(session: Any) -> None:
        raise ValueError("no")

    queue = Queue(db, [fail, _add("b")])

    assert [type(answer.exception()) for answer in queue.answers] == [ValueError, type(None)]
    assert _names(db) == ["b"]


def test_a_connection_that_breaks_is_told_to_all_whose_writes_went_with_it(db: Database) -> None:
    def die(session: Any) -> None:
        session.core.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

    queue = Queue(db, [_add("a"), die, _add("c")])

    first, second, _ = (answer.exception() for answer in queue.answers)
    assert isinstance(first, StorageUnavailableError)
    assert isinstance(second, DBAPIError)
    # The third has either begun anew or gone down with them: never acknowledged and lost.
    assert _names(db) == ([] if queue.answers[2].exception() else ["c"])
    with db.writing() as session:
        session.add(Studio(name="later"))
    assert "later" in _names(db)


def test_a_commit_that_fails_is_told_to_all_who_wait_for_it(db: Database) -> None:
    def refuse(_connection: sa.Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("no space left on device"))

    sa.event.listen(db.engine, "commit", refuse)
    queue = Queue(db, [_add("a"), _add("b")])
    sa.event.remove(db.engine, "commit", refuse)

    assert [type(answer.exception()) for answer in queue.answers] == [OperationalError] * 2
    assert _names(db) == []


def test_a_failure_that_was_swallowed_is_never_acknowledged(db: Database) -> None:
    # PostgreSQL answers COMMIT with ROLLBACK then, and the driver says nothing.
    def swallow() -> None:
        with db.writing() as session:
            session.add(Studio(name="lost"))
            session.flush()
            with pytest.raises(IntegrityError):
                session.core.execute(sa.text("INSERT INTO studios (id) VALUES (1)"))

    with pytest.raises(StorageUnavailableError):
        swallow()
    assert _names(db) == []


def test_writers_of_other_processes_wait_in_the_database(db: Database) -> None:
    other = Database(str(db.engine.url), PoolOptions(lock_seconds=0.2))
    with db.writing() as session:
        session.add(Studio(name="a"))

        def write() -> None:
            with other.writing():
                pass

        with pytest.raises(OperationalError, match="lock timeout"):
            write()
    with other.writing() as session:
        session.add(Studio(name="b"))
    other.close()
    assert _names(db) == ["a", "b"]


def test_the_trail_is_one_chain_whoever_writes(db: Database) -> None:
    others = [db, Database(str(db.engine.url))]

    def write(number: int) -> None:
        with others[number % 2].writing() as session:
            append(session, START, Fact("step", None, data={"number": number}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))

    others[1].close()
    with db.reading() as session:
        lines = session.scalars(select(UploadEvent).order_by(sa.text("seq"))).all()
    assert len(lines) == 80
    assert first_broken(lines) is None


def test_a_statement_that_never_ends_is_cancelled(db: Database) -> None:
    hurried = Database(str(db.engine.url), PoolOptions(statement_seconds=0.1))

    with hurried.reading() as session, pytest.raises(OperationalError, match="timeout"):
        session.core.execute(sa.text("SELECT pg_sleep(10)"))
    hurried.close()


def test_every_connection_speaks_utc_and_waits_for_the_disk(db: Database) -> None:
    with db.reading() as session:
        shown = [
            session.core.execute(sa.text(f"SHOW {name}")).scalar_one()
            for name in (
                *("timezone", "synchronous_commit", "transaction_isolation"),
                "random_page_cost",
            )
        ]

    # The cluster of the tests has Vienna and `off`.
    assert shown == ["UTC", "on", "repeatable read", "1.1"]


def test_statements_that_are_sent_together_are_never_prepared(db: Database) -> None:
    for _ in range(20):  # psycopg prepares what it has seen five times
        with db.writing() as session:
            session.add(Studio(name="x"))
        _names(db)

    assert len(_names(db)) == 20


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_urls_that_hosts_hand_out_are_understood(scheme: str) -> None:
    url = with_driver(sa.URL.create(scheme, host="db.internal"))

    assert url.drivername == "postgresql+psycopg"


def test_a_glance_leaves_no_transaction_open(db: Database) -> None:
    with db.glance() as session:
        assert session.core.execute(sa.text("SELECT 1")).scalar_one() == 1
        status = driver_of(session.core).info.transaction_status

    assert status == TransactionStatus.IDLE
