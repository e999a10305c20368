"""The conversation about a take, typed at two terminals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cadenza_cli._moments import moment_ms, moment_words, range_words
from tests.cli.conftest import Cadenza, Studio

LETTER = "Slower at bar 17."


@pytest.fixture
def sent(student: Cadenza, studio: Studio, clip: Path) -> str:
    """A take that the teacher can see."""
    ended = student("upload", clip, "--piece", studio.demo.piece_id, "--wait", "--json")
    assert ended.exit_code == 0, ended.stderr
    found: str = ended.document["takes"][0]["submission_id"]
    return found


# ── moments ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0:23", 23_000),
        ("23", 23_000),
        ("1:02.5", 62_500),
        (" 0:23,04 ", 23_040),
        ("179.999", 179_999),
        ("0:00", 0),
        ("0:60", None),
        ("1:2", None),
        ("-1", None),
        ("1:02:03", None),
        ("0:23.4567", None),
        ("٢٣", None),
        ("bar 17", None),
        ("", None),
    ],
)
def test_a_moment_is_written_as_people_write_it(text: str, milliseconds: int | None) -> None:
    assert moment_ms(text) == milliseconds


@pytest.mark.parametrize("milliseconds", [0, 23_000, 23_040, 62_500, 179_999])
def test_a_moment_that_is_shown_can_be_typed(milliseconds: int) -> None:
    assert moment_ms(moment_words(milliseconds)) == milliseconds
    assert range_words(23_000, None) == "0:23"
    assert range_words(23_400, 27_000) == "0:23.4–0:27"


# ── reply, messages ────────────────────────────────────────────────────────────────────────────


def test_a_letter_is_sent_read_and_seen(student: Cadenza, teacher: Cadenza, sent: str) -> None:
    answer = teacher("reply", sent[:8], "--text", LETTER, "--page", 3, "--measure", 17)
    assert (answer.exit_code, answer.stdout) == (
        0,
        f"Sent. It stands in the thread of {sent[:8]}.\n",
    )
    assert "1 unread message" in student("submissions", "show", sent).stdout
    looked = student("messages", sent[:8], "--keep-unread", "--json").document
    assert looked["messages"][0]["read_at"] is None
    shown = student("messages", sent[:8])
    assert "Tessa Moreno" in shown.lines[0]
    assert "new" in shown.lines[0]
    assert "page 3, bar 17" in shown.lines[0]
    assert shown.lines[1] == f"  {LETTER}"
    own = teacher("messages", sent[:8])
    assert "You, " in own.lines[0]
    assert "seen" in own.lines[0]
    assert "unread" not in student("submissions", "show", sent).stdout


def test_a_demonstration_goes_through_the_queue(
    student: Cadenza, teacher: Cadenza, sent: str, clip: Path, tmp_path: Path
) -> None:
    teacher.env["CADENZA_TIMINGS"] = "fast"
    answer = teacher("reply", sent[:8], "--video", clip, "--text", "Like this:", "--wait")
    assert answer.exit_code == 0, answer.stderr
    assert "sent; it stands in the thread." in answer.stdout
    (take,) = teacher("queue", "ls", "--json").document["takes"]
    assert (take["kind"], take["parent_submission_id"]) == ("message", sent)
    assert take["submission_id"] is None
    assert f"reply to {sent[:8]}" in teacher("queue", "ls").stdout
    shown = student("messages", sent)
    assert "[video 0:01]" in shown.stdout
    copy = tmp_path / "copy.mp4"
    saved = student("messages", sent, "--download", take["message_id"][:8], "-o", copy)
    assert saved.exit_code == 0, saved.stderr
    assert copy.read_bytes() == clip.read_bytes()
    again = student("messages", sent, "--download", take["message_id"], "-o", copy)
    assert (again.exit_code, "--force" in again.stderr) == (1, True)


def test_a_demonstration_recorded_offline_is_safe(
    teacher: Cadenza, student: Cadenza, sent: str, studio: Studio, clip: Path
) -> None:
    teacher.env["CADENZA_TIMINGS"] = "fast"
    studio.close()
    answer = teacher("reply", sent, "--video", clip, "--json")
    assert answer.exit_code == 5, answer.stdout
    (take,) = answer.document["takes"]
    assert (take["outcome"], take["kind"], take["status"]) == ("offline", "message", "pending")
    # Without a network a beginning leads nowhere, and text alone has no queue.
    assert teacher("reply", sent[:8], "--video", clip).exit_code == 5
    assert teacher("reply", sent, "--text", LETTER).exit_code == 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--video"),
        (("--text", "  "), "--video"),
        (("--text", "x" * 5001), "5001 characters"),
    ],
)
def test_a_reply_that_says_nothing_or_too_much_is_a_usage_error(
    cadenza: Cadenza, words: tuple[str, ...], says: str
) -> None:
    answer = cadenza("reply", "6f0c1a2b", *words)
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_wait_and_no_daemon_exclude_each_other(cadenza: Cadenza, clip: Path) -> None:
    answer = cadenza("reply", "6f0c1a2b", "--video", clip, "--wait", "--no-daemon")
    assert answer.exit_code == 2


def test_a_thread_nobody_has_written_in_says_how(student: Cadenza, sent: str) -> None:
    assert f"`cadenza reply {sent[:8]}` does." in student("messages", sent).stdout
    unknown = student("messages", sent, "--download", "ffff")
    assert (unknown.exit_code, "No message here begins" in unknown.stderr) == (1, True)


def test_what_was_taken_back_leaves_its_place(
    student: Cadenza, teacher: Cadenza, sent: str
) -> None:
    from cadenza_client import CadenzaClient

    said = teacher("reply", sent, "--text", LETTER, "-q").lines[0]
    with CadenzaClient(teacher.env["CADENZA_URL"], token=_token(teacher), env={}) as client:
        client.messages.edit(said, "Even slower.")
        assert "edited" in student("messages", sent).stdout
        client.messages.delete(said)
    assert student("messages", sent).lines[1] == "  (deleted)"


def _token(person: Cadenza) -> str:
    from cadenza_uploader import CredentialStore

    found = CredentialStore(person.home).load(person.env["CADENZA_URL"])
    assert found is not None
    return found.token


# ── mark, markers ──────────────────────────────────────────────────────────────────────────────


def test_a_moment_is_marked_tried_settled_and_exported(
    student: Cadenza, teacher: Cadenza, sent: str, tmp_path: Path
) -> None:
    answer = teacher("mark", sent[:8], "0:00.5", "You speed up.", "--end", "0:01", "--page", 3)
    assert answer.exit_code == 0, answer.stderr
    assert answer.stdout.startswith("Feedback at 0:00.5–0:01 set: ")
    praise = teacher("mark", sent, "0", "A fine sound.", "--praise", "-q").lines[0]
    rows = student("markers", sent[:8]).lines
    assert [row.split()[1] for row in rows[1:]] == ["0:00", "0:00.5–0:01"]
    assert "★ praise" in rows[1]
    assert "page 3" in rows[2]
    marker = student("markers", sent, "-q").lines[1]
    assert "tried" in student("markers", sent, "--tried", marker[:8]).stdout
    refused = student("markers", sent, "--settle", marker)
    assert refused.exit_code == 6
    settled = teacher("markers", sent, "--settle", marker, "--json").document["markers"][1]
    assert settled["status"] == "settled"
    assert student("markers", sent, "--delete", praise).exit_code == 6
    assert teacher("markers", sent, "--delete", praise, "-q").lines == [marker]
    assert "open" in teacher("markers", sent, "--reopen", marker).stdout

    assert student("markers", sent, "--export", "csv").stdout.count("You speed up.") == 1
    exported = json.loads(student("markers", sent, "--export", "json").stdout)
    assert exported["markers"][0]["timestamp_ms"] == 500
    wrapped: Any = student("markers", sent, "--export", "vtt", "--json").document
    assert wrapped["text"].startswith("WEBVTT")
    file = tmp_path / "take.vtt"
    assert student("markers", sent, "--export", "vtt", "-o", file).stdout == f"{file}\n"
    assert "00:00:00.500 --> 00:00:01.000" in file.read_text()


def test_a_question_makes_the_take_one_to_answer(
    student: Cadenza, teacher: Cadenza, sent: str
) -> None:
    assert "No markers." in student("markers", sent).stdout
    asked = student("mark", sent, "0:00", "Which fingering?", "--question", "--json").document
    assert asked["marker_type"] == "question"
    assert "(question)" in teacher("inbox").stdout
    shown = teacher("submissions", "show", sent).stdout
    assert "1 open question, 1 marker" in shown


def test_a_marker_on_a_messages_video(
    student: Cadenza, teacher: Cadenza, sent: str, clip: Path
) -> None:
    teacher.env["CADENZA_TIMINGS"] = "fast"
    shown = teacher("reply", sent, "--video", clip, "--wait", "--json").document["takes"][0]
    answer = student("mark", sent, "0:00", "This?", "--message", shown["message_id"][:8], "--json")
    assert answer.document["message_id"] == shown["message_id"]
    assert "This?" in teacher("markers", sent).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("half past", "x"),
        ("0:23", " "),
        ("0:23", "x" * 1001),
        ("0:23", "x", "--end", "0:23"),
        ("0:23", "x", "--end", "later"),
        ("0:23", "x", "--question", "--praise"),
    ],
)
def test_a_mark_that_makes_no_sense_is_a_usage_error(
    cadenza: Cadenza, words: tuple[str, ...]
) -> None:
    assert cadenza("mark", "6f0c1a2b", *words).exit_code == 2


def test_a_moment_after_the_end_is_refused_by_the_server(teacher: Cadenza, sent: str) -> None:
    answer = teacher("mark", sent, "2:59", "Too late.")
    assert answer.exit_code == 6
    assert "timestamp_out_of_range" in answer.stderr


def test_a_marker_is_named_by_enough_of_its_id(teacher: Cadenza, sent: str) -> None:
    for _ in range(2):
        teacher("mark", sent, "0:00", "x")
    assert teacher("markers", sent, "--settle", "").exit_code == 1
    assert teacher("markers", sent, "--settle", "0").exit_code == 1


# ── news ───────────────────────────────────────────────────────────────────────────────────────


def test_notifications_are_listed_and_read(student: Cadenza, teacher: Cadenza, sent: str) -> None:
    assert "Nothing" in student("notifications", "--unread").stdout
    teacher("reply", sent, "--text", LETTER)
    shown = student("notifications", "--unread", "--read-all")
    assert "Tessa Moreno" in shown.stdout
    assert "Nothing new." in student("notifications", "--unread").stdout
    (kept,) = student("notifications", "--limit", 1, "--json").document["notifications"]
    assert kept["read_at"] is not None
    assert kept["submission_id"] == sent


def test_events_are_followed(student: Cadenza, teacher: Cadenza, sent: str) -> None:
    teacher("reply", sent, "--text", LETTER)
    followed = student("events", "--after", 0, "--type", "message.*", "--count", 1, "--json")
    assert followed.exit_code == 0, followed.stderr
    (line,) = followed.lines
    event = json.loads(line)
    assert (event["type"], event["data"]["submission_id"]) == ("message.created", sent)
    shown = student("events", "--after", 0, "--count", 2)
    assert len(shown.lines) == 2
    assert sent[:8] in shown.lines[0]
    ids = student("events", "--after", 0, "--count", 1, "-q")
    assert ids.stdout.startswith("evt_")
