"""`cadenza daemon …` as a service manager and a person meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cadenza_uploader import daemon_status
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader.take import Hold
from tests.cli.conftest import Cadenza, Studio
from tests.cli.test_upload import _eventually
from tests.uploader.world import Clock, add_take, attempt, claimed


@contextmanager
def _daemon(cadenza: Cadenza, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", "daemon", "run", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **cadenza.env},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_daemon_sends_writes_lines_and_ends_cleanly_on_sigterm(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    student("upload", clip, "--piece", studio.demo.piece_id, "--no-daemon")
    (take,) = queue.list()
    with _daemon(student) as daemon:
        _eventually(lambda: queue.get(take.id).stage.word == "cleaned")
        daemon.send_signal(signal.SIGTERM)
        stdout, stderr = daemon.communicate(timeout=20)
    assert daemon.returncode == 0
    assert stderr == ""
    told = [line.split(" ", 2)[2] for line in stdout.splitlines()]
    assert told[0].startswith(f"uploader started (pid {daemon.pid}")
    assert f"take {take.short_id} registered" in told
    assert f"take {take.short_id} stored" in told
    assert f"take {take.short_id} uploaded" in told
    assert told[-1] == "uploader stopping (SIGTERM)"
    assert "Signature" not in stdout


def test_a_second_daemon_leaves_with_75(student: Cadenza, queue: TakeQueue) -> None:
    with Instance(queue.home):
        answer = student("daemon", "run")
    assert answer.exit_code == 75
    assert f"pid {os.getpid()}" in answer.stderr
    assert "cadenza daemon stop" in answer.stderr


def test_once_sends_what_is_there_and_leaves(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    student("upload", clip, "--piece", studio.demo.piece_id, "--no-daemon")
    answer = student("daemon", "run", "--once")
    assert answer.exit_code == 0
    assert answer.lines[-1] == "Everything is uploaded."
    document = student("daemon", "run", "--once", "--json").document
    assert document["counts"]["uploaded"] == 1
    assert document["stopped_by"] is None


def test_once_says_by_its_exit_code_what_keeps_the_takes(
    student: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    student("upload", clip, "--piece", studio.demo.piece_id, "--no-daemon")
    studio.close()
    offline = student("daemon", "run", "--once")
    assert offline.exit_code == 5
    assert offline.lines[-1] == "1 take still unsent."
    student("logout")
    assert student("daemon", "run", "--once").exit_code == 3


def test_status_and_stop(student: Cadenza, queue: TakeQueue) -> None:
    idle = student("daemon", "status")
    assert idle.exit_code == 1
    assert idle.lines[0] == "No daemon is running. `cadenza daemon run` starts one."
    assert student("daemon", "stop").lines == ["No daemon is running."]
    with _daemon(student) as daemon:
        _eventually(lambda: daemon_status(queue.home).pid == daemon.pid)
        running = student("daemon", "status")
        assert running.exit_code == 0
        assert running.lines[0].startswith(f"The daemon is running (pid {daemon.pid}, since 20")
        document = student("daemon", "status", "--json").document
        assert (document["running"], document["pid"]) == (True, daemon.pid)
        assert document["started_at"].endswith("Z")
        assert student("daemon", "status", "-q").lines == [str(daemon.pid)]
        assert student("daemon", "stop", "--json").document == {"stopped": True}
        assert daemon.wait(timeout=20) == 0
    assert student("daemon", "status", "--json").document["running"] is False


def test_status_says_what_the_queue_waits_for(
    cadenza: Cadenza, queue: TakeQueue, clock: Clock
) -> None:
    take = add_take(queue)
    clock.advance(300)
    queue.hold_queue(Hold.NETWORK, "127.0.0.1 refused.")
    lines = cadenza("daemon", "status").lines
    assert lines[1:5] == [
        "1 take unsent (4.3 kB), 0 failed.",
        "The oldest was queued 5 min ago.",
        "Whole queue: waiting for network — 127.0.0.1 refused.",
        "",
    ]
    assert lines[-1].split("  ") == [take.short_id, "4.3 kB", "waiting for network"]
    document = cadenza("daemon", "status", "--json").document
    assert document["unsent"] == [
        {"id": take.id, "kind": "submission", "waits_for": "waiting for network"}
    ]
    assert (document["rate_bytes_per_second"], document["seconds_left"]) == (None, None)


def test_status_reckons_the_time_left_from_the_latest_uploads(
    cadenza: Cadenza, queue: TakeQueue, clock: Clock
) -> None:
    add_take(queue, seed=1)
    first = claimed(queue)
    began = datetime.fromtimestamp(clock.now, UTC)
    sent = replace(
        attempt(first, "video"),
        started_at=began,
        ended_at=began + timedelta(seconds=10),
        bytes_sent=1000,
    )
    queue.delayed(first, Setback("http_503", "Busy."), 0, attempts=[sent])
    add_take(queue, seed=2)
    idle = cadenza("daemon", "status", "--json").document
    assert (idle["rate_bytes_per_second"], idle["seconds_left"]) == (100, None)
    with Instance(queue.home):
        assert "About 1 min left at 100 B/s, as of late." in cadenza("daemon", "status").lines
        assert cadenza("daemon", "status", "--json").document["seconds_left"] == 86
        assert len(cadenza("daemon", "status", "--limit", 1, "--json").document["unsent"]) == 1
        queue.pause()
        assert cadenza("daemon", "status", "--json").document["seconds_left"] is None


def test_a_daemon_that_does_not_stop_is_said(
    cadenza: Cadenza, queue: TakeQueue, monkeypatch: object
) -> None:
    import cadenza_uploader

    cadenza_uploader.__dict__["stop_daemon"] = lambda _home: False
    try:
        with Instance(queue.home):
            answer = cadenza("daemon", "stop")
    finally:
        del cadenza_uploader.__dict__["stop_daemon"]
    assert answer.exit_code == 1
    assert "did not stop in time" in answer.stderr


def test_the_document_is_the_only_output_in_json(student: Cadenza, queue: TakeQueue) -> None:
    with _daemon(student, "--json") as daemon:
        _eventually(lambda: daemon_status(queue.home).pid == daemon.pid)
        daemon.send_signal(signal.SIGINT)
        stdout, stderr = daemon.communicate(timeout=20)
    assert json.loads(stdout)["stopped_by"] == "SIGINT"
    assert stderr == ""
