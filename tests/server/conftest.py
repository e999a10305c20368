"""Servers for tests: in this process by default, over a socket where the wire matters."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from cadenza_server import ServerSettings, create_app
from cadenza_server.database import Database
from cadenza_server.serving import RunningServer, run_in_thread
from tests.server.world import BASE_URL, FakeClock, InProcess, World


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration applied, to copy: migrating takes longer than a test."""
    path = tmp_path_factory.mktemp("migrated") / "cadenza.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def make_world(migrated: Path, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """`make_world(**settings)`: a new server with people in it."""
    with ExitStack() as stack:
        count = 0

        def make(**settings: Any) -> World:
            nonlocal count
            count += 1
            data_dir = tmp_path / f"server-{count}"
            data_dir.mkdir()
            shutil.copy(migrated, data_dir / "cadenza.db")
            clock = FakeClock()
            app = create_app(
                ServerSettings(data_dir=data_dir, **settings),
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
