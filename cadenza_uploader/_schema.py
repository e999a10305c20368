"""The queue's tables, and the triggers that refuse what the state machine does not allow.

The rules are in the database itself so that no bug, no second program and no hand with a SQL
shell can lose a take silently. Numbered migrations from the first table on (B-31); applied under
a file lock, because `atomic()` begins a deferred transaction and two processes opening a new
queue at once would collide.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlite_utils import Database, Migrations

from cadenza_uploader._home import Home
from cadenza_uploader._instance import FileLock, owner_pid
from cadenza_uploader._states import LEGAL_DEMOTION, LEGAL_STATUS, FailCode, Hold, Stage, Status
from cadenza_uploader.errors import QueueBusyError, QueueDamagedError, QueueTooNewError

BUSY_SECONDS = 5.0

migrations = Migrations("cadenza-queue")


def connect(home: Home, *, steps: Migrations | None = None) -> Database:
    """Open the queue, created and migrated, with the settings durability needs.

    WAL with `synchronous=FULL`: NORMAL lost hundreds of acknowledged commits at a power cut,
    FULL none (60-reliability §0.1). The connection autocommits; `BEGIN IMMEDIATE` is explicit.

    Args:
        home: where the database lives.
        steps: the migrations; default: those of this version.

    Raises:
        QueueDamagedError: the file is not a usable database.
        QueueBusyError: it must be upgraded and an uploader of the older version is running.
        QueueTooNewError: a newer version wrote it; nothing was changed.
    """
    steps = steps or migrations
    home.prepare()
    existed = home.database.exists()
    connection = sqlite3.connect(
        home.database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        # Darwin's fsync does not reach the platter without this; elsewhere it does nothing.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA secure_delete = ON")
        db = Database(connection)
        # The switch to WAL does not wait for the busy timeout: it belongs under the lock too.
        with _schema_lock(home):
            _choose_journal(connection)
            if not existed:
                home.database.chmod(0o600)
            _refuse_newer(db, steps)
            _upgrade(db, home, steps)
    except sqlite3.DatabaseError as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise QueueDamagedError(
            f"The queue {home.database} cannot be read ({error}). Nothing was deleted: the files "
            f"are in {home.spool}."
        ) from None
    except BaseException:
        connection.close()
        raise
    return db


def _choose_journal(connection: sqlite3.Connection) -> None:
    """WAL with FULL; where the file system cannot do it, DELETE with EXTRA (D10).

    Only the uploader checkpoints (`Store.own`): two checkpointing connections are what the
    WAL-reset bug of SQLite before 3.51.3 needs.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _refuse_newer(db: Database, steps: Migrations) -> None:
    applied = [migration.name for migration in steps.applied(db)]
    # Known to this version: what it would apply to an empty database.
    known = {migration.name for migration in steps.pending(Database(memory=True))}
    unknown = [name for name in applied if name not in known]
    if unknown:
        raise QueueTooNewError(
            f"This queue was written by a newer version of Cadenza ({unknown[-1]}). "
            "Update Cadenza; nothing was changed."
        )


def _upgrade(db: Database, home: Home, steps: Migrations) -> None:
    """Apply what is new; an existing queue is copied first and must have no running owner (P13)."""
    pending = steps.pending(db)
    if not pending:
        return
    if not steps.applied(db):
        steps.apply(db)
        return
    lock = FileLock(home.lock)
    if not lock.acquire():
        raise QueueBusyError(owner_pid(home))
    try:
        backup = home.database.with_name(f"queue.db.before-{pending[0].name}")
        backup.unlink(missing_ok=True)
        db.conn.execute("VACUUM INTO ?", [str(backup)])
        backup.chmod(0o600)
        steps.apply(db)
    finally:
        lock.release()


