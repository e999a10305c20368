"""Journey 7: five takes of three students wait; the teacher hears, reviews, and they know."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.journeys.conftest import Person, Studio


def test_the_inbox_is_worked_through_in_the_order_of_waiting(
    studio: Studio, teacher: Person, people: Callable[[str, str], Person], take: Path
) -> None:
    studio.add_student("mia@example.org", "Mia Lang")
    studio.add_student("noah@example.org", "Noah Weiss")
    sam = people(studio.url, studio.demo["student_email"])
    mia = people(studio.url, "mia@example.org")
    noah = people(studio.url, "noah@example.org")
    for person in (mia, noah):
        assert person("pieces", "add", "Étude").exit_code == 0
    order: list[tuple[Person, str, str]] = [
        (sam, "bach", "first"),
        (mia, "étude", "second"),
        (noah, "étude", "third"),
        (mia, "étude", "fourth"),
        (sam, "bach", "fifth"),
    ]
    sent: list[str] = []
    for person, piece, notes in order:
        ended = person("upload", take, "--piece", piece, "--notes", notes, "--json")
        assert ended.exit_code == 0, ended.stderr
        sent.append(ended.document["takes"][0]["submission_id"])

    items = teacher("inbox", "--json").document["items"]
    assert [item["submission"]["id"] for item in items] == sent
    assert [item["student_name"] for item in items] == [
        "Sam Okafor", "Mia Lang", "Noah Weiss", "Mia Lang", "Sam Okafor",
    ]  # fmt: skip
    assert all(item["submission"]["thumbnail_s3_key"] for item in items)
    waiting = [item["waiting_seconds"] for item in items]
    assert waiting == sorted(waiting, reverse=True)
    told = teacher("inbox")
    assert "47 h" in told.lines[1]
    by_name = {
        one["full_name"]: one["waiting_for_review"]
        for one in teacher("students", "--json").document["students"]
    }
    assert by_name == {"Sam Okafor": 2, "Mia Lang": 2, "Noah Weiss": 1}

    second = sent[1]
    address = teacher("submissions", "open", second[:8], "--print").stdout.strip()
    with urllib.request.urlopen(address, timeout=30) as video:
        assert video.read() == take.read_bytes()

    own = mia("review", second)
    assert own.exit_code == 6
    assert "403" in own.stderr

    assert teacher("review", second[:8]).exit_code == 0
    assert teacher("inbox", "-q").lines == [one for one in sent if one != second]
    reviewed = {
        one["id"]: one["reviewed_at"]
        for one in mia("submissions", "ls", "--json").document["submissions"]
    }
    assert reviewed[second] is not None
    assert reviewed[sent[3]] is None

    assert noah("submissions", "show", second).exit_code == 6
    assert teacher("review", second, "--undo").exit_code == 0
    assert second in teacher("inbox", "-q").lines
