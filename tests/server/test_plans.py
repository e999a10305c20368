"""No list scans a table: every statement that reading a list runs is explained, on both databases.

The lists are asked for over the API, so that what is explained is what is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from benchmarks.district import District, fill
from cadenza_server.auth import issue_token
from cadenza_server.database import Database
from cadenza_server.standing import look
from cadenza_server.tables import metadata
from tests.server.world import World

DISTRICT = District(students=600, takes_each=20)
STUDENT, TEACHER = DISTRICT.student_id(60), DISTRICT.teacher_id(3)
#: Where a plan may read all: a hundred rows are read faster whole, and here stay a hundred.
_SMALL_ROWS = 500
LISTS = {
    "student": (
        "/video-submissions",
        "/video-submissions?limit=10&cursor={cursor}",
        "/video-submissions?reviewed=false&media_state=uploaded",
        "/video-submissions?piece_id={piece}",
        "/video-submissions?exercise_id={piece}",
        "/video-submissions?session_id={piece}",
        "/video-submissions/{submission}",
        "/video-submissions/{submission}/events",
        "/video-submissions/{submission}/messages",
        "/video-submissions/{submission}/markers",
        "/pieces",
        "/pieces/{piece}",
        "/routines",
        "/my-current-routine",
        "/users/my-teacher",
        "/unread",
        "/notifications",
        "/notifications?unread=true",
        "/webhooks",
    ),
    "teacher": (
        "/users/my-students",
        "/students/{student}/video-submissions",
        "/students/{student}/video-submissions?pending_review=true",
        "/review-queue",
        "/review-queue?sort=student",
        "/review-queue?sort=piece&limit=10",
        "/unread",
    ),
}


class Watch:
    """The statements that run while it is there."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.seen: dict[str, Any] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        def see(
            _c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
        ) -> None:
            if statement.startswith(("SELECT", "WITH")) and not many:
                self.seen[statement] = parameters

        sa.event.listen(self._db.engine, "before_cursor_execute", see)
        try:
            yield
        finally:
            sa.event.remove(self._db.engine, "before_cursor_execute", see)

    def scans(self) -> list[str]:
        """What the plans read from end to end."""
        find = _sqlite_scans if self._db.is_sqlite else _postgresql_scans
        found = []
        with self._db.engine.connect() as connection:
            if not self._db.is_sqlite:
                # What it would do with a few thousand rows is a matter of cost; whether it could
                # do with ten million is what we ask: then it will.
                for way in ("seqscan", "hashjoin", "mergejoin", "material"):
                    connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
                # Only how many rows are looked at counts: a hundred look-ups by an index cost about
                # as much as to read a table of two thousand rows once, and a plan may prefer that.
                for cost in ("random_page", "cpu_operator", "cpu_index_tuple"):
                    connection.exec_driver_sql(f"SET LOCAL {cost}_cost = 0")
            small = {name for name in metadata.tables if _is_small(connection, name)}
            for statement, parameters in self.seen.items():
                scans = find(connection, statement, parameters)
                found += [f"{how}\n{statement}" for how, table in scans if table not in small]
        return found


def _is_small(connection: sa.Connection, table: str) -> bool:
    query = sa.select(sa.func.count()).select_from(metadata.tables[table])
    return connection.execute(query).scalar_one() < _SMALL_ROWS


def _sqlite_scans(
    connection: sa.Connection, statement: str, parameters: Any
) -> Iterator[tuple[str, str]]:
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        if match := re.match(r"SCAN (?!\(|CONSTANT|anon_)(\w+?)(_\d+)?( |$)", row[3]):
            yield row[3], match[1]


def _postgresql_scans(
    connection: sa.Connection, statement: str, parameters: Any
) -> Iterator[tuple[str, str]]:
    found = connection.exec_driver_sql(
        f"EXPLAIN (FORMAT JSON) {statement}", parameters
    ).scalar_one()
    plan = json.loads(found) if isinstance(found, str) else found
    return _whole_reads(plan[0]["Plan"])


def _whole_reads(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    without = kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
    if kind == "Seq Scan" or without:
        yield f"{kind} of {table}", table
    for child in node.get("Plans", ()):
        yield from _whole_reads(child)


@pytest.fixture
def district(world: World) -> World:
    fill(world.services.db, DISTRICT)
    return world


def _ask(world: World, who: str, path: str) -> Any:
    user_id = {"student": STUDENT, "teacher": TEACHER}[who]
    token = issue_token(world.services.keyring, user_id, now=world.clock(), days=1)
    return world.http.get(path, headers={"Authorization": f"Bearer {token}"})


def test_no_list_reads_a_table_from_end_to_end(district: World) -> None:
    first = _ask(district, "student", "/video-submissions?limit=5")
    values = {
        "student": STUDENT,
        "piece": DISTRICT.piece_id(60),
        "submission": first.json()[0]["id"],
        "cursor": re.search(r"cursor=([^&>]+)", first.headers["Link"])[1],  # type: ignore[index]
    }
    assert first.headers["X-Total-Count"] == "20"
    scans: dict[str, list[str]] = {}
    for who, paths in LISTS.items():
        for path in paths:
            watch = Watch(district.services.db)
            with watch.watching():
                answer = _ask(district, who, path.format(**values))
            assert answer.status_code == 200, (path, answer.text)
            assert watch.seen
            scans[f"{who} {path}"] = watch.scans()

    shown = {path: found for path, found in scans.items() if found}
    assert shown == {}, "\n".join(f"{path}: {scan}" for path in shown for scan in shown[path])


def test_the_look_before_a_create_reads_no_table_from_end_to_end(district: World) -> None:
    db = district.services.db
    watch = Watch(db)
    with watch.watching(), db.writing() as session:
        standing = look(session, STUDENT, uuid4(), DISTRICT.piece_id(60))

    assert standing.piece is not None
    (statement,) = watch.seen
    assert statement.startswith("SELECT users.teacher_id")
    assert watch.scans() == []


def test_a_scan_would_be_found(district: World) -> None:
    watch = Watch(district.services.db)
    with watch.watching(), district.services.db.reading() as session:
        session.execute(sa.text("SELECT * FROM video_submissions WHERE duration_seconds = 7"))

    (scan,) = watch.scans()
    assert "video_submissions" in scan


def test_every_list_of_the_api_is_among_them(world: World) -> None:
    known = {path.partition("?")[0] for paths in LISTS.values() for path in paths}
    names = re.compile(r"\{\w+\}")
    known = {names.sub("{}", path) for path in known}
    document = world.app.openapi()
    lists = {
        names.sub("{}", path)
        for path, methods in document["paths"].items()
        if any(p["name"] == "limit" for p in methods.get("get", {}).get("parameters", ()))
    }

    # Of a message and of a webhook: the same queries by another id.
    assert lists - known == {"/messages/{}/markers", "/webhooks/{}/deliveries"}
