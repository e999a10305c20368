"""The open database: transactions, row reading, and outcomes fenced by the lease epoch (I6)."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlite_utils import Database

from cadenza_uploader import _rows, _schema
from cadenza_uploader._home import Home
from cadenza_uploader.errors import IllegalStepError, QueueDamagedError, StaleLeaseError
from cadenza_uploader.take import Asset, Attempt, Take


class Store:
    """One connection, shared by the threads of one process under a lock.

    Args:
        db: an open database from `_schema.connect`.
        home: the directory it lives in.
        clock: seconds since the epoch.
    """

    def __init__(self, db: Database, home: Home, *, clock: Callable[[], float]) -> None:
        self._db = db
        self.home = home
        self._clock = clock
        self._lock = threading.RLock()
        self._inode = home.database.stat().st_ino

    def own(self) -> None:
        """Become the one connection that checkpoints: the uploader's, under the instance lock."""
        with self._lock:
            self._db.conn.execute("PRAGMA wal_autocheckpoint = 1000")

    def reopen(self) -> None:
        """Close the connection and open a new one: after a failed fsync only that is safe (D03)."""
        with self._lock:
            self._db.conn.close()
            self._db = _schema.connect(self.home)
            self.own()

    def tidy(self) -> None:
        """Fold the write-ahead log into the database and truncate it (D13)."""
        with self._lock:
            self._db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def require_in_place(self) -> None:
        """Notice that the file was removed or replaced under us (D09).

        Raises:
            QueueDamagedError: it was; what is written to it now would be lost.
        """
        try:
            inode = self.home.database.stat().st_ino
        except FileNotFoundError:
            inode = None
        if inode != self._inode:
            raise QueueDamagedError(
                f"{self.home.database} was removed or replaced while it was in use. Nothing was "
                f"deleted: the recordings are in {self.home.spool}. Start again to rebuild it."
            )

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.conn.close()

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _query(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._db.query(sql, values))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped there

    def _takes(
        self, where: str, values: Sequence[Any], *, order: str = "id", limit: int | None = None
    ) -> list[Take]:
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        with self._lock:
            rows = self._query(
                f"SELECT * FROM takes WHERE {where} ORDER BY {order}{bound}",  # noqa: S608
                values,
            )
            assets: dict[str, dict[str, Asset]] = {}
            ids = json.dumps([row["id"] for row in rows])
            for row in self._query(
                "SELECT * FROM assets WHERE take_id IN (SELECT value FROM json_each(?))", [ids]
            ):
                assets.setdefault(row["take_id"], {})[row["kind"]] = _rows.asset_from(row)
        return [_rows.take_from(row, assets[row["id"]]) for row in rows]

    def _one(self, take_id: str) -> Take:
        (take,) = self._takes("id = ?", [take_id])
        return take

    @contextmanager
    def _write(self) -> Generator[sqlite3.Connection]:
        """One `BEGIN IMMEDIATE` transaction: a deferred one cannot wait for its upgrade."""
        with self._lock:
            connection = self._db.conn
            if connection.in_transaction:
                yield connection
                return
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.IntegrityError as error:
                raise IllegalStepError(f"The queue refused this step: {error}.") from None
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                raise QueueDamagedError(f"The queue cannot be written: {error}.") from None

    def _update(self, sql: str, values: Mapping[str, Any]) -> int:
        with self._write() as db:
            return db.execute(sql, {"now": self._now_ms(), **values}).rowcount

    def _settle(
        self,
        take: Take,
        assignments: str,
        values: Mapping[str, Any],
        attempts: Sequence[Attempt],
    ) -> Take:
        """Write an outcome, if the take is still ours (I6)."""
        sql = (
            f"UPDATE takes SET {assignments}, updated_ms = :now "  # noqa: S608 - constants
            "WHERE id = :id AND status = 'uploading' AND lease_epoch = :epoch"
        )
        with self._write() as connection:
            changed = connection.execute(
                sql,
                {**values, "now": self._now_ms(), "id": take.id, "epoch": take.lease_epoch},
            ).rowcount
            if changed != 1:
                raise StaleLeaseError(f"Take {take.short_id} is no longer leased to this worker.")
            for attempt in attempts:
                insert(connection, "attempts", _rows.attempt_columns(attempt, take.lease_epoch))
        return self._one(take.id)


def insert(db: sqlite3.Connection, table: str, columns: Mapping[str, Any]) -> None:
    names = ", ".join(columns)
    marks = ", ".join(f":{name}" for name in columns)
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", dict(columns))  # noqa: S608
