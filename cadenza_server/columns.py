"""What every table is made of: the metadata, aware times, and constraints both databases know."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Index, MetaData, TypeDecorator, text
from sqlmodel import SQLModel

# Named constraints: without names a later migration can't drop or alter them.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in Python; UTC in the database, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values: they are a bug that shows only in another time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime was about to be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> datetime | None:
        """SQLite keeps no zone; what was stored is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(column: str, *values: str) -> str:
    """The condition of a CHECK: text of a closed list, instead of a native enum."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Every index is written at every insert, and flushed before it is acknowledged: few, small."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
