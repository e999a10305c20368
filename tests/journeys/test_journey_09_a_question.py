"""Journey 9: the student asks at a moment of her own take, and it goes before all that waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.journeys.conftest import Person, Studio


def test_a_question_jumps_the_queue_and_is_its_authors(
    studio: Studio,
    student: Person,
    teacher: Person,
    people: Callable[[str, str], Person],
    take: Path,
) -> None:
    studio.add_student("mia@example.org", "Mia Lang")
    mia = people(studio.url, "mia@example.org")
    assert mia("pieces", "add", "Étude").exit_code == 0
    sent: list[str] = []
    for person, piece, notes in ((student, "bach", "first"), (mia, "étude", "second")):
        ended = person("upload", take, "--piece", piece, "--notes", notes, "--json")
        assert ended.exit_code == 0, ended.stderr
        sent.append(ended.document["takes"][0]["submission_id"])
    assert teacher("inbox", "-q").lines == sent

    asked = mia("mark", sent[1], "0:01", "Which fingering here?", "--question", "--json")
    assert asked.exit_code == 0, asked.stderr
    question = asked.document
    assert question["marker_type"] == "question"
    assert teacher("inbox", "-q").lines == [sent[1], sent[0]]
    first = teacher("inbox").lines[1]
    assert "Mia Lang (question)" in first
    assert "◆ question" in teacher("markers", sent[1]).stdout

    stranger = student("markers", sent[1])
    assert stranger.exit_code == 6
    assert "403" in stranger.stderr
    assert student("mark", sent[1], "0:01", "Me too!", "--question").exit_code == 6
    assert teacher("markers", sent[1], "--delete", question["id"]).exit_code == 6
    assert mia("mark", sent[1], "0:02", "Well done, me.", "--praise").exit_code == 6

    assert teacher("markers", sent[1], "--settle", question["id"]).exit_code == 0
    assert teacher("inbox", "-q").lines == sent, "answered, it waits like the others"
    assert mia("markers", sent[1], "--delete", question["id"], "-q").lines == []
