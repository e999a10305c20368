"""The database: what is acknowledged is on disk, writers queue, models and migrations agree."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import select

from cadenza_server import ServerSettings
from cadenza_server.database import Database, alembic_config, insert_row, open_database
from cadenza_server.shared_limits import RATE_LIMITS
from cadenza_server.storage import StorageSetupError
from cadenza_server.tables import MediaAsset, Studio, User, VideoSubmission, metadata
from tests.server.databases import ON_SQLITE, NewDatabase
from tests.server.world import START, World

POSTGRESQL = sa.make_url("postgresql://").get_dialect()()
SQLITE = sa.make_url("sqlite://").get_dialect()()


def _pragma(db: Database, name: str) -> object:
    with db.reading() as session:
        return session.execute(sa.text(f"PRAGMA {name}")).scalar_one()


@ON_SQLITE
def test_an_acknowledged_write_survives_a_power_cut(db: Database) -> None:
    # 2 is FULL. In WAL, NORMAL loses hundreds of acknowledged commits; a client has deleted its
    # only copy by then.
    assert _pragma(db, "journal_mode") == "wal"
    assert _pragma(db, "synchronous") == 2
    assert _pragma(db, "foreign_keys") == 1
    assert _pragma(db, "busy_timeout") == 10_000


def test_nobody_else_on_the_machine_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cadenza.db"
    Database(f"sqlite:///{path}").close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_write_that_fails_leaves_nothing(db: Database) -> None:
    def fail() -> None:
        with db.writing() as session:
            session.add(Studio(name="half"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with db.reading() as session:
        assert session.scalars(select(Studio)).all() == []


def test_what_a_reader_changes_is_not_kept(db: Database) -> None:
    with db.reading() as session:
        session.add(Studio(name="forgotten"))
        session.flush()

    with db.reading() as session:
        assert session.scalars(select(Studio)).all() == []


def test_writers_queue_and_what_they_read_first_stays_true(db: Database) -> None:
    # Read, think, write: with deferred transactions this loses updates or fails as locked.
    with db.writing() as session:
        session.add(Studio(id=1, name="0"))

    def count(_: int) -> None:
        with db.writing() as session:
            studio = session.get(Studio, 1)
            assert studio is not None
            studio.name = str(int(studio.name) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(100)))

    with db.reading() as session:
        studio = session.get(Studio, 1)
        assert studio is not None
        assert studio.name == "100"


def test_two_processes_take_turns_too(db: Database) -> None:
    with db.writing() as session:
        session.add(Studio(id=1, name="0"))
    program = f"""
from cadenza_server.database import Database
from cadenza_server.tables import Studio
db = Database({str(db.engine.url)!r})
for _ in range(50):
    with db.writing() as session:
        studio = session.get(Studio, 1)
        studio.name = str(int(studio.name) + 1)
