"""Facts as values: rounding, warnings, and the way they travel from the probe process."""

import json
import pickle
from dataclasses import replace

import pytest

from cadenza_uploader._media import DamagedMediaError, MediaWarning
from cadenza_uploader._media._errors import MediaError, error_kinds
from cadenza_uploader._media._facts import facts_from_wire, facts_to_wire
from tests.media.test_limits import GOOD


@pytest.mark.parametrize(
    ("duration_ms", "seconds"),
    # Python's round() gives 0, 2 and 2 for the halves; iOS rounds half up (B-29).
    [
        (0, 1),
        (33, 1),
        (499, 1),
        (500, 1),
        (1499, 1),
        (1500, 2),
        (2500, 3),
        (180_010, 180),
        (180_499, 180),
    ],
)
def test_whole_seconds_round_half_up_and_are_never_zero(duration_ms: int, seconds: int) -> None:
    assert replace(GOOD, duration_ms=duration_ms).duration_seconds == seconds


def test_each_warning_is_kept_once() -> None:
    first, again, other = (
        MediaWarning("black", "first"),
        MediaWarning("black", "again"),
        MediaWarning("silent", "other"),
    )

    assert GOOD.warned(first).warned(again, other).warnings == (first, other)


def test_facts_survive_the_way_through_json() -> None:
    facts = GOOD.warned(MediaWarning("black", "Dark."))

    assert facts_from_wire(json.loads(json.dumps(facts_to_wire(facts)))) == facts


@pytest.mark.parametrize(
    "change",
    [{"width": "1280"}, {"duration_ms": None}, {"height": 720.5}, {"colour": "red"}],
)
def test_wrong_types_on_the_way_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        facts_from_wire({**facts_to_wire(GOOD), **change})


def test_missing_field_on_the_way_is_refused() -> None:
    wire = facts_to_wire(GOOD)
    del wire["container"]

    with pytest.raises(TypeError):
        facts_from_wire(wire)


def test_errors_carry_their_sentence_and_survive_pickling() -> None:
    error = DamagedMediaError("truncated", "The end is missing.", measured="5 bytes")

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is DamagedMediaError
    assert str(copy) == copy.sentence == "The end is missing."
    assert (copy.code, copy.measured, copy.retryable) == ("truncated", "5 bytes", False)


def test_every_error_class_can_be_named_on_the_wire() -> None:
    kinds = error_kinds()

    assert kinds["MediaError"] is MediaError
    assert {kind.__name__ for kind in MediaError.__subclasses__()} <= set(kinds)


def test_what_may_pass_later_is_retryable() -> None:
    retryable = {name for name, kind in error_kinds().items() if kind.retryable}

    assert retryable == {"NotFinalisedError", "ProbeTimeoutError", "ProbeUnavailableError"}
