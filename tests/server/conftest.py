"""Servers for tests: in this process by default, over a socket where the wire matters.

Every test that asks for a world runs twice, on SQLite and on PostgreSQL; one that is about SQLite
says so with `@pytest.mark.parametrize("database", ["sqlite"], indirect=True)`, or with `ON_SQLITE`
of `tests.server.databases`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from cadenza_server import ServerSettings, create_app
from cadenza_server.database import Database
from cadenza_server.serving import RunningServer, run_in_thread
from tests.postgresql import Cluster, cluster
from tests.server.databases import DATABASES, NewDatabase, PostgresqlMaker, SqliteMaker
from tests.server.world import BASE_URL, FakeClock, InProcess, World


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration applied, to copy: migrating takes longer than a test."""
    path = tmp_path_factory.mktemp("migrated") / "cadenza.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this test run's own."""
    with cluster() as started:
        yield started


@pytest.fixture(scope="session")
def postgresql_template(postgresql_cluster: Cluster) -> str:
    """The name of a database with every migration applied, to clone."""
    database = Database(postgresql_cluster.create("migrated"))
    database.migrate()
    database.close()
    return "migrated"


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on: `sqlite` or `postgresql`."""
    return str(request.param)


@pytest.fixture
def new_database(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[NewDatabase]:
    """`new_database(migrated=True)`: the URL of a new database of the kind under test."""
    with ExitStack() as stack:
        if database == "sqlite":
            yield SqliteMaker(tmp_path, request.getfixturevalue("migrated"))
        else:
            started: Cluster = request.getfixturevalue("postgresql_cluster")
            template: str = request.getfixturevalue("postgresql_template")
            yield PostgresqlMaker(started, template, stack)


@pytest.fixture
def db(new_database: NewDatabase) -> Iterator[Database]:
    """A migrated, empty database."""
    opened = Database(new_database())
    yield opened
    opened.close()


@pytest.fixture
def make_world(new_database: NewDatabase, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """`make_world(**settings)`: a new server with people in it."""
    with ExitStack() as stack:
        count = 0

        def make(**settings: Any) -> World:
            nonlocal count
            count += 1
            data_dir = tmp_path / f"server-{count}"
            data_dir.mkdir()
            clock = FakeClock()
            app = create_app(
                ServerSettings(
                    **{"data_dir": data_dir, "db": new_database(), "derivatives": "off", **settings}
                ),
                clock=clock,
                monotonic=clock.monotonic,
            )
            stack.callback(app.state.services.db.close)
            client = httpx.Client(transport=InProcess(app), base_url=BASE_URL)
            return World(app, clock, stack.enter_context(client))

        yield make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A server with people in it and the default settings."""
    return make_world()


@pytest.fixture
def running(world: World) -> Iterator[RunningServer]:
    """The same server behind a real socket."""
    with run_in_thread(world.app) as server:
        yield server
