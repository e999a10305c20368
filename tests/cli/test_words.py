from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_cli import _words

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (250_000_000, "250.0 MB"),
        (3_000_000_000_000, "3.0 TB"),
    ],
)
def test_sizes_are_in_the_units_of_the_limits(size_bytes: int, words: str) -> None:
    assert _words.size(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0:00"), (44.5, "0:45"), (59.6, "1:00"), (180, "3:00")]
)
def test_durations_round_as_the_wire_does(seconds: float, words: str) -> None:
    assert _words.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "just now"),
        (-59, "59 s ago"),
        (-60, "1 min ago"),
        (3599, "in 59 min"),
        (3600, "in 1 h"),
        (-47 * 3600, "47 h ago"),
        (48 * 3600, "in 2 days"),
    ],
)
def test_moments_are_seen_from_now(seconds: float, words: str) -> None:
    assert _words.moment(NOW + timedelta(seconds=seconds), NOW) == words


def test_machine_times_are_utc_without_fractions() -> None:
    berlin = timezone(timedelta(hours=1))
    when = datetime(2026, 11, 20, 18, 4, 5, 999_999, tzinfo=berlin)
    assert _words.utc(when) == "2026-11-20T17:04:05Z"
    assert _words.utc(None) is None


def test_times_for_people_are_those_of_their_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert _words.clock_time(NOW) == "2026-11-20 13:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bar 17", "bar 17"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b]0;owned\x07title", "\ufffd]0;owned\ufffdtitle"),
        ("\u202egnitirw", "\ufffdgnitirw"),
        ("\x9b31m", "\ufffd31m"),
        ("Dvořák, 한국, 👩\u200d🎤", "Dvořák, 한국, 👩\u200d🎤"),
    ],
)
def test_a_title_cannot_steer_the_terminal(text: str, shown: str) -> None:
    assert _words.clean(text) == shown


@given(st.text())
def test_cleaned_text_is_one_line_without_escapes(text: str) -> None:
    shown = _words.clean(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert _words.clean(shown) == shown


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("한국", 4), ("e\u0301", 1)])
def test_width_counts_columns_and_not_characters(text: str, columns: int) -> None:
    assert _words.width(text) == columns


def test_plurals() -> None:
    assert _words.plural(1, "take") == "1 take"
    assert _words.plural(0, "copy", "copies") == "0 copies"
