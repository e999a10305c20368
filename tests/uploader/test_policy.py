"""When the user allows sending."""

import subprocess
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._policy import Policy, Window, is_metered

TIMES = st.times()


@given(start=TIMES, end=TIMES, now=TIMES)
def test_a_window_and_its_complement_share_no_time(start: time, end: time, now: time) -> None:
    if start != end:
        assert Window(start, end).contains(now) != Window(end, start).contains(now)
    else:
        assert Window(start, end).contains(now)


def test_a_window_may_span_midnight() -> None:
    night = Window.parse("22:00-06:30")
    assert night.contains(time(23))
    assert night.contains(time(6, 29))
    assert not night.contains(time(6, 30))
    assert str(night) == "22:00-06:30"


@pytest.mark.parametrize("text", ["", "22-6", "25:00-01:00", "22:00"])
def test_hours_that_are_no_hours_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hour|given"):
        Window.parse(text)


def test_only_a_line_known_to_be_metered_is_refused() -> None:
    careful = Policy(allow_metered=False)
    assert careful.refusal(metered=True, now=time(12)) is not None
    assert careful.refusal(metered=False, now=time(12)) is None
    assert careful.refusal(metered=None, now=time(12)) is None
    assert Policy().refusal(metered=True, now=time(12)) is None
    evening = Policy(window=Window.parse("20:00-23:00"))
    assert "20:00-23:00" in str(evening.refusal(metered=None, now=time(12)))


@pytest.mark.parametrize(
    ("answer", "metered"),
    [("yes (guessed)\nno\n", True), ("no\nunknown\n", False), ("unknown\n", None), ("", None)],
)
def test_network_managers_word_is_read(
    monkeypatch: pytest.MonkeyPatch, answer: str, metered: bool | None
) -> None:
    monkeypatch.setattr("cadenza_uploader._policy.shutil.which", lambda _: "/usr/bin/nmcli")
    done = subprocess.CompletedProcess[str]([], 0, answer, "")
    monkeypatch.setattr("cadenza_uploader._policy.subprocess.run", lambda *_, **__: done)
    assert is_metered() is metered


def test_nobody_to_ask_is_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cadenza_uploader._policy.shutil.which", lambda _: None)
    assert is_metered() is None
    monkeypatch.setattr("cadenza_uploader._policy.shutil.which", lambda _: "/usr/bin/nmcli")

    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("nmcli", 2)

    monkeypatch.setattr("cadenza_uploader._policy.subprocess.run", hang)
    assert is_metered() is None
