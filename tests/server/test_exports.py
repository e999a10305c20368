"""Markers as files: a player reads the WebVTT, a spreadsheet the CSV, and neither is harmed."""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from uuid import UUID

import pytest

from cadenza_server.clock import wire_time
from cadenza_server.marker_exports import as_csv, as_webvtt, clock_time, harmless
from cadenza_server.schemas_thread import MarkerOut
from tests.server.talk import mark, send_video
from tests.server.world import START, World

_ID = UUID("0d7a4f4e-58a6-4d0f-b1c5-6a2f2b8f9c10")


def marker(**fields: Any) -> MarkerOut:
    values: dict[str, Any] = {
        "id": _ID,
        "submission_id": _ID,
        "message_id": None,
        "author_id": 1,
        "author_name": "Tessa Moreno",
        "timestamp_ms": 23_400,
        "end_ms": None,
        "text": "Keep the bow moving.",
        "marker_type": "feedback",
        "page_number": None,
        "measure_number": None,
        "measure_end": None,
        "status": "open",
        "settled_by_submission_id": None,
        "carried_from_id": None,
        "client_id": None,
        "created_at": START,
        "edited_at": None,
        "is_own": True,
        **fields,
    }
    return MarkerOut(**values)


def cues(text: str) -> list[tuple[str, str, str, str]]:
    """Id, begin, end and payload of each cue, read as WebVTT §6 says."""
    head, *blocks = re.split(r"\n{2,}", text.rstrip("\n"))
    assert head == "WEBVTT"
    found = []
    for block in blocks:
        name, times, payload = block.split("\n", 2)
        begin, end = times.split(" --> ")
        assert re.fullmatch(r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}", begin)
        assert re.fullmatch(r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}", end)
        assert begin < end
        assert "-->" not in payload
        found.append((name, begin, end, payload))
    return found


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


# ── WebVTT ─────────────────────────────────────────────────────────────────────


def test_a_cue_says_when_who_where_and_what() -> None:
    text = as_webvtt([marker(page_number=3, measure_number=17, measure_end=18)], duration_ms=45_000)

    assert text == (
        "WEBVTT\n\n"
        f"{_ID}\n"
        "00:00:23.400 --> 00:00:26.400\n"
        "<v.feedback Tessa Moreno>p. 3, m. 17-18 · Keep the bow moving.\n"
    )


@pytest.mark.parametrize(
    ("at", "end_ms", "duration_ms", "until"),
    [
        (0, None, 45_000, "00:00:03.000"),
        (1000, 4000, 45_000, "00:00:04.000"),
        (44_000, None, 45_000, "00:00:45.000"),
        (45_000, None, 45_000, "00:00:45.001"),  # a cue has to last, however short
    ],
)
def test_how_long_a_cue_is_shown(at: int, end_ms: int | None, duration_ms: int, until: str) -> None:
    [cue] = cues(as_webvtt([marker(timestamp_ms=at, end_ms=end_ms)], duration_ms=duration_ms))

    assert cue[2] == until


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\nb\r\n\r\nc", "a\nb\nc"),
        ("1 --> 2", "1 --&gt; 2"),
        ("<b>bold</b> & more", "&lt;b&gt;bold&lt;/b&gt; &amp; more"),
        ("\u2028x\u2029", "x"),
    ],
)
def test_words_cant_break_out_of_their_cue(text: str, shown: str) -> None:
    [cue] = cues(as_webvtt([marker(text=text)], duration_ms=45_000))

    assert cue[3] == f"<v.feedback Tessa Moreno>{shown}"


def test_a_name_cant_break_out_of_its_voice() -> None:
    name = "Ann\n\n--> <script>"
    [cue] = cues(as_webvtt([marker(author_name=name)], duration_ms=45_000))

    assert cue[3].startswith("<v.feedback Ann --&gt; &lt;script&gt;>")


def test_nothing_marked_is_a_valid_file() -> None:
    assert as_webvtt([], duration_ms=1) == "WEBVTT\n"


def test_times_beyond_the_hour() -> None:
    assert clock_time(3_723_004) == "01:02:03.004"


# ── CSV ────────────────────────────────────────────────────────────────────────


def test_a_row_has_everything() -> None:
    full = marker(end_ms=27_100, page_number=3, measure_number=17, measure_end=18, message_id=_ID)
    [row] = rows(as_csv([full]))

    assert row == {
        "time": "00:00:23.400",
        "end": "00:00:27.100",
        "type": "feedback",
        "status": "open",
        "author": "Tessa Moreno",
        "text": "Keep the bow moving.",
        "page": "3",
        "measure": "17",
        "measure_end": "18",
        "message_id": str(_ID),
        "timestamp_ms": "23400",
        "end_ms": "27100",
        "created_at": wire_time(START),
        "id": str(_ID),
    }
    [bare] = rows(as_csv([marker()]))
    assert bare["end"] == bare["end_ms"] == bare["page"] == bare["message_id"] == ""


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example","click")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "  =1",
        "\n=1",
        "|calc",
        "%0A=1",
    ],
)
def test_a_spreadsheet_calculates_nothing(text: str) -> None:
    [row] = rows(as_csv([marker(text=text, author_name=text)]))

    assert row["text"] == row["author"] == f"'{text}"


@pytest.mark.parametrize("text", ["bar 17", "a = b", "1+1", '„ja“, "so"\n2. Zeile; é', ""])
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert harmless(text) == text
    [row] = rows(as_csv([marker(text=text)]))
    assert row["text"] == text


# ── the routes ─────────────────────────────────────────────────────────────────


def test_a_student_keeps_the_feedback(world: World) -> None:
    take = world.uploaded()
    clip = send_video(world, "teacher", take)
    late = mark(world, "teacher", take, 20_000, "Later")
    soon = mark(world, "teacher", take, 10_000, "Sooner")
    body = {"timestamp_ms": 10, "text": "In the reply"}
    in_reply = world.ask("student", "POST", f"/messages/{clip['id']}/markers", json=body).json()
    gone = mark(world, "teacher", take, 15_000, "Taken back")
    world.ask("teacher", "DELETE", f"/markers/{gone['id']}")
    path = f"/video-submissions/{take}/markers"

    vtt, table, document = (
        world.ask("student", "GET", path + extension) for extension in (".vtt", ".csv", ".json")
    )

    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert [cue[0] for cue in cues(vtt.text)] == [soon["id"], late["id"]]
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    everything = [soon["id"], late["id"], in_reply["id"]]
    assert [row["id"] for row in rows(table.content.decode())] == everything
    assert [one["id"] for one in document.json()["markers"]] == everything
    assert document.json()["duration_ms"] == 45_500
    assert document.json()["context_title"] == "Bourrée"
    for response, extension in ((vtt, "vtt"), (table, "csv"), (document, "json")):
        expected = f'attachment; filename="2026-11-20-markers.{extension}"'
        assert response.headers["content-disposition"] == expected


@pytest.mark.parametrize("extension", ["vtt", "csv", "json"])
def test_who_may_see_the_take_may_keep_its_markers(world: World, extension: str) -> None:
    take = world.uploaded()
    path = f"/video-submissions/{take}/markers.{extension}"

    answers = {
        who: world.ask(who, "GET", path).status_code
        for who in ("student", "teacher", "admin", "other_teacher", "other_student", None)
    }

    assert answers == {
        "student": 200,
        "teacher": 200,
        "admin": 200,
        "other_teacher": 403,
        "other_student": 403,
        None: 401,
    }
