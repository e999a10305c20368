"""`cadenza queue rebuild | salvage | reconcile`, `doctor` and completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cadenza_uploader._queue import TakeQueue
from tests.cli.conftest import Cadenza, Studio
from tests.uploader.world import PIECE, add_take


def test_a_sound_queue_is_left_alone(cadenza: Cadenza, queue: TakeQueue) -> None:
    add_take(queue)
    assert cadenza("queue", "rebuild").stdout == "The queue is sound; nothing was done.\n"
    assert cadenza("queue", "rebuild", "--json").document == {
        "set_aside": None,
        "adopted": [],
        "unreadable": [],
    }


def test_a_damaged_queue_is_named_and_written_anew(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = add_take(queue)
    queue.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{queue.home.database}{suffix}").unlink(missing_ok=True)
    queue.home.database.write_bytes(b"not a database" * 500)
    (queue.home.spool / "mystery").mkdir()
    broken = cadenza("queue", "ls")
    assert broken.exit_code == 1
    assert "cadenza queue rebuild" in broken.stderr
    answer = cadenza("queue", "rebuild")
    assert answer.exit_code == 0
    assert answer.lines[0].startswith("The damaged database is kept as queue.db.corrupt-2026")
    assert answer.lines[1] == "1 take written again."
    assert answer.lines[2] == "Kept, but without a usable description: mystery"
    assert cadenza("queue", "ls", "-q").lines == [take.id]


def test_an_interrupted_upload_is_found_and_queued(
    cadenza: Cadenza, queue: TakeQueue, clip: Path
) -> None:
    assert cadenza("queue", "salvage").stdout == "Nothing was interrupted here.\n"
    part = queue.home.spool / ".part-0b1a2c3d-0000-4000-8000-000000000009"
    part.mkdir()
    shutil.copy(clip, part / "video.mp4")
    listed = cadenza("queue", "salvage")
    assert "whole recording" in listed.lines[1]
    (remnant,) = cadenza("queue", "salvage", "--json").document["remnants"]
    assert remnant["whole"] is True
    assert cadenza("queue", "salvage", "-q").lines == [part.name]
    assert cadenza("queue", "salvage", part.name).exit_code == 2
    answer = cadenza("queue", "salvage", part.name, "--piece", PIECE)
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Queued ")
    assert not part.exists()
    assert len(queue.list()) == 1
    assert cadenza("queue", "salvage", part.name, "--piece", PIECE).exit_code == 1


def test_an_interrupted_reply_is_queued_for_its_thread(
    cadenza: Cadenza, queue: TakeQueue, clip: Path
) -> None:
    part = queue.home.spool / ".part-0b1a2c3d-0000-4000-8000-000000000009"
    part.mkdir()
    shutil.copy(clip, part / "video.mp4")
    words = ("queue", "salvage", part.name, "--reply-to")
    assert cadenza(*words, "6f0c").exit_code == 2
    assert cadenza(*words, PIECE, "--piece", PIECE).exit_code == 2
    assert cadenza(*words, PIECE, "--notes", "Like this.").exit_code == 0
    (take,) = queue.list()
    assert (take.kind, take.context.parent_submission_id) == ("message", PIECE)
    assert take.context.notes == "Like this."


def test_reconcile_says_what_the_server_has(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    assert "Nothing is unsent" in student("queue", "reconcile").stdout
    words = ["upload", clip, "--piece", studio.demo.piece_id, "--no-daemon", "-q"]
    (take_id,) = student(*words).lines
    answer = student("queue", "reconcile")
    assert answer.lines == [f"1 the server has never heard of: {take_id[:8]}"]
    document = student("queue", "reconcile", "--json").document
    assert document == {
        "arrived": [],
        "expected": [],
        "unknown": [take_id],
        "deleted": [],
        "waiting_elsewhere": [],
    }


# ── doctor ─────────────────────────────────────────────────────────────────────────────────────


def test_doctor_with_all_in_order(student: Cadenza) -> None:
    answer = student("doctor")
    assert answer.exit_code == 0
    assert answer.lines[-1] == "All is well."
    document = student("doctor", "--json").document
    assert document["ok"] is True
    assert {finding["name"] for finding in document["findings"]} >= {
        "home", "disk", "queue", "codecs", "server", "sign-in",
    }  # fmt: skip
    assert student("doctor", "-q").lines == []


def test_doctor_names_the_problem_and_what_mends_it(student: Cadenza, studio: Studio) -> None:
    studio.close()
    answer = student("doctor")
    assert answer.exit_code == 1
    assert any(line.startswith("PROBLEM   server:") for line in answer.lines)
    assert any("→" in line for line in answer.lines)
    assert answer.lines[-1] == "1 problem found."
    document = student("doctor", "--json").document
    assert document["ok"] is False
    (problem,) = [one for one in document["findings"] if one["level"] == "problem"]
    assert set(problem) == {"name", "level", "sentence", "fix"}
    assert student("doctor", "-q").lines == ["server"]


# ── completion ─────────────────────────────────────────────────────────────────────────────────


def _complete(cadenza: Cadenza, line: str) -> list[str]:
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", "from cadenza_cli.main import main; main()"],
        capture_output=True, text=True, timeout=60, check=False,
        env={
            **os.environ, **cadenza.env, "_CADENZA_COMPLETE": "complete_bash",
            "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1),
        },
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_commands_and_take_ids(cadenza: Cadenza, queue: TakeQueue) -> None:
    first, second = add_take(queue, seed=1), add_take(queue, seed=2)
    assert _complete(cadenza, "cadenza que") == ["queue"]
    assert first.short_id == second.short_id, "short ids of these test takes are alike"
    assert set(_complete(cadenza, "cadenza explain 0")) == {first.short_id}
    assert _complete(cadenza, "cadenza explain f") == []


def test_the_shell_completes_pieces_by_id(student: Cadenza, studio: Studio) -> None:
    beginning = str(studio.demo.piece_id)[:3]
    assert _complete(student, f"cadenza upload a.mp4 --piece {beginning}") == [
        str(studio.demo.piece_id)
    ]


def test_completion_never_complains(cadenza: Cadenza, tmp_path: Path) -> None:
    cadenza.env["CADENZA_HOME"] = str(tmp_path / "nowhere")
    assert _complete(cadenza, "cadenza explain 0") == []
    assert not (tmp_path / "nowhere").exists()
    cadenza.env["CADENZA_MAX_SECONDS"] = "many"
    assert _complete(cadenza, "cadenza explain 0") == []
    assert _complete(cadenza, "cadenza upload a.mp4 --piece 0") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str, cadenza: Cadenza) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cadenza_cli.main import main; main()"],
        capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "_CADENZA_COMPLETE": f"source_{shell}"},
    )  # fmt: skip
    assert "cadenza" in done.stdout
