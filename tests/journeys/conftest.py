"""The acceptance journeys' stage: real processes, real sockets, a port that can be closed.

Nothing here is a fake: the server is `cadenza server run`, every person has a device of their own
and types `cadenza …`. Offline is a port nobody listens on.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader import Home, TakeQueue, record_take

PATIENCE_SECONDS = 60.0


def eventually(what: Callable[[], object], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that another process brings about."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@dataclass(frozen=True)
class Ended:
    """How one command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "cadenza_cli", *map(str, words)]


@dataclass
class Person:
    """Somebody with a device: a home of their own, and the command."""

    path: Path
    url: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return Home(self.path)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "CADENZA_HOME": str(self.path),
            "CADENZA_URL": self.url,
            "CADENZA_TIMINGS": "fast",
            **self.env,
        }

    def __call__(self, *words: object) -> Ended:
        done = subprocess.run(
            _command(*words), capture_output=True, text=True, env=self.environ, timeout=180
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *words: object) -> Iterator[subprocess.Popen[str]]:
        """The command, still running; killed at the end if need be."""
        process = subprocess.Popen(
            _command(*words),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environ,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def queue(self) -> Iterator[TakeQueue]:
        with TakeQueue.open(self.home) as queue:
            yield queue

    def status(self, take_id: str) -> str:
        with self.queue() as queue:
            return queue.get(take_id).status.value

    def spool(self) -> list[str]:
        spool = self.home.spool
        return sorted(str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file())


@dataclass
class Studio:
    """The server: a process that can be started and stopped on one and the same port."""

    directory: Path
    port: int
    demo: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "CADENZA_SERVER_DIR": str(self.directory)}

    def set_up(self) -> None:
        seeded = subprocess.run(
            _command("server", "seed-demo", "--json"),
            capture_output=True, text=True, env=self.environ, check=True, timeout=120,
        )  # fmt: skip
        self.demo = json.loads(seeded.stdout)

    def add_student(self, email: str, name: str) -> None:
        subprocess.run(
            _command(
                "server", "user", "add", email, "--name", name,
                "--teacher", self.demo["teacher_email"], "--password-stdin",
            ),
            input="correct horse\n", capture_output=True, text=True, env=self.environ,
            check=True, timeout=120,
        )  # fmt: skip

    def open(self) -> None:
        assert self._process is None
        self._process = subprocess.Popen(
            _command("server", "run", "--port", self.port, "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self.environ,
        )  # fmt: skip
        assert self._process.stdout is not None
        answer = "".join(self._process.stdout.readline() for _ in range(4))
        assert json.loads(answer)["url"] == self.url

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=PATIENCE_SECONDS)
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def closed_studio(tmp_path: Path) -> Iterator[Studio]:
    """A server with its people, not running yet."""
    studio = Studio(tmp_path / "server", _free_port())
    studio.set_up()
    yield studio
    studio.close()


@pytest.fixture
def studio(closed_studio: Studio) -> Studio:
    """The same, running."""
    closed_studio.open()
    return closed_studio


@pytest.fixture
def people(tmp_path: Path) -> Callable[[str, str], Person]:
    """Makes a person, signed in if an e-mail is given and the server runs."""

    def make(url: str, email: str) -> Person:
        person = Person(tmp_path / email.partition("@")[0], url)
        assert person("login", "--dev", "--email", email).exit_code == 0
        return person

    return make


@pytest.fixture
def student(studio: Studio, people: Callable[[str, str], Person]) -> Person:
    return people(studio.url, studio.demo["student_email"])


@pytest.fixture
def teacher(studio: Studio, people: Callable[[str, str], Person]) -> Person:
    return people(studio.url, studio.demo["teacher_email"])


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of moving picture and tone."""
    path = tmp_path_factory.mktemp("recorded") / "take.mp4"
    record_take(path, seconds=3.0)
    return path


@pytest.fixture
def take(recorded: Path, tmp_path: Path) -> Path:
    """The student's own file."""
    path = tmp_path / "take.mp4"
    path.write_bytes(recorded.read_bytes())
    return path
