"""The decision to try again within one call, as a pure function.

This is the layer of seconds (80-style §3.14): a few quick tries that hide a dropped connection or
a restarting server. The layer of minutes and days belongs to the uploader's queue, which reads
`retryable` and `retry_after_seconds` from the error that comes out of here. tenacity does the
waiting, in the engines; what is decided is decided here, without a clock and without chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cadenza_client.errors import (
    APIError,
    CertificateError,
    RateLimitError,
    ResponseError,
    ServerError,
    StorageBusyError,
    StorageError,
    TransportError,
    UploadUrlExpiredError,
)

__all__ = [
    "Decide",
    "RetryPolicy",
    "Wait",
    "decide_call",
    "decide_upload",
]


@dataclass(frozen=True)
class RetryPolicy:
    """How long one call may go on trying by itself.

    Attributes:
        attempts: requests in all; 1 switches retries off.
        base_seconds: the first pause is between nothing and this; it doubles each time.
        cap_seconds: the longest pause. A `Retry-After` beyond it is not waited for here: the error
            is raised, with the number on it.
        max_url_refreshes: how often `submissions.upload` asks for a fresh URL in one call.
    """

    attempts: int = 3
    base_seconds: float = 0.5
    cap_seconds: float = 8.0
    max_url_refreshes: int = 2

    def __post_init__(self) -> None:
        """Refuse a policy that could not make a single request."""
        if self.attempts < 1:
            raise ValueError("attempts must be at least 1")
        if min(self.base_seconds, self.cap_seconds, self.max_url_refreshes) < 0:
            raise ValueError("pauses and refreshes cannot be negative")

    @classmethod
    def none(cls) -> RetryPolicy:
        """One request, no retries: for a caller with a schedule of its own."""
        return cls(attempts=1, max_url_refreshes=0)


@dataclass(frozen=True)
class Wait:
    """Try again, after `least_seconds` plus a random part of `spread_seconds` (full jitter)."""

    least_seconds: float
    spread_seconds: float


Decide = Callable[[BaseException, int], "Wait | None"]
"""(what went wrong, how many tries so far) → how to wait, or None to give up."""


def decide_call(
    error: BaseException, attempt: int, *, idempotent: bool, policy: RetryPolicy
) -> Wait | None:
    """Whether to send one API request again.

    A request that never left may always be sent again. One that may have reached the server is
    repeated only if it is idempotent; one that was turned away at the door (429) always may be.
    """
    if attempt >= policy.attempts:
        return None
    if isinstance(error, CertificateError):
        return None
    if isinstance(error, TransportError):
        return _pause(attempt, policy) if idempotent or error.sent == "nothing" else None
    if isinstance(error, RateLimitError) or (idempotent and isinstance(error, ServerError)):
        return _pause(attempt, policy, error)
    # A captive portal does not go away within seconds; a garbled answer may.
    if isinstance(error, ResponseError) and idempotent and not error.captive_portal:
        return _pause(attempt, policy)
    return None


def decide_upload(error: BaseException, attempt: int, *, policy: RetryPolicy) -> Wait | None:
    """Whether to sign and send an object once more (M-11).

    The same key takes the same bytes again, so a lost answer is simply repeated; every try has
    its own fresh URL (B-25).
    """
    if isinstance(error, UploadUrlExpiredError):
        # The first refresh is free of waiting: the URL was old. A fresh URL that is refused as
        # well is a fault of the signer, and hurrying does not help.
        if attempt > policy.max_url_refreshes:
            return None
        return Wait(0.0, 0.0) if attempt == 1 else _pause(attempt, policy, error)
    if attempt >= policy.attempts:
        return None
    if isinstance(error, CertificateError):
        return None
    if isinstance(error, TransportError):
        return _pause(attempt, policy)
    if isinstance(error, StorageBusyError):
        return _pause(attempt, policy, error)
    return None


def _pause(
    attempt: int, policy: RetryPolicy, error: APIError | StorageError | None = None
) -> Wait | None:
    spread = min(policy.cap_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 60))
    asked = None if error is None else error.retry_after_seconds
    if asked is None:
        return Wait(0.0, spread)
    return None if asked > policy.cap_seconds else Wait(asked, spread)
