"""`cadenza upload` and `record`: queued durably first, then sent, and the exit code says which."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cadenza_cli._output import Output
from cadenza_uploader import daemon_status
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.take import Hold
from tests.cli.conftest import Cadenza, Studio

PIECE = "0b1a2c3d-0000-4000-8000-000000000001"
CLOSED = "http://127.0.0.1:9"


def _eventually(what: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def _process(cadenza: Cadenza, *words: object, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The real command in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **cadenza.env, **more},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# ── what it is about ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "give --piece, --exercise or --session"),
        (["--notes", "bar 17"], "cadenza pieces ls"),
        (["--piece", "bach"], "is no piece this device knows"),
        (["--exercise", "12"], "'12' is not an id"),
        (["--session", "x"], "--session"),
        (["--piece", PIECE, "--measure-end", "4"], "--measure-end"),
        (["--piece", PIECE, "--measure", "5", "--measure-end", "4"], "--measure-end"),
        (["--piece", PIECE, "--measure", "0"], "--measure"),
        (["--piece", PIECE, "--notes", "x" * 2001], "2001 characters; the limit is 2000"),
        (["--piece", PIECE, "--wait", "--no-daemon"], "exclude each other"),
    ],
)
def test_a_context_that_will_not_do_queues_nothing(
    cadenza: Cadenza, queue: TakeQueue, clip: Path, words: list[str], hint: str
) -> None:
    answer = cadenza("upload", clip, *words)
    assert answer.exit_code == 2
    assert hint in answer.stderr
    assert answer.stdout == ""
    assert not queue.list()


def test_a_file_that_is_not_there_is_a_usage_error(cadenza: Cadenza, queue: TakeQueue) -> None:
    answer = cadenza("upload", "nowhere.mp4", "--piece", PIECE)
    assert answer.exit_code == 2
    assert "nowhere.mp4" in answer.stderr
    assert not queue.list()


# ── queue only ─────────────────────────────────────────────────────────────────────────────────


def test_no_daemon_queues_and_touches_no_network(
    cadenza: Cadenza, queue: TakeQueue, clip: Path
) -> None:
    cadenza.env["CADENZA_URL"] = CLOSED
    answer = cadenza(
        "upload", clip, "--piece", PIECE, "--notes", "bar 17", "--page", 3, "--measure", 17,
        "--measure-end", 20, "--no-daemon",
    )  # fmt: skip
    (take,) = queue.list()
    assert answer.exit_code == 0
    assert answer.lines == [
        f"Queued {take.short_id}  take.mp4  0:01  {_size(take.size_bytes)}  page 3, bars 17–20",
        f"{take.short_id} is safe in the queue. `cadenza daemon run` sends it.",
    ]
    assert take.context.notes == "bar 17"
    assert take.status.value == "pending"
    assert queue.attempts(take.id) == []


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1000:.1f} kB"


def test_the_same_file_again_is_the_same_take(
    cadenza: Cadenza, queue: TakeQueue, clip: Path
) -> None:
    words = ["upload", clip, "--piece", PIECE, "--no-daemon"]
    first = cadenza(*words, "-q").lines
    again = cadenza(*words)
    assert again.lines[0].startswith(f"Already queued {first[0][:8]}")
    assert cadenza(*words, "--json").document["takes"][0]["already_queued"] is True
    assert len(queue.list()) == 1


def test_the_upload_document_has_these_keys(cadenza: Cadenza, clip: Path) -> None:
    document = cadenza("upload", clip, "--piece", PIECE, "--no-daemon", "--json").document
    assert set(document) == {"takes", "refused", "exit_code"}
    (take,) = document["takes"]
    assert (take["outcome"], take["file"], take["fitted"]) == ("queued", str(clip), False)
    assert take["warnings"] == [
        {"code": "very_short", "sentence": "The take lasts only 1.0 seconds."}
    ]
    assert take["source_path"] == str(clip)


# ── refused by the limits ──────────────────────────────────────────────────────────────────────


def test_too_long_is_exit_4_with_the_value_and_the_limit(
    cadenza: Cadenza, queue: TakeQueue, tmp_path: Path
) -> None:
    long = tmp_path / "long.mp4"
    assert cadenza("record", "--seconds", 3, "-o", long).exit_code == 0
    cadenza.env["CADENZA_MAX_SECONDS"] = "2"
    answer = cadenza("upload", long, "--piece", PIECE)
    assert answer.exit_code == 4
    assert answer.stdout == ""
    assert "long.mp4 was not queued" in answer.stderr
    assert "3" in answer.stderr
    assert "2" in answer.stderr
    assert not queue.list()
    document = cadenza("upload", long, "--piece", PIECE, "--json").document
    assert document["takes"] == []
    assert document["exit_code"] == 4
    (refused,) = document["refused"]
    assert refused["code"] == "limit_exceeded"
    assert refused["codes"] == ["duration_exceeded"]
    assert refused["fixable_by_fit"] is False


def test_one_refused_file_keeps_no_other_from_the_teacher(
    student: Cadenza, queue: TakeQueue, clip: Path, tmp_path: Path, studio: Studio
) -> None:
    words = tmp_path / "words.mp4"
    words.write_text("not a video")
    answer = student("upload", words, clip, "--piece", studio.demo.piece_id)
    assert answer.exit_code == 4
    assert "words.mp4" in answer.stderr
    assert [take.status.value for take in queue.list()] == ["uploaded"]


def test_a_file_that_cannot_be_read_is_refused_alone(
    student: Cadenza, clip: Path, tmp_path: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cadenza_uploader

    real = cadenza_uploader.enqueue

    def enqueue(queue: Any, path: Path, *rest: Any, **more: Any) -> Any:
        if path.name == "locked.mp4":
            raise PermissionError(13, "Permission denied", str(path))
        return real(queue, path, *rest, **more)

    monkeypatch.setattr(cadenza_uploader, "enqueue", enqueue, raising=False)
    locked = Path(shutil.copy(clip, tmp_path / "locked.mp4"))
    answer = student("upload", locked, clip, "--piece", studio.demo.piece_id, "--json")
    assert answer.exit_code == 1
    assert answer.document["refused"][0]["code"] == "system_error"
    assert [take["outcome"] for take in answer.document["takes"]] == ["uploaded"]


def test_fit_makes_a_smaller_copy_of_what_is_too_large(
    cadenza: Cadenza, queue: TakeQueue, tmp_path: Path
) -> None:
    large = _full_hd(tmp_path / "large.mp4")
    refused = cadenza("upload", large, "--piece", PIECE, "--no-daemon")
    assert refused.exit_code == 4
    assert "--fit" in refused.stderr
    assert "1920" in refused.stderr
    answer = cadenza("upload", large, "--piece", PIECE, "--no-daemon", "--fit", "--json")
    assert answer.exit_code == 0
    (take,) = answer.document["takes"]
    assert (take["fitted"], take["width"], take["height"]) == (True, 1280, 720)


def _full_hd(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame(1920, 1080, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([40 + 15 * number]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


# ── sent from here ─────────────────────────────────────────────────────────────────────────────


def test_without_a_daemon_the_command_sends(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    answer = student("upload", clip, "--piece", studio.demo.piece_id)
    (take,) = queue.list()
    assert answer.exit_code == 0
    assert answer.lines[1] == f"{take.short_id} uploaded; your teacher can see it."
    assert answer.stderr == "Warning: take.mp4: The take lasts only 1.0 seconds.\n"
    assert not list(queue.home.spool.iterdir())
    assert clip.exists()


def test_quiet_prints_ids_and_delete_source_deletes_after_the_receipt(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path, tmp_path: Path
) -> None:
    mine = Path(shutil.copy(clip, tmp_path / "mine.mp4"))
    answer = student("upload", mine, "--piece", studio.demo.piece_id, "--delete-source", "-q")
    assert answer.lines == [take.id for take in queue.list()]
    assert not mine.exists()


def test_without_a_sign_in_the_take_is_safe_and_the_exit_code_is_3(
    cadenza: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    answer = cadenza("upload", clip, "--piece", studio.demo.piece_id, "--url", studio.url)
    assert answer.exit_code == 3
    assert "cadenza login" in answer.lines[1]
    assert [take.status.value for take in queue.list()] == ["pending"]


def test_without_a_network_the_exit_code_is_5_and_nothing_is_spent(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    studio.close()
    answer = student("upload", clip, "--piece", "bourrée", "--json")
    assert answer.exit_code == 5
    (shown,) = answer.document["takes"]
    assert shown["outcome"] == "offline"
    (take,) = queue.list()
    assert (take.status.value, take.attempts) == ("pending", 0)
    assert "waiting for network" in student("queue", "ls").stdout
    told = student("upload", clip, "--piece", "bourrée")
    assert "It is safe in the queue" in told.lines[1]


def test_what_the_server_refuses_for_good_is_exit_6_and_explained(
    student: Cadenza, queue: TakeQueue, clip: Path
) -> None:
    answer = student("upload", clip, "--piece", PIECE)
    (take,) = queue.list()
    assert answer.exit_code == 6
    assert f"{take.short_id} was refused by the server:" in answer.lines[1]
    assert f"cadenza explain {take.short_id}" in answer.lines[1]
    again = student("upload", clip, "--piece", PIECE, "--json").document
    assert again["takes"][0]["outcome"] == "rejected"


def test_a_paused_queue_is_respected(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    student("queue", "pause")
    answer = student("upload", clip, "--piece", studio.demo.piece_id)
    assert answer.exit_code == 0
    assert "which you paused" in answer.lines[1]
    assert [take.status.value for take in queue.list()] == ["pending"]


def test_wait_outlasts_an_outage(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    port = int(studio.url.rsplit(":", 1)[1])
    studio.close()
    with _process(
        student, "upload", clip, "--piece", studio.demo.piece_id, "--wait", "--json"
    ) as process:
        _eventually(lambda: any(hold.hold is Hold.NETWORK for hold in queue.holds()))
        assert process.poll() is None
        from cadenza_server.app import create_app
        from cadenza_server.serving import run_in_thread

        with run_in_thread(create_app(studio.settings), port=port):
            stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert '"outcome": "uploaded"' in stdout


def test_wait_gives_up_watching_when_told(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    studio.close()
    answer = student("upload", clip, "--piece", "bourrée", "--wait", "--timeout", "0")
    assert answer.exit_code == 5
    assert [take.status.value for take in queue.list()] == ["pending"]


def test_ctrl_c_loses_nothing_until_it_is_cancelled(
    student: Cadenza, studio: Studio, queue: TakeQueue, tmp_path: Path
) -> None:
    take = tmp_path / "long.mp4"
    student("record", "--seconds", 5, "-o", take)
    with _process(
        student, "upload", take, "--piece", studio.demo.piece_id, CADENZA_RATE_LIMIT="10000"
    ) as process:
        _eventually(lambda: [one for one in queue.list() if one.stage.word == "registered"])
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Nothing is lost" in stderr
    (left,) = queue.list()
    assert left.status.value == "pending"
    # The server knows of it already, so cancelling tells the server first.
    assert student("submissions", "ls", "-q").lines == [left.server_id]
    assert student("queue", "cancel", left.short_id, "--yes").exit_code == 0
    assert student("submissions", "ls", "-q").lines == []
    assert queue.list() == []


# ── a daemon, or another command, owns the queue ───────────────────────────────────────────────


def test_a_running_daemon_gets_the_take(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    with Instance(queue.home) as instance:
        answer = student("upload", clip, "--piece", studio.demo.piece_id)
        assert instance.wait_for_wake(5.0)
    (take,) = queue.list()
    assert answer.exit_code == 0
    assert answer.lines[1] == (
        f"{take.short_id} is with the daemon. `cadenza queue ls` shows how far it is."
    )
    assert take.status.value == "pending"


def test_wait_watches_the_daemon(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    with _process(student, "daemon", "run") as daemon:
        _eventually(lambda: daemon_status(queue.home).running)
        answer = student("upload", clip, "--piece", studio.demo.piece_id, "--wait", "--json")
        assert answer.exit_code == 0
        assert answer.document["takes"][0]["outcome"] == "uploaded"
        assert daemon.poll() is None


def test_wait_takes_over_from_a_daemon_that_goes(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    idle = Instance(queue.home)
    idle.__enter__()

    def leave() -> None:
        _eventually(queue.list)
        idle.__exit__(None, None, None)

    leaver = threading.Thread(target=leave)
    leaver.start()
    answer = student("upload", clip, "--piece", studio.demo.piece_id, "--wait")
    leaver.join()
    assert answer.exit_code == 0
    assert "uploaded" in answer.lines[-1]


def test_a_command_that_is_sending_is_not_taken_for_a_daemon(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Instance(queue.home, listening=False)
    other.__enter__()
    notes: list[str] = []

    def note(_out: Output, text: str) -> None:
        notes.append(text)
        if "yours comes next" in text:
            other.__exit__(None, None, None)

    monkeypatch.setattr(Output, "note", note)
    answer = student("upload", clip, "--piece", studio.demo.piece_id)
    assert answer.exit_code == 0
    assert notes[-1] == "Another command is sending just now; yours comes next."
    assert "uploaded" in answer.lines[-1]


def test_waiting_for_another_command_ends_when_told(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    with Instance(queue.home, listening=False):
        answer = student(
            "upload", clip, "--piece", studio.demo.piece_id, "--wait", "--timeout", "0"
        )
    assert answer.exit_code == 6
    assert [take.status.value for take in queue.list()] == ["pending"]


def test_a_take_cancelled_while_watched_is_said(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    def cancel() -> None:
        _eventually(queue.list)
        (take,) = queue.list()
        queue.mark_for_removal(take.id)
        queue.forget(take.id)

    canceller = threading.Thread(target=cancel)
    with Instance(queue.home):
        canceller.start()
        answer = student("upload", clip, "--piece", studio.demo.piece_id, "--wait", "--json")
    canceller.join()
    assert answer.exit_code == 1
    assert answer.document["takes"][0]["outcome"] == "cancelled"


# ── record ─────────────────────────────────────────────────────────────────────────────────────


def test_record_makes_a_take_with_sound(cadenza: Cadenza, tmp_path: Path) -> None:
    made = tmp_path / "take.mp4"
    answer = cadenza("record", "--seconds", 1, "-o", made, "--json")
    document = answer.document
    assert document == {
        "file": str(made),
        "duration_ms": document["duration_ms"],
        "width": 1280,
        "height": 720,
        "size_bytes": made.stat().st_size,
    }
    assert 950 <= document["duration_ms"] <= 1050
    again = cadenza("record", "--seconds", 1, "-o", made)
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_record_names_its_files(
    cadenza: Cadenza, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (cadenza("record", "--seconds", 0.5, "-q").lines[0] for _ in range(2))
    assert first.startswith("take-2026112")
    assert second == first.replace(".mp4", "-2.mp4")
    told = cadenza("record", "--seconds", 0.5, "--silent", "--tone", 220)
    assert told.stdout.startswith(first.replace(".mp4", "-3.mp4"))


def test_record_stops_at_three_minutes(
    cadenza: Cadenza, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cadenza_uploader

    asked: list[float] = []

    def record_take(destination: Path, *, seconds: float, **more: Any) -> Any:
        asked.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(cadenza_uploader, "record_take", record_take, raising=False)
    answer = cadenza("record", "--seconds", 200, "-o", tmp_path / "a.mp4")
    assert asked == [180.0]
    assert "stops at 3:00" in answer.stderr
    assert answer.exit_code == 130


def test_record_and_upload_leaves_no_copy_behind(
    student: Cadenza, studio: Studio, queue: TakeQueue, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = ["record", "--seconds", 0.5, "--upload", "--piece", studio.demo.piece_id]
    assert student(*words).exit_code == 0
    assert list(tmp_path.glob("*.mp4")) == []
    assert student(*words, "-o", "kept.mp4").exit_code == 0
    assert (tmp_path / "kept.mp4").exists()
    assert [take.status.value for take in queue.list()] == ["uploaded", "uploaded"]


def test_a_recording_that_cannot_be_queued_is_kept(
    cadenza: Cadenza, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cadenza.env["CADENZA_MAX_UPLOAD_BYTES"] = "1000"
    answer = cadenza("record", "--seconds", 0.5, "--upload", "--piece", PIECE)
    assert answer.exit_code == 4
    assert len(list(tmp_path.glob("*.mp4"))) == 1


@pytest.mark.parametrize(
    "words", [["--upload"], ["--upload", "--piece", PIECE, "--wait", "--no-daemon"]]
)
def test_what_cannot_be_queued_is_said_before_the_recording(
    cadenza: Cadenza, tmp_path: Path, words: list[str]
) -> None:
    made = tmp_path / "take.mp4"
    assert cadenza("record", "-o", made, *words).exit_code == 2
    assert not made.exists()


def test_a_camera_is_counted_down_to(cadenza: Cadenza, tmp_path: Path) -> None:
    answer = cadenza(
        "record", "--camera", "lavfi:testsrc=size=320x240:rate=30", "--silent",
        "--seconds", 0.5, "-o", tmp_path / "take.mp4",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.stderr
    assert answer.stderr.splitlines() == [
        "3 …",
        "2 …",
        "1 …",
        "Recording. Ctrl-C stops and keeps it.",
    ]
    assert cadenza.slept == [1.0, 1.0, 1.0]


def test_a_camera_that_is_not_there_is_said(cadenza: Cadenza, tmp_path: Path) -> None:
    answer = cadenza("record", "--camera", "/dev/video99", "-o", tmp_path / "take.mp4")
    assert answer.exit_code == 1
    assert "--camera" in answer.stderr
    assert not (tmp_path / "take.mp4").exists()
