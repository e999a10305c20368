"""Journey 8: the teacher points at a moment, and the student finds that very moment."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.conftest import Person


def test_words_at_a_moment_reach_the_student(
    student: Person, teacher: Person, take: Path, tmp_path: Path
) -> None:
    ended = student("upload", take, "--piece", "bach", "--notes", "bar 17", "--json")
    assert ended.exit_code == 0, ended.stderr
    submission = ended.document["takes"][0]["submission_id"]

    said = teacher(
        "mark", submission[:8], "0:01.4", "You speed up.", "--end", "0:02.1",
        "--page", 3, "--measure", 17, "--json",
    )  # fmt: skip
    assert said.exit_code == 0, said.stderr
    marker = said.document
    assert (marker["marker_type"], marker["status"]) == ("feedback", "open")

    told = student("notifications", "--unread", "--json").document["notifications"]
    assert [one["submission_id"] for one in told] == [submission]
    (found,) = student("markers", submission, "--json").document["markers"]
    assert found["id"] == marker["id"]
    # A frame lasts 33 ms: to the millisecond is to the frame.
    assert (found["timestamp_ms"], found["end_ms"]) == (1400, 2100)
    assert (found["page_number"], found["measure_number"]) == (3, 17)
    assert "1 marker" in student("submissions", "show", submission).stdout

    file = tmp_path / "take.vtt"
    assert student("markers", submission, "--export", "vtt", "-o", file).exit_code == 0
    assert "00:00:01.400 --> 00:00:02.100" in file.read_text("utf-8")

    assert student("markers", submission, "--tried", marker["id"][:8]).exit_code == 0
    assert student("markers", submission, "--settle", marker["id"]).exit_code == 6
    settled = teacher("markers", submission, "--settle", marker["id"], "--json").document
    assert settled["markers"][0]["status"] == "settled"
