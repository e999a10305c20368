"""Outcomes and exit codes: pure decisions over takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cadenza_cli._errors import ExitCode
from cadenza_cli._queueing import _SENTENCES
from cadenza_cli._sending import Outcome, exit_code, outcome_of
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.take import FailCode, Hold, Status, Take
from tests.uploader.world import add_take


@pytest.fixture
def take(queue: TakeQueue) -> Take:
    return add_take(queue)


@pytest.mark.parametrize(
    ("hold", "outcome"),
    [
        (Hold.AUTH, Outcome.SIGN_IN),
        (Hold.NETWORK, Outcome.OFFLINE),
        (Hold.CONSTRAINT, Outcome.OFFLINE),
        (Hold.USER, Outcome.PAUSED),
        (Hold.DISK, Outcome.RETRY_LATER),
    ],
)
def test_a_hold_decides_on_the_take_and_on_the_queue(
    take: Take, hold: Hold, outcome: Outcome
) -> None:
    assert outcome_of(replace(take, hold=hold), None) is outcome
    assert outcome_of(take, hold) is outcome


def test_a_cut_connection_is_the_networks_doing(take: Take) -> None:
    assert outcome_of(replace(take, last_error_code="lost"), None) is Outcome.CUT_OFF
    assert outcome_of(replace(take, last_error_code="http_503"), None) is Outcome.RETRY_LATER
    assert exit_code([Outcome.CUT_OFF]) is ExitCode.OFFLINE
    assert exit_code([Outcome.RETRY_LATER]) is ExitCode.SERVER


def test_every_cause_of_failure_has_an_exit_code(take: Take) -> None:
    by_code = {
        code: exit_code([outcome_of(replace(take, status=Status.FAILED, fail_code=code), None)])
        for code in FailCode
    }
    limits = {FailCode.LIMIT_EXCEEDED, FailCode.TOO_LARGE, FailCode.UNSUPPORTED_MEDIA}
    local = {
        FailCode.FILE_UNREADABLE,
        FailCode.LOCAL_FILE_CHANGED,
        FailCode.LOCAL_FILE_MISSING,
        FailCode.POISON,
        FailCode.UNSAFE_PATH,
    }
    for code, exits in by_code.items():
        if code in limits:
            assert exits is ExitCode.LIMITS, code
        elif code in local:
            assert exits is ExitCode.FAILURE, code
        else:
            assert exits is ExitCode.SERVER, code


def test_uploaded_wins_over_any_hold_of_the_queue(take: Take) -> None:
    assert outcome_of(replace(take, status=Status.UPLOADED), Hold.NETWORK) is Outcome.UPLOADED


@pytest.mark.parametrize(
    ("outcomes", "refusals", "code"),
    [
        ([], [], ExitCode.OK),
        ([Outcome.UPLOADED, Outcome.WITH_DAEMON, Outcome.QUEUED, Outcome.PAUSED], [], ExitCode.OK),
        ([Outcome.UPLOADED, Outcome.OFFLINE], [], ExitCode.OFFLINE),
        ([Outcome.OFFLINE, Outcome.REJECTED], [], ExitCode.SERVER),
        ([Outcome.REJECTED, Outcome.FAILED], [], ExitCode.FAILURE),
        ([Outcome.OFFLINE, Outcome.SIGN_IN], [], ExitCode.SIGN_IN),
        ([Outcome.SIGN_IN], [ExitCode.LIMITS], ExitCode.LIMITS),
        ([Outcome.UPLOADED], [ExitCode.FAILURE], ExitCode.FAILURE),
        ([Outcome.OFFLINE], [ExitCode.FAILURE], ExitCode.FAILURE),
    ],
)
def test_the_gravest_of_several_outcomes_is_the_exit_code(
    outcomes: list[Outcome], refusals: list[ExitCode], code: ExitCode
) -> None:
    assert exit_code(outcomes, refusals) is code


def test_every_outcome_has_a_sentence() -> None:
    assert set(_SENTENCES) == set(Outcome)
