"""`cadenza daemon install | uninstall` and `cadenza watch`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cadenza_cli._run import _run_program
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import TakeQueue
from tests.cli.conftest import Cadenza
from tests.cli.test_upload import _eventually
from tests.uploader.world import PIECE


@pytest.fixture
def ran(cadenza: Cadenza, tmp_path: Path) -> list[tuple[str, ...]]:
    """The programs that were run; all of them succeed."""
    ran: list[tuple[str, ...]] = []

    def run_program(words: Sequence[str]) -> int:
        ran.append(tuple(words))
        return 0

    cadenza.run_program = run_program
    cadenza.env["HOME"] = str(tmp_path / "person")
    return ran


@pytest.mark.parametrize(
    ("platform", "name", "program"),
    [
        ("linux", "cadenza-uploader.service", "systemctl"),
        ("darwin", "org.cadenza.uploader.plist", "launchctl"),
    ],
)
def test_the_service_is_written_started_and_removed(
    cadenza: Cadenza, ran: list[tuple[str, ...]], platform: str, name: str, program: str
) -> None:
    cadenza.platform = platform
    document = cadenza("daemon", "install", "--json").document
    file = Path(document["file"])
    assert file.name == name
    assert file.read_text() == document["text"]
    assert sys.executable in document["text"]
    assert cadenza.env["CADENZA_HOME"] in document["text"]
    assert {words[0] for words in ran} == {program}
    assert "runs as a service" in cadenza("daemon", "install").stdout
    assert cadenza("daemon", "uninstall").stdout == "Removed.\n"
    assert not file.exists()
    assert cadenza("daemon", "uninstall", "--json").document["removed"] is False


def test_print_shows_the_unit_and_changes_nothing(
    cadenza: Cadenza, ran: list[tuple[str, ...]]
) -> None:
    cadenza.platform = "linux"
    cadenza.env["CADENZA_TOKEN"] = "dev_token_user_1"
    answer = cadenza("daemon", "install", "--print")
    assert "[Service]" in answer.stdout
    assert "dev_token_user_1" not in answer.stdout
    assert ran == []
    (path,) = cadenza("daemon", "install", "--print", "-q").lines
    assert not Path(path).exists()


def test_a_manager_that_fails_is_said(cadenza: Cadenza, ran: list[tuple[str, ...]]) -> None:
    cadenza.platform = "linux"
    cadenza.run_program = lambda _words: 1
    answer = cadenza("daemon", "install")
    assert answer.exit_code == 1
    assert "systemctl --user daemon-reload` failed" in answer.stderr


def test_a_system_without_a_known_manager(cadenza: Cadenza) -> None:
    cadenza.platform = "sunos5"
    answer = cadenza("daemon", "install")
    assert answer.exit_code == 1
    assert "sunos5" in answer.stderr


def test_a_program_that_is_not_there_is_a_failure() -> None:
    assert _run_program([sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert _run_program(["/nowhere/cadenza-no-such-program"]) == 127


def test_a_watched_folder_queues_what_is_finished_and_wakes_the_daemon(
    cadenza: Cadenza, queue: TakeQueue, clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clip, folder / "take.mp4")
    (folder / "words.mp4").write_text("not a video")
    (folder / "notes.txt").write_text("not even called one")
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", "watch", str(folder), "--piece", PIECE],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **cadenza.env},
    )  # fmt: skip
    try:
        with Instance(queue.home) as instance:
            _eventually(queue.list, seconds=60)
            assert instance.wait_for_wake(20)
        _eventually(lambda: queue.watched(folder / "words.mp4"), seconds=60)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    (take,) = queue.list()
    assert process.returncode == 0
    assert f"take.mp4: Queued as {take.short_id}." in stdout.splitlines()
    assert "(probe_failed)" in stdout
    assert "notes.txt" not in stdout
    assert "Warning: take.mp4: The take lasts only 1.0 seconds." in stderr


def test_watch_needs_a_folder_and_a_context(cadenza: Cadenza, tmp_path: Path, clip: Path) -> None:
    assert cadenza("watch", tmp_path).exit_code == 2
    assert cadenza("watch", clip, "--piece", PIECE).exit_code == 2


def test_watch_in_json_is_one_document_at_the_end(
    cadenza: Cadenza, queue: TakeQueue, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cadenza_uploader
    from cadenza_uploader import FolderWatch, Stop

    def scan_twice(self: FolderWatch, stop: Stop) -> None:
        self.settle_seconds = 0.0
        self.scan()

    monkeypatch.setattr(FolderWatch, "run", scan_twice)
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clip, folder / "take.mp4")
    document = cadenza("watch", folder, "--piece", PIECE, "--json").document
    (take,) = queue.list()
    assert document == {
        "files": [
            {
                "file": str(folder / "take.mp4"),
                "outcome": "queued",
                "sentence": f"Queued as {take.short_id}.",
                "take_id": take.id,
            }
        ]
    }
    assert cadenza_uploader.daemon_status(queue.home).running is False
