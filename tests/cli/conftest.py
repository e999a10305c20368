"""The command in this process, with its own home, a clock that stands still and no browser."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cadenza_cli._run import World
from cadenza_cli.main import every_command
from cadenza_server import admin
from cadenza_server.admin import DemoAccounts
from cadenza_server.app import create_app
from cadenza_server.serving import RunningServer, run_in_thread
from cadenza_server.settings import ServerSettings
from cadenza_uploader import record_take
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from tests.uploader.world import Clock


@dataclass(frozen=True)
class Answer:
    """How one command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


@dataclass
class Cadenza:
    """Runs `cadenza …` as a user would type it."""

    home: Home
    clock: Clock
    env: dict[str, str]
    opened: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    browser: Callable[[str], bool] | None = None
    platform: str = sys.platform
    run_program: Callable[[Sequence[str]], int] = field(default=lambda _words: 0)

    def __call__(self, *words: object, typed: str | None = None) -> Answer:
        world = World(
            clock=self.clock,
            sleep=self._sleep,
            env=self.env,
            open_browser=self.browser or self._open,
            platform=self.platform,
            run_program=self.run_program,
        )
        result = CliRunner().invoke(
            every_command(),
            [str(word) for word in words],
            input=typed,
            prog_name="cadenza",
            obj=world,
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def _open(self, address: str) -> bool:
        self.opened.append(address)
        return True

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)


@pytest.fixture(autouse=True)
def no_log_handlers() -> Iterator[None]:
    """A command configures logging for its process; here that process is the tests' own."""
    yield
    for name in ("cadenza_client", "cadenza_uploader", "cadenza_cli", *_SERVER_LOGGERS):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


_SERVER_LOGGERS = ("cadenza.server", "uvicorn.error")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


@pytest.fixture
def queue(home: Home, clock: Clock) -> Iterator[TakeQueue]:
    with TakeQueue.open(home, clock=clock) as queue:
        yield queue


@pytest.fixture
def cadenza(home: Home, clock: Clock) -> Cadenza:
    return Cadenza(home, clock, {"CADENZA_HOME": str(home.path), "CADENZA_TIMINGS": "fast"})


# ── a server and people, over a real socket ────────────────────────────────────────────────────


@dataclass
class Studio:
    """A running server with its demo people.

    `close` leaves the port closed, which is what offline looks like from here.
    """

    running: RunningServer
    demo: DemoAccounts
    settings: ServerSettings

    @property
    def url(self) -> str:
        return self.running.url

    def close(self) -> None:
        self.running.stop()

    def add_student(self, email: str, name: str) -> int:
        return admin.add_user(
            self.settings, email=email, full_name=name, teacher_email=self.demo.teacher_email
        )


def _server_settings(data_dir: Path) -> ServerSettings:
    return ServerSettings(data_dir=data_dir, secret=SecretStr("s" * 40))


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoAccounts]:
    """A data directory with the demo people; hashing their passwords is slow on purpose."""
    data_dir = tmp_path_factory.mktemp("seeded") / "server"
    return data_dir, admin.seed_demo(_server_settings(data_dir))


@pytest.fixture
def studio(tmp_path: Path, seeded: tuple[Path, DemoAccounts]) -> Iterator[Studio]:
    template, demo = seeded
    settings = _server_settings(Path(shutil.copytree(template, tmp_path / "server")))
    with run_in_thread(create_app(settings)) as running:
        yield Studio(running, demo, settings)


@pytest.fixture
def student(cadenza: Cadenza, studio: Studio) -> Cadenza:
    """The command, signed in as the student."""
    cadenza.env["CADENZA_URL"] = studio.url
    assert cadenza("login", "--dev", "--email", studio.demo.student_email).exit_code == 0
    return cadenza


@pytest.fixture
def teacher(tmp_path: Path, clock: Clock, studio: Studio) -> Cadenza:
    """The command on the teacher's own device."""
    home = Home(tmp_path / "teacher").prepare()
    cadenza = Cadenza(home, clock, {"CADENZA_HOME": str(home.path), "CADENZA_URL": studio.url})
    assert cadenza("login", "--dev", "--email", studio.demo.teacher_email).exit_code == 0
    return cadenza


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take of one second, as a student would have made it."""
    path = tmp_path_factory.mktemp("clips") / "take.mp4"
    record_take(path, seconds=1.0)
    return path
