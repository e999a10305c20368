"""Journey 10: a demonstration recorded on the tram reaches the thread, and is seen."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.conftest import Person, Studio, eventually


def test_a_reply_recorded_offline_is_sent_read_and_seen(
    studio: Studio, student: Person, teacher: Person, take: Path, tmp_path: Path
) -> None:
    ended = student("upload", take, "--piece", "bach", "--json")
    assert ended.exit_code == 0, ended.stderr
    submission = ended.document["takes"][0]["submission_id"]

    studio.close()
    shown = teacher(
        "reply", submission, "--video", take, "--text", "Like this:", "--measure", 17, "--json"
    )
    assert shown.exit_code == 5, shown.stderr
    (reply,) = shown.document["takes"]
    assert (reply["kind"], reply["outcome"]) == ("message", "offline")
    assert len(teacher.spool()) == 3
    assert "waiting for network" in teacher("queue", "ls").stdout
    assert "Reply" in teacher("explain", reply["id"][:8]).lines[0]

    studio.open()
    with teacher.running("daemon", "run"):
        eventually(lambda: teacher.status(reply["id"]) == "uploaded")
        eventually(lambda: teacher.spool() == [])
    assert teacher("queue", "show", reply["id"], "--json").document["receipt"]["sha256"]

    about = student("submissions", "show", submission, "--json").document
    assert about["unread_count"] == 1
    thread = student("messages", submission, "--json").document["messages"]
    (message,) = thread
    assert message["id"] == reply["id"]
    assert (message["text"], message["measure_number"]) == ("Like this:", 17)
    assert message["thumbnail_s3_key"]
    copy = tmp_path / "demonstration.mp4"
    saved = student("messages", submission, "--download", message["id"][:8], "-o", copy)
    assert saved.exit_code == 0, saved.stderr
    assert copy.read_bytes() == take.read_bytes()

    assert student("submissions", "show", submission, "--json").document["unread_count"] == 0
    assert "seen" in teacher("messages", submission).lines[0]