"""
    others = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [other.wait(60) for other in others] == [0, 0]

    with db.reading() as session:
        studio = session.get(Studio, 1)
        assert studio is not None
        assert studio.name == "100"


def test_a_reader_does_not_wait_for_a_writer(db: Database) -> None:
    reading = threading.Event()
    with db.writing() as session:
        session.add(Studio(name="new"))
        session.flush()

        def read() -> int:
            with db.reading() as other:
                reading.set()
                return len(other.scalars(select(Studio)).all())

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(read).result(timeout=5) == 0
    assert reading.is_set()


def test_starting_twice_at_once_migrates_once(new_database: NewDatabase) -> None:
    url = new_database(migrated=False)

    def start(_: int) -> None:
        database = Database(url)
        database.migrate()
        database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))


def test_without_its_driver_postgresql_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "cadenza_server.postgresql", raising=False)
    monkeypatch.delattr("cadenza_server.postgresql", raising=False)

    with pytest.raises(StorageSetupError, match=r"cadenza\[postgresql\]"):
        open_database(ServerSettings(db="postgresql://nobody@127.0.0.1:1/x"))


# ── models and migrations ──────────────────────────────────────────────────────


def test_models_and_migrations_agree(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        changes = compare_metadata(context, metadata)
        if not db.is_sqlite:
            # Not a table of the models: on SQLite it is a file beside the database.
            (removal,) = changes
            assert (removal[0], removal[1].name) == ("remove_table", "rate_limits")
            columns = [(str(c.type), c.nullable, c.primary_key) for c in RATE_LIMITS.columns]
            there = [(str(c.type), c.nullable, c.primary_key) for c in removal[1].columns]
            assert [(c.name) for c in removal[1].columns] == [c.name for c in RATE_LIMITS.columns]
            assert there == [
                (kind.replace("DOUBLE", "DOUBLE PRECISION"), n, k) for kind, n, k in columns
            ]
            changes = []
        assert changes == []
        _assert_checks_are_there(connection)


def _assert_checks_are_there(connection: sa.Connection) -> None:
    """Alembic does not compare CHECK constraints; they hold half of our rules."""
    for table in metadata.tables.values():
        expected = {
            str(check.name) for check in table.constraints if isinstance(check, sa.CheckConstraint)
        }
        there = {
            str(check["name"]) for check in sa.inspect(connection).get_check_constraints(table.name)
        }
        assert there == expected, table.name


def test_the_way_back_leaves_nothing_behind(db: Database) -> None:
    with db.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    with db.engine.connect() as connection:
        left = sa.inspect(connection).get_table_names()
        functions = 0
        if not db.is_sqlite:
            query = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            functions = connection.execute(sa.text(query)).scalar_one()
    assert left == ["alembic_version"]
    assert functions == 0
    db.migrate()


def test_alembic_runs_on_its_own_by_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADENZA_SERVER_DIR", str(tmp_path))

    command.upgrade(alembic_config(), "head")

    database = Database(f"sqlite:///{tmp_path / 'cadenza.db'}")
    with database.reading() as session:
        assert session.scalars(select(User)).all() == []
    database.close()


def test_every_table_can_be_made_on_postgresql() -> None:
    # A later step runs on it; nothing of SQLite's alone may creep in.
    for table in metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=POSTGRESQL))
        assert "DATETIME" not in text, table.name
        for index in table.indexes:
            CreateIndex(index).compile(dialect=POSTGRESQL)
    compiled = str(CreateTable(metadata.tables["media_assets"]).compile(dialect=POSTGRESQL))
    assert "size_bytes BIGINT" in compiled
    assert "id UUID NOT NULL" in compiled
    assert "created_at TIMESTAMP WITH TIME ZONE" in compiled


def test_page_and_measure_are_there_from_the_first_migration() -> None:
    columns = set(metadata.tables["video_submissions"].columns.keys())

    assert {"page_number", "measure_number", "measure_end"} <= columns


# ── what the database itself refuses ───────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        {"duration_seconds": 0},
        {"duration_seconds": 181},
        {"piece_id": None},
        {"reviewed_at": START},
        {"user_id": 9999},
    ],
)
def test_impossible_submissions_are_refused_by_the_database(
    world: World, change: dict[str, object]
) -> None:
    answer = world.create()["submission"]
    with world.services.db.reading() as session:
        good = session.scalars(select(VideoSubmission)).one().model_dump()
        asset = session.scalars(select(MediaAsset)).one().model_dump()
    from uuid import uuid4

    other = uuid4()
    row = VideoSubmission(**{**good, "id": other, "asset_id": other, **change})
    assert answer["id"] != str(other)

    def insert() -> None:
        with world.services.db.writing() as session:
            insert_row(session, MediaAsset(**{**asset, "id": other, "s3_key": "another"}))
            insert_row(session, row)

    with pytest.raises(IntegrityError):
        insert()


# ── times ──────────────────────────────────────────────────────────────────────


def test_times_are_utc_in_the_database_and_aware_outside(db: Database) -> None:
    vienna = timezone(timedelta(hours=1))
    moment = datetime(2026, 11, 20, 18, 0, 0, 123456, tzinfo=vienna)
    with db.writing() as session:
        session.add(User(id=1, email="x", created_at=moment))

    with db.reading() as session:
        user = session.get(User, 1)
        stored = session.execute(sa.text("SELECT created_at FROM users")).scalar_one()
    assert user is not None
    assert user.created_at == moment
    assert user.created_at.utcoffset() == timedelta(0)
    # SQLite keeps text without a zone; PostgreSQL an instant, shown in the session's zone.
    assert str(stored).removesuffix("+00:00") == "2026-11-20 17:00:00.123456"


def test_a_naive_time_is_a_bug_found_at_once(db: Database) -> None:
    naive = datetime(2026, 11, 20)  # noqa: DTZ001 - that is the bug

    with db.writing() as session, pytest.raises(StatementError, match="naive"):
        insert_row(session, User(id=1, email="x", created_at=naive))


def test_times_of_postgresql_are_converted_as_well() -> None:
    from cadenza_server.tables import UtcDateTime

    kind, vienna = UtcDateTime(), timezone(timedelta(hours=1))
    moment = datetime(2026, 11, 20, 18, tzinfo=vienna)

    bound = kind.process_bind_param(moment, POSTGRESQL)
    assert bound is not None
    assert bound.utcoffset() == timedelta(0)
    result = kind.process_result_value(moment, POSTGRESQL)
    assert result is not None
    assert result.utcoffset() == timedelta(0)
    for dialect in (POSTGRESQL, SQLITE):
        assert kind.process_bind_param(None, dialect) is None
        assert kind.process_result_value(None, dialect) is None
