"""A second lane opens on a fast calm line only."""

from cadenza_uploader._lanes import Lanes


def test_a_slow_success_opens_nothing() -> None:
    lanes = Lanes(2)
    lanes.succeeded(50_000_000, 400.0)
    assert lanes.open == 1


def test_a_fast_success_opens_one_and_never_more_than_allowed() -> None:
    lanes = Lanes(2)
    for _ in range(5):
        lanes.succeeded(50_000_000, 5.0)
    assert lanes.open == 2
    assert Lanes(1).open == 1


def test_a_setback_closes_it() -> None:
    lanes = Lanes(2)
    lanes.succeeded(50_000_000, 5.0)
    lanes.set_back()
    assert lanes.open == 1


def test_one_lane_stays_one_lane() -> None:
    lanes = Lanes(1)
    lanes.succeeded(50_000_000, 1.0)
    assert lanes.open == 1
