"""Rows for several tables that go into the database together.

What a statement costs is mostly the way to the database and back, and on a write that way is made
while every other writer waits. On PostgreSQL a batch is one statement, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import DefaultClause, Dialect, Table, TextClause, bindparam, text
from sqlalchemy.sql.elements import False_
from sqlmodel import SQLModel

from cadenza_server.columns import metadata
from cadenza_server.database import Session

#: A table's name, columns, and how many rows.
_Part = tuple[str, tuple[str, ...], int]


class Batch:
    """Rows that wait to be inserted, in the order they were added.

    Nobody sees them before `insert()`; the keys in them are the caller's to order.
    """

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._values: list[Any] = []
        #: PostgreSQL's channel to tell of it at the commit.
        self.wakes: str | None = None

    def add(self, table: Table, *rows: Mapping[str, Any]) -> None:
        """Rows with the same columns; what they leave out is the database's default."""
        columns = tuple(rows[0])
        self._parts.append((table.name, columns, len(rows)))
        self._values += [row[name] for row in rows for name in columns]

    def add_row(self, row: SQLModel) -> None:
        """One new row; what the database would fill in by itself is left out.

        Psycopg keeps how it reads a statement up to fifty values: a create has forty-nine.
        """
        table = metadata.tables[str(row.__tablename__)]
        values = vars(row)  # past the ORM's instrumentation: a third of the time
        self.add(
            table,
            {
                name: values[name]
                for name, is_false_by_itself in _columns(table.name)
                if not (values[name] is None or (is_false_by_itself and values[name] is False))
            },
        )

    def insert(self, session: Session) -> None:
        """Write all of them, within the caller's writing transaction."""
        connection = session.core
        if connection.dialect.name == "postgresql":
            together = _statement(connection.dialect, tuple(self._parts), self.wakes)
            connection.execute(together, _numbered(self._values)).close()
            return
        at = 0
        for part in self._parts:
            end = at + len(part[1]) * part[2]
            values = _numbered(self._values[at:end])
            connection.execute(_statement(connection.dialect, (part,), None), values)
            at = end


@lru_cache(maxsize=64)
def _columns(table_name: str) -> tuple[tuple[str, bool], ...]:
    """The names, and whether the database fills in a false by itself."""

    def is_false(default: object) -> bool:
        return isinstance(default, DefaultClause) and isinstance(default.arg, False_)

    columns = metadata.tables[table_name].columns
    return tuple((column.key, is_false(column.server_default)) for column in columns)


def _numbered(values: list[Any]) -> dict[str, Any]:
    return {f"p{at}": value for at, value in enumerate(values)}


# As many as there are kinds of changes and of what clients leave out. Building one takes longer
# than running it.
@lru_cache(maxsize=256)
def _statement(dialect: Dialect, parts: tuple[_Part, ...], wakes: str | None) -> TextClause:
    """One statement for all parts: the last is what runs, the others are its `WITH`.

    PostgreSQL checks foreign keys at its end, so a part may refer to another.
    """
    inserts: list[str] = []
    parameters: list[Any] = []
    for table_name, columns, count in parts:
        table = metadata.tables[table_name]
        rows = []
        for _ in range(count):
            first = len(parameters)
            names = [f"p{first + at}" for at in range(len(columns))]
            parameters += [
                bindparam(name, type_=table.c[column].type)
                for name, column in zip(names, columns, strict=True)
            ]
            rows.append("(" + ", ".join(f":{name}" for name in names) + ")")
        quoted = ", ".join(dialect.identifier_preparer.quote(name) for name in columns)
        inserts.append(f"INSERT INTO {table_name} ({quoted}) VALUES {', '.join(rows)}")  # noqa: S608 - our own names
    if wakes is not None:
        inserts.append(f"SELECT pg_notify('{wakes}', '')")
    *before, last = inserts
    named = ", ".join(f"part_{at} AS ({statement})" for at, statement in enumerate(before))
    return text(f"WITH {named} {last}" if named else last).bindparams(*parameters)
