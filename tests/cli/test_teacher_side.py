"""Submissions, inbox, students, review, pieces, teacher: over a real server."""

from __future__ import annotations

import http.client
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from cadenza_cli._submissions import state_words
from cadenza_client.models import Submission
from cadenza_server import admin
from tests.cli.conftest import Cadenza, Studio

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def sent(student: Cadenza, studio: Studio, clip: Path) -> str:
    """The id of one uploaded take, with words that would steer a terminal."""
    words = ["--piece", studio.demo.piece_id, "--page", 1, "--measure", 17]
    answer = student("upload", clip, *words, "--notes", "the \x1b[31m shift", "-q")
    assert answer.exit_code == 0
    return answer.lines[0]


def test_the_inbox_shows_who_waits_and_how_long_is_left(teacher: Cadenza, sent: str) -> None:
    answer = teacher("inbox")
    header, row = answer.lines
    assert header.split() == ["ID", "STUDENT", "LENGTH", "WAITING", "LEFT", "ABOUT", "NOTES"]
    assert row.startswith(f"{sent[:8]}  Sam Okafor  0:01")
    assert "page 1, bar 17" in row
    assert "the \ufffd[31m shift" in row
    document = teacher("inbox", "--json").document
    (item,) = document["items"]
    assert set(item) == {
        "submission", "student_name", "waiting_seconds", "has_question", "due_at",
    }  # fmt: skip
    assert item["due_at"].endswith("Z")
    assert item["submission"]["id"] == sent
    assert "thumbnail_url" not in item["submission"]
    assert teacher("inbox", "-q").lines == [sent]


@pytest.mark.parametrize(("hours", "words"), [(1.0, "46 h"), (44.0, "3 h"), (60.5, "12 h late")])
def test_time_left_counts_down_and_then_up(
    teacher: Cadenza, sent: str, hours: float, words: str
) -> None:
    import time

    teacher.clock.now = time.time() + hours * 3600
    assert words in teacher("inbox").lines[1]


def test_an_empty_inbox(teacher: Cadenza) -> None:
    assert teacher("inbox").stdout == "Nothing waits for you.\n"


def test_a_sort_that_is_none(teacher: Cadenza) -> None:
    assert teacher("inbox", "--sort", "mood").exit_code == 2
    assert teacher("inbox", "--sort", "student").exit_code == 0


def test_review_by_short_id_and_back(teacher: Cadenza, student: Cadenza, sent: str) -> None:
    assert teacher("review", sent[:8]).stdout == f"{sent[:8]} reviewed.\n"
    assert teacher("inbox", "-q").lines == []
    assert "reviewed" in student("submissions", "ls").lines[1]
    assert student("submissions", "ls", "--unreviewed", "-q").lines == []
    undone = teacher("review", sent, "--undo", "--json").document
    assert (undone["id"], undone["reviewed_at"]) == (sent, None)
    assert teacher("inbox", "-q").lines == [sent]


def test_a_student_may_not_review_her_own_take(student: Cadenza, sent: str) -> None:
    answer = student("review", sent)
    assert answer.exit_code == 6
    assert "cadenza whoami" in answer.stderr


def test_students_and_what_waits_of_each(teacher: Cadenza, studio: Studio, sent: str) -> None:
    other = studio.add_student("mia@example.org", "Mia Lang")
    rows = teacher("students").lines
    assert rows[0].split() == ["ID", "NAME", "E-MAIL", "WAITING"]
    assert sorted(row.split()[-1] for row in rows[1:]) == ["0", "1"]
    document = teacher("students", "--json").document
    by_id = {one["id"]: one["waiting_for_review"] for one in document["students"]}
    assert by_id == {studio.demo.student_id: 1, other: 0}
    assert str(other) in teacher("students", "-q").lines


def test_submissions_of_a_student_as_the_teacher_sees_them(
    teacher: Cadenza, studio: Studio, sent: str
) -> None:
    words = ["submissions", "ls", "--student", studio.demo.student_id]
    assert teacher(*words, "-q").lines == [sent]
    assert teacher(*words, "--unreviewed", "-q").lines == [sent]
    assert teacher(*words, "--exercise", studio.demo.exercise_id).stdout == "No submissions.\n"
    assert teacher(*words, "--exercise", "nonsense").exit_code == 2


