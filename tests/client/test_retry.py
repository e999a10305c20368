"""The decision to try again, as a table."""

import itertools
from typing import Any

import pytest

from cadenza_client import errors
from cadenza_client._retry import RetryPolicy, Wait, decide_call, decide_upload
from cadenza_client.errors import CadenzaError

POLICY = RetryPolicy(attempts=3, base_seconds=0.5, cap_seconds=8.0, max_url_refreshes=2)

NOTHING_SENT = errors.ConnectFailedError(kind="refused")
MAYBE_SENT = errors.ConnectionLostError(sent="all")


@pytest.mark.parametrize(
    ("error", "when_idempotent", "otherwise"),
    [
        (NOTHING_SENT, True, True),
        (errors.ConnectFailedError(kind="dns"), True, True),
        (errors.CertificateError(), False, False),
        (MAYBE_SENT, True, False),
        (errors.ConnectionLostError(sent="partial"), True, False),
        (errors.RequestTimeoutError(sent="all"), True, False),
        (errors.RateLimitError(), True, True),
        (errors.ServerError(status_code=503), True, False),
        (errors.StorageUnavailableError(), True, False),
        (errors.ResponseError("garbled"), True, False),
        (errors.ResponseError("portal", captive_portal=True), False, False),
        (errors.AuthenticationError(), False, False),
        (errors.ValidationError(), False, False),
        (errors.NotUploadedYetError(), False, False),
        (errors.SizeMismatchError(), False, False),
        (errors.ConfigError("x"), False, False),
        (ValueError("a bug"), False, False),
        (KeyboardInterrupt(), False, False),
    ],
)
def test_only_what_is_safe_to_repeat_is_repeated(
    error: BaseException, when_idempotent: bool, otherwise: bool
) -> None:
    assert (decide_call(error, 1, idempotent=True, policy=POLICY) is not None) is when_idempotent
    assert (decide_call(error, 1, idempotent=False, policy=POLICY) is not None) is otherwise


def test_the_tries_end() -> None:
    decisions = [decide_call(NOTHING_SENT, n, idempotent=True, policy=POLICY) for n in (1, 2, 3)]
    assert decisions == [Wait(0.0, 0.5), Wait(0.0, 1.0), None]


def test_the_pause_doubles_to_its_cap() -> None:
    policy = RetryPolicy(attempts=10_000)
    spreads = [
        wait.spread_seconds
        for n in (1, 2, 3, 4, 5, 6, 9_999)
        if (wait := decide_call(NOTHING_SENT, n, idempotent=True, policy=policy))
    ]
    assert spreads == [0.5, 1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(None, Wait(0.0, 0.5)), (0.0, Wait(0.0, 0.5)), (2.0, Wait(2.0, 0.5)), (60.0, None)],
)
def test_a_short_wish_is_granted_and_a_long_one_handed_out(
    asked: float | None, wait: Wait | None
) -> None:
    error = errors.RateLimitError(retry_after_seconds=asked)
    assert decide_call(error, 1, idempotent=False, policy=POLICY) == wait


def test_no_retries_means_one_request() -> None:
    assert decide_call(NOTHING_SENT, 1, idempotent=True, policy=RetryPolicy.none()) is None
    expired = errors.UploadUrlExpiredError()
    assert decide_upload(expired, 1, policy=RetryPolicy.none()) is None


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (errors.StorageBusyError(), True),
        (errors.ConnectionLostError(sent="all"), True),
        (errors.RequestTimeoutError(sent="partial"), True),
        (errors.CertificateError(), False),
        (errors.StorageRejectedError(), False),
        (errors.ChecksumRefusedError(), False),
        (errors.FileChangedError("x"), False),
        (errors.CancelledUploadError("x"), False),
        (errors.UnsafeUploadUrlError("x"), False),
        (errors.AuthenticationError(), False),
    ],
)
def test_an_upload_is_repeated_when_the_same_bytes_may_pass(
    error: CadenzaError, again: bool
) -> None:
    assert (decide_upload(error, 1, policy=POLICY) is not None) is again


def test_an_expired_url_is_refreshed_at_once_then_with_a_pause_then_given_up() -> None:
    expired = errors.UploadUrlExpiredError()
    found = [decide_upload(expired, n, policy=POLICY) for n in (1, 2, 3)]
    assert found == [Wait(0.0, 0.0), Wait(0.0, 1.0), None]


def test_uploads_end_as_well() -> None:
    assert decide_upload(errors.StorageBusyError(), 3, policy=POLICY) is None
    busy = errors.StorageBusyError(retry_after_seconds=600)
    assert decide_upload(busy, 1, policy=POLICY) is None


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"base_seconds": -1}, {"cap_seconds": -1}, {"max_url_refreshes": -1}],
)
def test_an_impossible_policy_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"attempts|negative"):
        RetryPolicy(**wrong)


def test_no_error_is_ever_retried_for_ever() -> None:
    kinds = [NOTHING_SENT, MAYBE_SENT, errors.RateLimitError(), errors.UploadUrlExpiredError()]
    for error, idempotent in itertools.product(kinds, (True, False)):
        assert decide_call(error, 50, idempotent=idempotent, policy=POLICY) is None
        assert decide_upload(error, 50, policy=POLICY) is None
