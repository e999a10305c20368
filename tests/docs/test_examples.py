"""What the pages show is what happens: the README's session, the Python blocks and the demo."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cadenza_client import CadenzaClient
from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.serving import RunningServer, run_in_thread
from cadenza_uploader import record_take

ROOT = Path(__file__).resolve().parents[2]
_FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass
class Studio:
    """A real server with the demo's people, and a directory with a recording."""

    folder: Path
    settings: ServerSettings
    accounts: admin.DemoAccounts
    server: RunningServer

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def come_back(self) -> None:
        """Serve again, where it was before."""
        self.server = run_in_thread(create_app(self.settings), port=self.port)

    def token(self, email: str) -> str:
        with CadenzaClient(self.server.url, env={}) as client:
            return client.auth.dev_login(email).access_token

    def cadenza(self, *words: str, home: str = "student") -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if name != "CADENZA_TOKEN"}
        return subprocess.run(
            [sys.executable, "-m", "cadenza_cli", *words],
            cwd=self.folder,
            env={**environ, "CADENZA_URL": self.server.url, "CADENZA_HOME": home},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    settings = ServerSettings(env="dev", data_dir=tmp_path / "server")
    accounts = admin.seed_demo(settings)
    folder = tmp_path / "here"
    folder.mkdir()
    record_take(folder / "take.mp4", seconds=3)
    studio = Studio(folder, settings, accounts, run_in_thread(create_app(settings)))
    yield studio
    studio.server.stop()


# ── the README's session ───────────────────────────────────────────────────────────────────────


def _same_words(text: str) -> list[str]:
    """The transcript without what differs from one day and machine to another."""
    for pattern, word in (
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "TIME"),
        (r"\b(?!4d4f387e)[0-9a-f]{8}\b", "ID"),
        (r"\b\d+(\.\d+)? k?M?B\b", "SIZE"),
        (r"\b\d+ (s|min|h)\b( ago)?|\b(just )?now\b", "SPAN"),
        (r"\b0:\d\d\b", "LENGTH"),
        (r"pid \d+", "PID"),
        (r"127\.0\.0\.1:\d+", "HOST"),
    ):
        text = re.sub(pattern, word, text)
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_readme_shows_what_the_command_really_prints(studio: Studio) -> None:
    for home, email in (
        ("student", studio.accounts.student_email),
        ("teacher", studio.accounts.teacher_email),
    ):
        signed_in = studio.cadenza("login", "--dev", "--email", email, home=home)
        assert signed_in.returncode == 0, signed_in.stderr
    blocks = _FENCED.findall((ROOT / "README.md").read_text("utf-8"))[:3]
    (_, practice_room), (_, at_home), (_, teacher) = blocks

    studio.server.stop()
    transcript, take_id = _replay(studio, practice_room, "student", None)
    assert _same_words(transcript) == _same_words(practice_room), transcript

    studio.come_back()
    transcript, _ = _replay(studio, at_home, "student", take_id)
    assert _same_words(transcript) == _same_words(at_home), transcript

    transcript, _ = _replay(studio, teacher, "teacher", take_id)
    assert _same_words(transcript) == _same_words(teacher), transcript


def _replay(studio: Studio, shown: str, home: str, take_id: str | None) -> tuple[str, str | None]:
    """Run the commands of a block; the id of the README's take is replaced by this run's."""
    transcript = ""
    for line in shown.splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:])[1:]
        done = studio.cadenza(
            *[take_id if word == "f7bc46ff" else word for word in words] if take_id else words,
            home=home,
        )
        transcript += f"{line}\n{done.stdout}{done.stderr}"
        queued = re.search(r"Queued ([0-9a-f]{8})", done.stdout + done.stderr)
        take_id = queued[1] if queued else take_id
    return transcript, take_id


# ── Python on the pages ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("page", "role"),
    [("README.md", "teacher"), ("docs/sdk.md", "student"), ("docs/uploader.md", "student")],
)
def test_python_on_the_page_runs(
    page: str,
    role: str,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    email = studio.accounts.teacher_email if role == "teacher" else studio.accounts.student_email
    monkeypatch.chdir(studio.folder)
    monkeypatch.setenv("CADENZA_URL", studio.server.url)
    monkeypatch.setenv("CADENZA_TOKEN", studio.token(email))
    monkeypatch.setenv("CADENZA_HOME", str(studio.folder / "home"))
    if role == "teacher":
        studio.cadenza("login", "--dev", "--email", studio.accounts.student_email)
        sent = studio.cadenza(
            "upload", "take.mp4", "--piece", str(studio.accounts.piece_id), "--wait"
        )
        assert sent.returncode == 0, sent.stderr

    blocks = [
        text
        for language, text in _FENCED.findall((ROOT / page).read_text("utf-8"))
        if language == "python"
    ]
    assert blocks
    for number, block in enumerate(blocks, start=1):
        # The reader puts the id of a piece of hers there.
        code = re.sub(
            r'^PIECE = "[^"]+"', f'PIECE = "{studio.accounts.piece_id}"', block, flags=re.MULTILINE
        )
        exec(compile(code, f"{page} block {number}", "exec"), {"__name__": "page"})
        assert capsys.readouterr().out.strip(), f"{page} block {number} shows nothing"


def test_every_page_with_python_is_run() -> None:
    pages = {
        page.relative_to(ROOT).as_posix()
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        if any(language == "python" for language, _ in _FENCED.findall(page.read_text("utf-8")))
    }
    assert pages == {"README.md", "docs/sdk.md", "docs/uploader.md"}


# ── the demo ───────────────────────────────────────────────────────────────────────────────────


def test_the_demo_holds_every_step(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), "--seconds", "4",
         "--into", str(tmp_path / "demo")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for fact in ("0 attempts spent", "kill -9", "sha256 verified", "the same bytes", "440 Hz"):
        assert fact in shown.stdout
    assert shown.stderr == ""


def test_the_demo_refuses_a_directory_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    refused = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), "--into", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 2
    assert (tmp_path / "mine.txt").read_text() == "keep"