def test_submissions_of_ones_own(student: Cadenza, studio: Studio, sent: str) -> None:
    header, row = student("submissions", "ls", "--piece", "bourrée").lines
    assert header.split() == ["ID", "RECORDED", "LENGTH", "STATE", "ABOUT", "NOTES"]
    assert "waiting for review" in row
    assert "Bach" in row
    (document,) = student("submissions", "ls", "--json").document["submissions"]
    assert document["id"] == sent
    assert document["media_state"] in ("uploaded", "ready")
    assert document["created_at"].endswith("Z")
    assert "." not in document["created_at"]
    assert "thumbnail_url" not in document


def test_show_tells_of_one_submission_and_its_trail(student: Cadenza, sent: str) -> None:
    answer = student("submissions", "show", sent[:6])
    assert sent in answer.stdout
    assert "\x1b" not in answer.stdout
    assert "confirmed" in answer.stdout
    document = student("submissions", "show", sent, "--json").document
    assert {"created", "confirmed"} <= {event["event"] for event in document["events"]}
    assert set(document["events"][0]) == {"at", "event", "actor_id", "data"}
    assert student("submissions", "show", sent, "-q").lines == [sent]


def test_show_of_a_reviewed_one(student: Cadenza, teacher: Cadenza, sent: str) -> None:
    teacher("review", sent)
    assert "reviewed:" in student("submissions", "show", sent).stdout


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("abc", "too short"),
        ("ffffffff", "No submission you may see begins with ffffffff"),
    ],
)
def test_a_submission_that_is_not_found(student: Cadenza, sent: str, ref: str, words: str) -> None:
    answer = student("submissions", "show", ref)
    assert answer.exit_code == 1
    assert words in answer.stderr


def test_a_beginning_that_several_share(student: Cadenza, monkeypatch: pytest.MonkeyPatch) -> None:
    from cadenza_cli import _submissions

    monkeypatch.setattr(_submissions, "_visible_ids", lambda _client: ["abcd1", "abcd2"])
    answer = student("submissions", "show", "abcd")
    assert answer.exit_code == 1
    assert "Give more of the id." in answer.stderr


def test_open_hands_the_address_to_the_browser_without_showing_it(
    student: Cadenza, sent: str
) -> None:
    locations: list[str] = []

    def browse(address: str) -> bool:
        def visit() -> None:
            parts = urlsplit(address)
            connection = http.client.HTTPConnection(parts.netloc, timeout=10)
            connection.request("GET", parts.path)
            locations.append(connection.getresponse().headers["Location"])

        visitor.append(threading.Thread(target=visit))
        visitor[0].start()
        student.opened.append(address)
        return True

    visitor: list[threading.Thread] = []
    student.browser = browse
    answer = student("submissions", "open", sent[:8])
    visitor[0].join()
    assert answer.stdout == "Opened in the browser.\n"
    assert "sig" in locations[0]
    assert "sig" not in student.opened[0]
    assert locations[0] not in answer.stdout + answer.stderr


def test_open_without_a_browser_names_the_other_ways(student: Cadenza, sent: str) -> None:
    student.browser = lambda _address: False
    answer = student("submissions", "open", sent)
    assert answer.exit_code == 1
    assert "download" in answer.stderr
    assert "--print" in answer.stderr


def test_open_prints_the_address_only_when_asked(student: Cadenza, sent: str, clip: Path) -> None:
    import urllib.request

    address = student("submissions", "open", sent, "--print").stdout.strip()
    with urllib.request.urlopen(address, timeout=10) as video:
        assert video.read() == clip.read_bytes()
    document = student("submissions", "open", sent, "--print", "--json").document
    assert set(document) == {"id", "video_url", "expires_in"}
    assert student.opened == []


