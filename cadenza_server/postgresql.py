"""PostgreSQL: how a connection is set up, and how a transaction begins.

Writers take turns here as they do on SQLite: a writing transaction begins with one advisory lock
and keeps it until its commit is on disk. What a request reads first is then still true when it
writes, with no retry and no deadlock, whatever rows it touches; and the audit trail's chain (each
line has the hash of the one before) allows one writer at a time in any case. `write_groups` makes
up for it: requests that wait for their turn share one lock and one commit. Readers never wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection as Driver
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from cadenza_server.storage import StorageUnavailableError

#: "cadenza" in ASCII. One number in one database: every process of one Cadenza agrees on it.
WRITE_LOCK = 0x63_61_64_65_6E_7A_61
WRITES, MIGRATES, ALONE = "cadenza_writes", "cadenza_migrates", "cadenza_alone"
_TAKE_TURN = f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
#: Both go in one trip with the lock: a network away from the database, trips are what costs.
_BEGIN_WRITE = f"BEGIN; {_TAKE_TURN}"
#: Whoever waits for another process's migration waits as long as it takes.
_BEGIN_MIGRATION = (
    f"BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; {_TAKE_TURN}"
)
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_CONNECT_SECONDS = 10
_IDLE_IN_TRANSACTION_SECONDS = 60


@dataclass(frozen=True)
class PoolOptions:
    """How one process uses its PostgreSQL.

    Attributes:
        size: connections kept open; as many again under load.
        statement_seconds: after this a statement is cancelled and the request answered with 503.
        lock_seconds: how long a writer waits for the other processes' writers.
    """

    size: int = 10
    statement_seconds: float = 30.0
    lock_seconds: float = 10.0


def with_driver(url: URL) -> URL:
    """`postgres://` and `postgresql://`, as hosts hand them out, mean psycopg here."""
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    return url


def make_engine(url: URL, options: PoolOptions) -> Engine:
    """An engine whose transactions begin with our own words."""
    engine = create_engine(
        url,
        # The driver's own BEGIN would be a trip of its own, and could not say how.
        connect_args={
            "autocommit": True,
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "cadenza",
            # A cut network is noticed in about a minute, not in two hours.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        },
        pool_size=options.size,
        max_overflow=options.size,
        pool_timeout=options.lock_seconds,
        pool_use_lifo=True,
        pool_recycle=1800,
    )

    def set_up(driver: Driver[Any], _record: ConnectionPoolEntry) -> None:
        driver.execute(
            "SET timezone = 'UTC'; "
            f"SET statement_timeout = {int(options.statement_seconds * 1000)}; "
            f"SET lock_timeout = {int(options.lock_seconds * 1000)}; "
            # A worker that hangs with the lock in its hand lets go of it.
            f"SET idle_in_transaction_session_timeout = {_IDLE_IN_TRANSACTION_SECONDS * 1000}",
            prepare=False,
        )
        # A client deletes its only copy on the strength of a confirm: an acknowledged commit is
        # on disk, also where the cluster's default is otherwise. A stricter default stays.
        # And a look into an index costs no more than on a disk without a head: by the default of
        # 4, a page of a list is worth reading whole tables of some thousand rows.
        driver.execute(
            "SELECT set_config(name, better, false) FROM (VALUES "
            "('synchronous_commit', 'off', 'on'), ('random_page_cost', '4', '1.1')"
            ") AS wanted(name, bad, better) WHERE current_setting(name) = bad",
            prepare=False,
        )

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "commit", _refuse_to_commit_nothing)
    return engine


def driver_of(connection: Connection) -> Driver[Any]:
    """The psycopg connection below."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)
    return driver


def is_intact(connection: Connection) -> bool:
    """False when a statement failed and PostgreSQL gave up the transaction."""
    return driver_of(connection).info.transaction_status == TransactionStatus.INTRANS


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(ALONE, False):
        return
    statement = _BEGIN_READ
    if options.get(WRITES, False):
        statement = _BEGIN_MIGRATION if options.get(MIGRATES, False) else _BEGIN_WRITE
    # Without parameters, psycopg sends several statements in one message.
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _refuse_to_commit_nothing(connection: Connection) -> None:
    """After a failed statement COMMIT means ROLLBACK, and says so to nobody."""
    if not connection.get_execution_options().get(ALONE, False) and not is_intact(connection):
        raise StorageUnavailableError("the database gave up the transaction")
