"""The databases the server's tests run on, and how a test gets a new one."""

from __future__ import annotations

import itertools
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import OUTSIDE_ENVIRON
from tests.postgresql import Cluster

_POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.real("postgresql"))
_NAMED = OUTSIDE_ENVIRON.get("CADENZA_TEST_DATABASES", "sqlite,postgresql").split(",")
#: `CADENZA_TEST_DATABASES=sqlite` halves the time of a run while one works on something else.
DATABASES = [{"sqlite": "sqlite", "postgresql": _POSTGRESQL}[name.strip()] for name in _NAMED]
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class NewDatabase(Protocol):
    """Makes databases that are gone after the test."""

    def __call__(self, *, migrated: bool = True) -> str:
        """The URL of a new database, empty or with all its tables."""


class SqliteMaker:
    """Copies a migrated file: migrating takes longer than a test."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._folder, self._template = folder, template
        self._numbers = itertools.count(1)

    def __call__(self, *, migrated: bool = True) -> str:
        path = self._folder / f"database-{next(self._numbers)}" / "cadenza.db"
        path.parent.mkdir()
        if migrated:
            shutil.copy(self._template, path)
        return f"sqlite:///{path}"


class PostgresqlMaker:
    """Clones a migrated database: twenty milliseconds."""

    def __init__(self, cluster: Cluster, template: str, stack: ExitStack) -> None:
        self._cluster, self._template, self._stack = cluster, template, stack

    def __call__(self, *, migrated: bool = True) -> str:
        url = self._cluster.create(template=self._template if migrated else "template0")
        self._stack.callback(self._cluster.drop, url)
        return url