@contextmanager
def _schema_lock(home: Home) -> Generator[None]:
    fd = os.open(home.path / "schema.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _words(values: type[Status] | type[Hold] | type[FailCode]) -> str:
    return ", ".join(f"'{value.value}'" for value in values)


def _illegal_status() -> str:
    legal = " OR ".join(
        f"(OLD.status = '{before}' AND NEW.status = '{after}')"
        for before, afters in LEGAL_STATUS.items()
        for after in sorted(afters)
    )
    return f"OLD.status <> NEW.status AND NOT ({legal})"


def _illegal_demotion() -> str:
    legal = " OR ".join(
        f"(OLD.stage = {int(before)} AND NEW.stage = {int(after)})"
        for before, after in sorted(LEGAL_DEMOTION)
    )
    return f"NEW.stage < OLD.stage AND NOT ({legal})"


@migrations()
def m001_takes(db: Database) -> None:
    """Takes, their files, their history, and the holds on the whole queue."""
    for statement in _FIRST:
        db.conn.execute(statement)


@migrations()
def m002_watched(db: Database) -> None:
    """Files of watched folders that have been dealt with."""
    db.conn.execute(
        """
        CREATE TABLE watched (
            path TEXT PRIMARY KEY,
            size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
            outcome TEXT NOT NULL, take_id TEXT, at_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def m003_delays(db: Database) -> None:
    """How long a take was meant to wait: what a clock set back cannot stretch (K02)."""
    db.conn.execute("ALTER TABLE takes ADD COLUMN delay_ms INTEGER NOT NULL DEFAULT 0")


@migrations()
def m004_replies(db: Database) -> None:
    """Takes that answer a submission: they go the same way and end in its thread."""
    for statement in (
        "ALTER TABLE takes ADD COLUMN kind TEXT NOT NULL DEFAULT 'submission' "
        "CHECK (kind IN ('submission', 'message'))",
        "ALTER TABLE takes ADD COLUMN parent_submission_id TEXT "
        "CHECK ((kind = 'message') = (parent_submission_id IS NOT NULL))",
        """
        CREATE TRIGGER takes_keep_their_kind BEFORE UPDATE OF kind, parent_submission_id ON takes
        WHEN NEW.kind <> OLD.kind OR NEW.parent_submission_id IS NOT OLD.parent_submission_id BEGIN
            SELECT RAISE(ABORT, 'a take answers what it was recorded for');
        END
        """,
    ):
        db.conn.execute(statement)


_FIRST = (
    f"""
    CREATE TABLE takes (
        id TEXT PRIMARY KEY CHECK (length(id) = 36),
        account_url TEXT NOT NULL,
        account_user_id INTEGER,
        piece_id TEXT, exercise_id TEXT, session_id TEXT,
        page_number INTEGER, measure_number INTEGER, measure_end INTEGER,
        notes TEXT,
        captured_ms INTEGER NOT NULL,
        duration_ms INTEGER NOT NULL, duration_seconds INTEGER NOT NULL,
        width INTEGER NOT NULL, height INTEGER NOT NULL,
        source_path TEXT,
        delete_source INTEGER NOT NULL DEFAULT 0 CHECK (delete_source IN (0, 1)),
        status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ({_words(Status)})),
        stage INTEGER NOT NULL DEFAULT 0 CHECK (stage BETWEEN 0 AND {int(Stage.CLEANED)}),
        hold TEXT CHECK (hold IN ({_words(Hold)})),
        server_id TEXT UNIQUE,
        create_sent INTEGER NOT NULL DEFAULT 0 CHECK (create_sent IN (0, 1)),
        attempts INTEGER NOT NULL DEFAULT 0,
        claims INTEGER NOT NULL DEFAULT 0,
        demotions INTEGER NOT NULL DEFAULT 0,
        due_ms INTEGER NOT NULL DEFAULT 0,
        lease_epoch INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT,
        fail_code TEXT CHECK (fail_code IN ({_words(FailCode)})),
        last_error_code TEXT, last_error TEXT,
        receipt TEXT,
        created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
        CHECK ((status = 'uploaded') = (stage >= {int(Stage.CONFIRMED)})),
        CHECK ((status = 'failed') = (fail_code IS NOT NULL)),
        CHECK ((status = 'uploading') = (lease_owner IS NOT NULL)),
        CHECK (stage = 0 OR server_id IS NOT NULL),
        CHECK (stage < {int(Stage.CONFIRMED)} OR receipt IS NOT NULL)
    ) STRICT
    """,
    """
    CREATE TABLE assets (
        take_id TEXT NOT NULL REFERENCES takes (id),
        kind TEXT NOT NULL CHECK (kind IN ('video', 'thumbnail')),
        name TEXT NOT NULL CHECK (name NOT LIKE '/%' AND name NOT LIKE '%..%'),
        size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
        sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
        content_type TEXT NOT NULL,
        inode INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
        stored INTEGER NOT NULL DEFAULT 0 CHECK (stored IN (0, 1)),
        etag TEXT,
        tries INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (take_id, kind)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        take_id TEXT NOT NULL, at_ms INTEGER NOT NULL, epoch INTEGER NOT NULL,
        from_status TEXT, to_status TEXT NOT NULL,
        from_stage INTEGER, to_stage INTEGER NOT NULL,
        hold TEXT, why TEXT
    ) STRICT
    """,
    """
    CREATE TABLE attempts (
        seq INTEGER PRIMARY KEY,
        take_id TEXT NOT NULL, epoch INTEGER NOT NULL, step TEXT NOT NULL,
        started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
        outcome TEXT NOT NULL, code TEXT, status_code INTEGER, request_id TEXT,
        bytes_sent INTEGER NOT NULL DEFAULT 0,
        counted INTEGER NOT NULL CHECK (counted IN (0, 1))
    ) STRICT
    """,
    f"""
    CREATE TABLE queue_holds (
        hold TEXT PRIMARY KEY CHECK (hold IN ({_words(Hold)})),
        since_ms INTEGER NOT NULL, why TEXT NOT NULL
    ) STRICT
    """,
    # The claim reads one entry of this index however long the queue is (D12).
    "CREATE INDEX takes_due ON takes (due_ms, captured_ms, id) "
    "WHERE status = 'pending' AND hold IS NULL",
    "CREATE INDEX takes_failed_due ON takes (due_ms) WHERE status = 'failed'",
    "CREATE INDEX takes_leased ON takes (lease_owner) WHERE lease_owner IS NOT NULL",
    "CREATE INDEX takes_to_clean ON takes (due_ms) WHERE stage = 3",
    "CREATE INDEX takes_newest ON takes (created_ms, id)",
    "CREATE INDEX takes_by_status ON takes (status, created_ms, id)",
    "CREATE INDEX assets_by_content ON assets (sha256)",
    "CREATE INDEX events_of_take ON events (take_id, seq)",
    "CREATE INDEX attempts_of_take ON attempts (take_id, seq)",
    f"""
    CREATE TRIGGER takes_legal BEFORE UPDATE ON takes BEGIN
        SELECT RAISE(ABORT, 'uploaded is final')
            WHERE OLD.status = 'uploaded' AND NEW.status <> 'uploaded';
        SELECT RAISE(ABORT, 'illegal status') WHERE {_illegal_status()};
        SELECT RAISE(ABORT, 'a stage goes back only on server evidence')
            WHERE {_illegal_demotion()};
        SELECT RAISE(ABORT, 'the lease epoch went back') WHERE NEW.lease_epoch < OLD.lease_epoch;
        SELECT RAISE(ABORT, 'a claim takes a new epoch')
            WHERE OLD.status <> 'uploading' AND NEW.status = 'uploading'
              AND NEW.lease_epoch <= OLD.lease_epoch;
        SELECT RAISE(ABORT, 'a receipt is kept as it was received')
            WHERE OLD.receipt IS NOT NULL AND NEW.receipt IS NOT OLD.receipt;
    END
    """,
    """
    CREATE TRIGGER takes_born AFTER INSERT ON takes BEGIN
        INSERT INTO events (take_id, at_ms, epoch, to_status, to_stage, hold, why)
        VALUES (NEW.id, NEW.created_ms, NEW.lease_epoch, NEW.status, NEW.stage, NEW.hold, NULL);
    END
    """,
    """
    CREATE TRIGGER takes_history AFTER UPDATE ON takes
    WHEN OLD.status <> NEW.status OR OLD.stage <> NEW.stage OR OLD.hold IS NOT NEW.hold BEGIN
        INSERT INTO events (take_id, at_ms, epoch, from_status, to_status, from_stage, to_stage,
                            hold, why)
        VALUES (NEW.id, NEW.updated_ms, NEW.lease_epoch, OLD.status, NEW.status, OLD.stage,
                NEW.stage, NEW.hold,
                CASE WHEN NEW.status = 'failed' THEN NEW.fail_code ELSE NEW.last_error_code END);
    END
    """,
    f"""
    CREATE TRIGGER takes_kept BEFORE DELETE ON takes
    WHEN OLD.stage < {int(Stage.CLEANED)} AND OLD.hold IS NOT 'user' BEGIN
        SELECT RAISE(ABORT, 'this take is not finished');
    END
    """,
    """
    CREATE TRIGGER events_immutable BEFORE UPDATE ON events BEGIN
        SELECT RAISE(ABORT, 'history is not rewritten');
    END
    """,
    """
    CREATE TRIGGER attempts_immutable BEFORE UPDATE ON attempts BEGIN
        SELECT RAISE(ABORT, 'history is not rewritten');
    END
    """,
    """
    CREATE TRIGGER events_kept BEFORE DELETE ON events
    WHEN EXISTS (SELECT 1 FROM takes WHERE id = OLD.take_id) BEGIN
        SELECT RAISE(ABORT, 'history is kept as long as its take');
    END
    """,
    """
    CREATE TRIGGER attempts_kept BEFORE DELETE ON attempts
    WHEN EXISTS (SELECT 1 FROM takes WHERE id = OLD.take_id) BEGIN
        SELECT RAISE(ABORT, 'history is kept as long as its take');
    END
    """,
)
