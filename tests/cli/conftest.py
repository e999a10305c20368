"""The command in this process, with its own home, a clock that stands still and no browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cadenza_cli._run import World
from cadenza_cli.main import app
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

    def __call__(self, *words: object, typed: str | None = None) -> Answer:
        world = World(
            clock=self.clock,
            sleep=self._sleep,
            env=self.env,
            open_browser=self.browser or self._open,
        )
        result = CliRunner().invoke(
            app, [str(word) for word in words], input=typed, prog_name="cadenza", obj=world
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