def test_download_writes_the_very_bytes(
    student: Cadenza, sent: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = student("submissions", "download", sent[:8])
    assert (tmp_path / f"take-{sent[:8]}.mp4").read_bytes() == clip.read_bytes()
    assert answer.stdout.startswith(f"take-{sent[:8]}.mp4 (")
    again = student("submissions", "download", sent[:8])
    assert again.exit_code == 1
    assert "--force" in again.stderr
    document = student("submissions", "download", sent[:8], "--force", "--json").document
    assert document["size_bytes"] == clip.stat().st_size
    assert student("submissions", "download", sent, "-o", "b.mp4", "-q").lines == ["b.mp4"]


def test_another_students_take_is_not_there(cadenza: Cadenza, studio: Studio, sent: str) -> None:
    studio.add_student("mia@example.org", "Mia Lang")
    cadenza.env["CADENZA_URL"] = studio.url
    cadenza("login", "--dev", "--email", "mia@example.org")
    answer = cadenza("submissions", "show", sent)
    assert answer.exit_code == 6


# ── pieces and the teacher ─────────────────────────────────────────────────────────────────────


def test_pieces_are_listed_added_and_known_by_name(student: Cadenza, studio: Studio) -> None:
    assert str(studio.demo.piece_id) in student("pieces", "ls", "-q").lines
    added = student("pieces", "add", "Kol Nidrei", "--json").document
    assert added["title"] == "Kol Nidrei"
    assert "Kol Nidrei" in student("pieces", "ls").stdout
    assert {piece["title"] for piece in student("pieces", "ls", "--json").document["pieces"]} == {
        "Kol Nidrei",
        studio.demo.piece_title,
    }
    assert student("submissions", "ls", "--piece", "nidrei").exit_code == 0
    assert student("pieces", "add", "Suite No. 1").stdout.endswith("Suite No. 1\n")


def test_a_new_account_has_no_pieces(cadenza: Cadenza, studio: Studio) -> None:
    studio.add_student("mia@example.org", "Mia Lang")
    cadenza.env["CADENZA_URL"] = studio.url
    cadenza("login", "--dev", "--email", "mia@example.org")
    assert cadenza("pieces", "ls").stdout.startswith("No pieces yet:")


def test_the_teacher_is_shown_left_and_named_again(student: Cadenza, studio: Studio) -> None:
    assert student("teacher", "show").stdout == "Tessa Moreno <teacher@demo.example>\n"
    assert student("teacher", "remove").stdout == "You have no teacher now.\n"
    assert student("teacher", "show").stdout.startswith("No teacher yet:")
    named = student("teacher", "set", studio.demo.teacher_email, "--json").document
    assert named["teacher"]["id"] == studio.demo.teacher_id
    assert student("teacher", "show", "-q").lines == [studio.demo.teacher_email]
    assert student("teacher", "set", "nobody@example.org").exit_code == 6


def test_commands_that_need_the_server_need_a_sign_in(cadenza: Cadenza) -> None:
    for words in (
        ["inbox"], ["students"], ["review", "abcd"], ["submissions", "ls"],
        ["submissions", "show", "abcd"], ["submissions", "open", "abcd"],
        ["submissions", "download", "abcd"], ["pieces", "ls"], ["pieces", "add", "x"],
        ["teacher", "show"], ["queue", "reconcile"],
    ):  # fmt: skip
        assert cadenza(*words).exit_code == 3, words


def test_a_teacher_without_students_is_told_how_they_come(cadenza: Cadenza, studio: Studio) -> None:
    admin.add_user(studio.settings, email="new@example.org", role="teacher")
    cadenza.env["CADENZA_URL"] = studio.url
    cadenza("login", "--dev", "--email", "new@example.org")
    assert cadenza("students").stdout.startswith("No students yet.")
    assert cadenza("submissions", "show", "abcd1234").exit_code == 1


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"media_state": "awaiting_upload"}, "on its way"),
        ({"media_state": None}, "waiting for review"),
        ({"media_state": "invalid"}, "invalid"),
        ({"media_state": "ready", "reviewed_at": NOW}, "reviewed"),
        ({"media_state": "ready", "reviewed_at": NOW, "is_mastered": True}, "mastered"),
    ],
)
def test_every_state_of_a_submission_has_words(facts: dict[str, Any], words: str) -> None:
    submission = Submission(
        id=UUID(int=1), user_id=1, s3_key="k", duration_seconds=5, created_at=NOW, **facts
    )
    assert state_words(submission) == words


def test_a_server_that_promises_nothing_shows_no_time_left() -> None:
    from cadenza_cli.review import _time_left

    assert _time_left(None, NOW) == ""


def test_the_browser_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    import webbrowser

    from cadenza_cli._run import World

    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))  # type: ignore[func-returns-value]  # None on purpose
    assert World().open_browser("http://127.0.0.1:1/x")
    assert opened == ["http://127.0.0.1:1/x"]
