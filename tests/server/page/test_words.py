"""The page's words for time, place and people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cadenza_server.page import words

NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1 min"),
        (59, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
    ],
)
def test_a_wait_is_said_in_one_unit(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (120, "2 min ago"), (7200, "2 h ago"), (86_400 * 17, "3 Nov 2026")],
)
def test_a_moment_is_near_or_a_date(seconds: float, said: str) -> None:
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == said


def test_a_promise_is_kept_or_late() -> None:
    assert words.until(NOW + timedelta(hours=2), NOW) == "2 h left"
    assert words.until(NOW - timedelta(minutes=5), NOW) == "5 min late"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ((None, None, None), ""),
        ((3, None, None), "p. 3"),
        ((3, 17, None), "p. 3, bar 17"),
        ((None, 17, 17), "bar 17"),
        ((3, 17, 20), "p. 3, bars 17–20"),
    ],
)
def test_a_place_in_the_score(where: tuple[int | None, int | None, int | None], said: str) -> None:
    assert words.place(*where) == said


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Sam Okafor", "SO"), ("Mina", "M"), ("Anna de la Cruz", "AC"), ("<b> x", "X"), ("!!", "")],
)
def test_initials(name: str, letters: str) -> None:
    assert words.initials(name) == letters


def test_length_and_number() -> None:
    assert (words.clock(45), words.clock(171)) == ("0:45", "2:51")
    assert words.plural(1, "take") == "1 take"
    assert words.plural(2, "reply", "replies") == "2 replies"
