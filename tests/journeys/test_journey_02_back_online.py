"""Journey 2: the network returns, and the daemon brings the take home exactly once."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

from cadenza_uploader import daemon_status
from tests.journeys.conftest import Person, Studio, eventually


def test_the_take_arrives_once_when_the_network_is_back(
    studio: Studio, student: Person, teacher: Person, take: Path
) -> None:
    before = hashlib.sha256(take.read_bytes()).hexdigest()
    studio.close()
    assert student("upload", take, "--piece", "bach", "--notes", "bar 17").exit_code == 5
    (take_id,) = student("queue", "ls", "-q").lines

    with student.running("daemon", "run") as daemon:
        eventually(lambda: daemon_status(student.home).pid == daemon.pid)
        assert student.status(take_id) == "pending"
        studio.open()
        eventually(lambda: student.status(take_id) == "uploaded", seconds=20)
        eventually(lambda: student.spool() == [])
        daemon.send_signal(signal.SIGTERM)
        log, complaints = daemon.communicate(timeout=30)
    assert daemon.returncode == 0
    assert complaints == ""
    assert f"take {take_id[:8]} uploaded" in log

    (submission,) = student("submissions", "ls", "--json").document["submissions"]
    assert submission["notes"] == "bar 17"
    assert submission["media_state"] in ("uploaded", "ready")
    assert submission["thumbnail_s3_key"]

    shown = student("queue", "show", take_id, "--json").document
    assert shown["submission_id"] == submission["id"]
    assert shown["attempts"] == 0
    receipt = shown["receipt"]
    assert (receipt["sha256"], receipt["size_bytes"]) == (before, take.stat().st_size)
    assert receipt["verified"] == "sha256"

    assert hashlib.sha256(take.read_bytes()).hexdigest() == before
    downloaded = take.with_name("from-the-server.mp4")
    assert teacher("submissions", "download", submission["id"], "-o", downloaded).exit_code == 0
    assert hashlib.sha256(downloaded.read_bytes()).hexdigest() == before


def test_a_daemon_sends_what_is_queued_while_it_runs(
    studio: Studio, student: Person, take: Path
) -> None:
    with student.running("daemon", "run") as daemon:
        eventually(lambda: daemon_status(student.home).pid == daemon.pid)
        ended = student("upload", take, "--piece", "bach")
        assert ended.exit_code == 0
        assert "is with the daemon" in ended.lines[1]
        (take_id,) = student("queue", "ls", "-q").lines
        eventually(lambda: student.status(take_id) == "uploaded")
        second = student("daemon", "run")
        assert second.exit_code == 75
        assert f"pid {daemon.pid}" in second.stderr
