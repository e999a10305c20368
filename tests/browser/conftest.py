"""Debian's own Chromium, which plays H.264; Playwright's build does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from cadenza_server import ServerSettings, create_app
from cadenza_server.database import Database
from cadenza_server.serving import run_in_thread
from tests.browser.clips import make_clip
from tests.browser.recital import Recital, make_recital, wait_for_derivatives
from tests.browser.studio import Studio, Visit, visiting

_FLAGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--mute-audio",
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for a module; every visit is a fresh profile in it.

    Not for the whole run: as long as Playwright lives, its event loop counts as running in this
    thread, and no other test of this process could run a loop of its own.
    """
    home = tmp_path_factory.mktemp("browser-home")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=_FLAGS,
            env={**os.environ, "HOME": str(home)},
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 seconds whose frames carry their number."""
    return make_clip(tmp_path_factory.mktemp("clips") / "numbered.mp4")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration applied, to copy: migrating takes longer than a test."""
    path = tmp_path_factory.mktemp("migrated") / "cadenza.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def make_studio(
    empty_database: Path, clip: Path, tmp_path: Path
) -> Iterator[Callable[..., Studio]]:
    """`make_studio(**settings)`: a server behind a real socket, with people in it."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Studio:
            data_dir = tmp_path / "server"
            data_dir.mkdir()
            shutil.copy(empty_database, data_dir / "cadenza.db")
            app = create_app(ServerSettings(data_dir=data_dir, **settings))
            server = stack.enter_context(run_in_thread(app))
            return Studio(app, server.url, clip)

        yield make


@pytest.fixture
def studio(make_studio: Callable[..., Studio]) -> Studio:
    """A server with people in it and the default settings."""
    return make_studio()


@pytest.fixture(scope="session")
def recital(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recital]:
    """A studio in the middle of its week, for tests that only look."""
    data_dir = tmp_path_factory.mktemp("recital")
    shutil.copy(empty_database, data_dir / "cadenza.db")
    app = create_app(ServerSettings(data_dir=data_dir))
    with run_in_thread(app) as server:
        studio = Studio(app, server.url, data_dir)
        full = make_recital(studio, data_dir)
        wait_for_derivatives(studio)
        yield full


@pytest.fixture
def visit(chromium: Browser, studio: Studio) -> Iterator[Callable[..., Visit]]:
    """`visit("teacher")`: somebody's browser; looked through for errors when the test is over."""
    with ExitStack() as stack:

        def start(name: str | None, **options: Any) -> Visit:
            return stack.enter_context(visiting(chromium, studio, name, **options))

        yield start
