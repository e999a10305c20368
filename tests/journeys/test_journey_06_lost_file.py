"""Journey 6: a spooled file has vanished; that take says so and the others go on."""

from __future__ import annotations

from pathlib import Path

from cadenza_uploader import daemon_status
from tests.journeys.conftest import Person, Studio, eventually


def test_a_lost_file_fails_its_own_take_only(studio: Studio, student: Person, take: Path) -> None:
    (lost,) = student("upload", take, "--piece", "bach", "--no-daemon", "-q").lines
    words = ["--exercise", studio.demo["exercise_id"]]
    (other,) = student("upload", take, *words, "--no-daemon", "-q").lines
    (student.home.spool / lost / "video.mp4").unlink()

    with student.running("daemon", "run") as daemon:
        eventually(lambda: daemon_status(student.home).pid == daemon.pid)
        eventually(lambda: student.status(lost) == "failed")
        eventually(lambda: student.status(other) == "uploaded")

    listed = {
        one["id"]: one for one in student("queue", "ls", "--unsent", "--json").document["takes"]
    }
    assert set(listed) == {lost}
    assert listed[lost]["fail_code"] == "local_file_missing"
    assert listed[lost]["needs_user"] is True
    assert "needs you" in student("queue", "ls").stdout

    told = student("explain", lost).stdout
    assert "The local file is gone." in told
    assert f"cadenza queue cancel {lost[:8]}" in told
    doctor = student("doctor")
    assert doctor.exit_code == 1
    assert lost[:8] in doctor.stdout

    assert student("queue", "cancel", lost, "--yes").exit_code == 0
    assert student("queue", "ls", "--unsent", "-q").lines == []
    assert len(student("submissions", "ls", "-q").lines) == 1
    assert take.exists()
