"""The back-off: never below what the server asked for, never beyond the cap, and spread out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_conformance.decisions import vectors
from cadenza_uploader._backoff import BackoffPolicy
from cadenza_uploader._settings import Timings

CASES = vectors("backoff").cases
REAL = BackoffPolicy()

chances = st.floats(0, 1, exclude_max=True)
hints = st.none() | st.floats(-10, 1e9, allow_nan=False)
policies = st.sampled_from([REAL, Timings.fast().backoff])
times_ms = st.integers(0, 2**60)


def ids(cases: tuple[dict[str, Any], ...]) -> list[str]:
    return [str(case["about"]) for case in cases]


DELAYS = tuple(case for case in CASES if "delay_seconds" in case)
CLAMPS = tuple(case for case in CASES if "due_ms" in case)


def test_every_case_is_one_of_the_two_kinds() -> None:
    assert len(DELAYS) + len(CLAMPS) == len(CASES)
    assert min(len(DELAYS), len(CLAMPS)) >= 8


@pytest.mark.parametrize("case", DELAYS, ids=ids(DELAYS))
def test_a_delay_is_the_one_worked_out_by_hand(case: dict[str, Any]) -> None:
    given_ = case["input"]
    delay = REAL.delay_seconds(
        int(given_["attempts"]),
        hint_seconds=given_.get("hint_seconds"),
        random=lambda: given_["random"],
    )
    assert delay == pytest.approx(case["delay_seconds"])


@pytest.mark.parametrize("case", CLAMPS, ids=ids(CLAMPS))
def test_a_stored_time_is_brought_back_as_worked_out_by_hand(
    case: dict[str, Any],
) -> None:
    given_ = case["input"]
    clamped = REAL.clamp_ms(given_["due_ms"], given_["now_ms"], failed=bool(given_["failed"]))
    assert clamped == case["due_ms"]


@given(policies, st.integers(-5, 10**6), hints, chances)
def test_a_delay_is_at_least_the_hint_and_at_most_the_caps(
    policy: BackoffPolicy, attempts: int, hint: float | None, chance: float
) -> None:
    delay = policy.delay_seconds(attempts, hint_seconds=hint, random=lambda: chance)
    if hint is None or hint < 0:
        assert 0 <= delay < policy.cap_seconds
    else:
        asked = min(hint, policy.hint_cap_seconds)
        assert asked <= delay <= asked + policy.base_seconds


@given(policies, st.integers(1, 60))
def test_the_ceiling_only_grows_and_stops_at_the_cap(policy: BackoffPolicy, attempts: int) -> None:
    ceiling, following = policy.ceiling_seconds(attempts), policy.ceiling_seconds(attempts + 1)
    assert policy.base_seconds <= ceiling <= following <= policy.cap_seconds
    # It doubles until the cap cuts it, so it is worth having.
    assert following in (2 * ceiling, policy.cap_seconds)


@given(st.integers(1, 30))
def test_full_jitter_spreads_over_the_whole_range(attempts: int) -> None:
    low = REAL.delay_seconds(attempts, hint_seconds=None, random=lambda: 0.0)
    high = REAL.delay_seconds(attempts, hint_seconds=None, random=lambda: 0.999)
    assert low == 0
    assert high == pytest.approx(0.999 * REAL.ceiling_seconds(attempts))


@given(policies, times_ms, times_ms, st.booleans())
def test_the_clamp_never_moves_a_time_later_and_bounds_every_wait(
    policy: BackoffPolicy, due_ms: int, now_ms: int, failed: bool
) -> None:
    clamped = policy.clamp_ms(due_ms, now_ms, failed=failed)
    assert clamped <= due_ms
    longest = max(
        policy.cap_seconds,
        policy.hint_cap_seconds + policy.base_seconds,
        *([policy.slow_seconds, policy.exhausted_seconds] if failed else []),
    )
    assert clamped - now_ms <= longest * 1000
    assert policy.clamp_ms(clamped, now_ms, failed=failed) == clamped


@given(policies, st.integers(1, 100), hints, chances, times_ms)
def test_the_clamp_leaves_every_delay_of_our_own_alone(
    policy: BackoffPolicy, attempts: int, hint: float | None, chance: float, now_ms: int
) -> None:
    delay = policy.delay_seconds(attempts, hint_seconds=hint, random=lambda: chance)
    due_ms = now_ms + int(delay * 1000)
    assert policy.clamp_ms(due_ms, now_ms, failed=False) == due_ms
    for pace in (policy.slow_seconds, policy.exhausted_seconds):
        due_ms = now_ms + int(pace * 1000)
        assert policy.clamp_ms(due_ms, now_ms, failed=True) == due_ms
