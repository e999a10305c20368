"""One database: short reading and writing transactions, and its migrations.

SQLite or PostgreSQL, with the same promises: a writer reads nothing that changes before it has
written, and what is acknowledged is on disk. SQLite runs in WAL with `synchronous=FULL`: a client
deletes its only copy of a take on the strength of a confirm, so an acknowledged commit must
survive a power cut (NORMAL loses hundreds).
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session as OrmSession
from sqlmodel import SQLModel

from cadenza_server.commit_groups import CommitGroups
from cadenza_server.storage import StorageSetupError
from cadenza_server.turns import FileTurn
from cadenza_server.write_groups import WriteGroups

if TYPE_CHECKING:
    from cadenza_server.postgresql import PoolOptions
    from cadenza_server.settings import ServerSettings

_BUSY_TIMEOUT_SECONDS = 10
_WRITES, _MIGRATES, _ALONE = "cadenza_writes", "cadenza_migrates", "cadenza_alone"
T = TypeVar("T")
_MIGRATIONS = Path(__file__).with_name("migrations")


class Session(OrmSession):
    """An ORM session on one transaction, and the plain connection below it.

    `core` is for the few statements that run at every request or every write: there the ORM's
    bookkeeping would cost more than the statement.
    """

    core: Connection


class Database:
    """The engine behind `reading()` and `writing()`; nothing else opens a session.

    A writing transaction takes the write lock at its start (SQLite: `BEGIN IMMEDIATE`; PostgreSQL:
    an advisory lock), so what it reads first is still true when it writes, and it never fails by
    upgrading a stale snapshot. Within this process writers queue on a lock of our own: SQLite's
    busy handler sleeps in growing steps and would let one thread starve for seconds.

    Writers that wait share a commit: on SQLite those that come through `run()` on an event loop,
    on PostgreSQL those of all threads.

    Args:
        url: SQLAlchemy's; `sqlite:///…`, or `postgresql://…` with the extra `postgresql`.
        pool: for PostgreSQL; the defaults when left out.
    """

    def __init__(self, url: str, pool: PoolOptions | None = None) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._turn: AbstractContextManager[Any] = nullcontext()
        self._thread_groups: WriteGroups | None = None
        self.engine: Engine
        if self.is_sqlite:
            self.file = path = Path(str(parsed.database))
            prepare_file(path)
            self.engine = create_engine(
                parsed,
                connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_SECONDS},
                max_overflow=-1,
            )
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)
            self._turn = FileTurn(path.with_name(f"{path.name}-turn"), _BUSY_TIMEOUT_SECONDS)
        else:
            # Only who uses PostgreSQL has its driver.
            try:
                from cadenza_server import postgresql
            except ModuleNotFoundError as error:
                raise StorageSetupError(
                    f"CADENZA_DB needs {error.name}: pip install 'cadenza[postgresql]'"
                ) from None

            options = pool or postgresql.PoolOptions()
            self.engine = postgresql.make_engine(postgresql.with_driver(parsed), options)
            self._thread_groups = WriteGroups(self._open_write)
        self._write_engine = self.engine.execution_options(**{_WRITES: True})
        self._committer = ThreadPoolExecutor(1, "cadenza-commit")
        self._groups: WeakKeyDictionary[AbstractEventLoop, CommitGroups] = WeakKeyDictionary()
        self._inside = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session on one snapshot; nothing it changes is kept."""
        groups = self._groups_inside
        open_group = groups.reading if groups else None
        with (
            nullcontext(open_group) if open_group else self.engine.connect() as connection,
            _session(connection) as session,
        ):
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits when the block ends well and rolls back when it raises."""
        groups = self._groups_inside or self._thread_groups
        with (
            groups.writing() if groups else self._open_write() as connection,
            _session(connection) as session,
        ):
            yield session
            session.flush()

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` on the event loop; answer when all that it wrote is on disk.

        What follows the end of a `writing()` block within `work` may run before that.
        """
        loop = asyncio.get_running_loop()
        groups = self._groups.get(loop)
        if groups is None:
            groups = self._groups[loop] = CommitGroups(self._open_write, self._committer)

        def work_inside() -> T:
            self._inside.groups = groups
            try:
                return work()
            finally:
                self._inside.groups = None

        return await groups.run(work_inside)

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A connection whose statements each stand alone: no lock, no snapshot, no BEGIN.

        For PostgreSQL, and for what is not worth a transaction: one trip instead of three.
        """
        with self.engine.connect().execution_options(**{_ALONE: True}) as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Session]:
        """A session for one statement that reads: on PostgreSQL one trip in place of three."""
        if self.is_sqlite:
            with self.reading() as session:
                yield session
            return
        with self.alone() as connection, _session(connection) as session:
            yield session

    @property
    def _groups_inside(self) -> CommitGroups | None:
        return getattr(self._inside, "groups", None)

    @contextmanager
    def _open_write(self) -> Iterator[Connection]:
        with self._turn, self._write_engine.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """`alembic upgrade head`, under the write lock, so that two processes may start at once."""
        from alembic import command

        engine = self._write_engine.execution_options(**{_MIGRATES: True})
        with self._turn, engine.begin() as connection:
            command.upgrade(alembic_config(connection), "head")

    def close(self) -> None:
        """Close every connection."""
        self._committer.shutdown()
        self.engine.dispose()


@contextmanager
def _session(connection: Connection) -> Iterator[Session]:
    # The connection's transaction is the one that counts; closing the session leaves it alone.
    with Session(connection, expire_on_commit=False, autoflush=False) as session:
        session.core = connection
        yield session


def open_database(settings: ServerSettings) -> Database:
    """The database of the settings, not migrated."""
    url = settings.database_url
    if make_url(url).get_backend_name() == "sqlite":
        return Database(url)
    try:
        from cadenza_server.postgresql import PoolOptions
    except ModuleNotFoundError:
        return Database(url)  # which says what is missing

    options = PoolOptions(
        settings.db_pool_size,
        settings.db_statement_timeout_seconds,
        settings.db_lock_timeout_seconds,
    )
    return Database(url, options)


def insert_row(session: Session, row: SQLModel) -> None:
    """Insert one new row by itself, past the unit of work: a third of its time on the hot path.

    The object has its key already and stays unknown to the session; foreign keys are the
    caller's to order.
    """
    table = SQLModel.metadata.tables[str(row.__tablename__)]
    values = {name: getattr(row, name) for name in table.columns.keys()}  # noqa: SIM118 - not a dict
    session.core.execute(insert(table), values)


def alembic_config(connection: Connection | None = None) -> Any:
    """Alembic's configuration for this package's migrations, on an open connection if given."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def prepare_file(path: Path) -> None:
    """Nobody but the server's own user may read the database, whatever the umask (SEC-13)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_pragmas(connection: Any, _record: ConnectionPoolEntry) -> None:
    # We write BEGIN ourselves: the driver's own would be deferred, and late.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=ON",
        "secure_delete=ON",  # what is deleted is overwritten too (SEC-27)
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
