"""Everything this package raises on purpose, one class per decision a caller makes.

::

    CadenzaError
      ConfigError                   nothing was sent: address, token or settings are unusable
      TransportError                no answer; `sent` says how much of the request had left
        ConnectFailedError          no connection; `kind`: dns, refused, unreachable, timeout, tls
          CertificateError          the other side is not who it should be; never retried at once
        RequestTimeoutError         connected, then silence
        ConnectionLostError         connected, then cut
      CancelledUploadError          the caller's cancel() said stop
      APIError                      an answer with a status of 400 or more
        AuthenticationError         401  sign in again
        PermissionDeniedError       403  FeatureDisabledError, QuotaExceededError
        NotFoundError               404  ContextNotFoundError
        ConflictError               409  IdConflictError, AlreadyUploadedError, NotUploadedYetError,
                                         SizeMismatchError, ChecksumMismatchError,
                                         AlreadyReviewedError
        GoneError                   410
        TooLargeError               413
        UnsupportedMediaError       415
        ValidationError             400, 422
        HeldError                   423
        RateLimitError              429
        ServerError                 408, 425, 5xx  StorageUnavailableError
      StorageError                  the storage refused a signed request
        UploadUrlExpiredError       ask for a fresh URL
        ObjectExistsError           412: it is already there; ask the API to confirm
        ChecksumRefusedError        the bytes that arrived are not the announced ones
        StorageRejectedError        the request itself is wrong; repeating it cannot help
        StorageBusyError            not now
      FileChangedError              the file is not the one that was announced
      UnsafeUploadUrlError          not a URL this client sends bytes to (SEC-09)
      WebhookVerificationError      a posted event that is not the server's, or not of now
      ResponseError                 an answer that is not the API's: HTML, broken JSON, a redirect

The text of an error never holds a query string, a token or a header value (SEC-02). Server texts
are scrubbed on the way in. The class for a code comes from `error_codes.json`, which other
implementations may read as well; `retryable` is a fact of the class and means that the same
operation may succeed later without the user changing anything.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, ClassVar, Literal, NamedTuple

from cadenza_client._redact import scrub

__all__ = [
    "APIError",
    "AlreadyReviewedError",
    "AlreadyUploadedError",
    "AuthenticationError",
    "CadenzaError",
    "CancelledUploadError",
    "CertificateError",
    "ChecksumMismatchError",
    "ChecksumRefusedError",
    "ConfigError",
    "ConflictError",
    "ConnectFailedError",
    "ConnectKind",
    "ConnectionLostError",
    "ContextNotFoundError",
    "ErrorCode",
    "FeatureDisabledError",
    "FileChangedError",
    "GoneError",
    "HeldError",
    "IdConflictError",
    "NotFoundError",
    "NotUploadedYetError",
    "ObjectExistsError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "RequestTimeoutError",
    "ResponseError",
    "Sent",
    "ServerError",
    "SizeMismatchError",
    "StorageBusyError",
    "StorageError",
    "StorageRejectedError",
    "StorageUnavailableError",
    "TooLargeError",
    "TransportError",
    "UnsafeUploadUrlError",
    "UnsupportedMediaError",
    "UploadUrlExpiredError",
    "ValidationError",
    "WebhookVerificationError",
    "api_error_class",
    "error_codes",
]

Sent = Literal["nothing", "partial", "all"]
ConnectKind = Literal["dns", "refused", "unreachable", "timeout", "tls"]


class CadenzaError(Exception):
    """Base of everything this package raises on purpose.

    Attributes:
        retryable: whether the same operation may succeed later without the user changing
            anything. A fact of the class; how long to wait is the caller's decision.
    """

    retryable: ClassVar[bool] = False


class ConfigError(CadenzaError):
    """The address, token or settings cannot be used. Nothing was sent."""


# ── no answer ──────────────────────────────────────────────────────────────────────────────────


class TransportError(CadenzaError):
    """No answer came.

    Attributes:
        sent: how much of the request had left this machine. `"all"` means that the outcome is
            unknown: the server may have acted on it.
    """

    retryable = True

    def __init__(self, message: str = "no answer", *, sent: Sent = "nothing") -> None:
        super().__init__(message)
        self.sent: Sent = sent


class ConnectFailedError(TransportError):
    """No connection was made, so nothing was sent.

    Attributes:
        kind: `dns`, `refused`, `unreachable`, `timeout` or `tls`.
    """

    def __init__(
        self, message: str = "no connection", *, kind: ConnectKind = "unreachable"
    ) -> None:
        super().__init__(message, sent="nothing")
        self.kind: ConnectKind = kind


class CertificateError(ConnectFailedError):
    """The certificate is not valid for this host.

    A device with a wrong clock and a captive portal both look like this, so a queue waits; but
    nothing is gained by asking again at once, and checks are never switched off (SEC-10, N18).
    """

    retryable = False

    def __init__(self, message: str = "the certificate is not valid") -> None:
        super().__init__(message, kind="tls")


class RequestTimeoutError(TransportError):
    """The connection stood, but nothing moved on it for too long."""


class ConnectionLostError(TransportError):
    """The connection was cut before the answer."""


class CancelledUploadError(CadenzaError):
    """The caller's `cancel()` said stop; the store keeps nothing of an unfinished request."""


# ── an answer from the API ─────────────────────────────────────────────────────────────────────


class APIError(CadenzaError):
    """The API answered with a status of 400 or more.

    Attributes:
        status_code: HTTP status.
        code: the API's word for it (`error_codes.json`), or None from a v1 server.
        detail: the server's sentence, scrubbed.
        request_id: what to quote when asking the operator.
        fields: facts beside the sentence, for example `{"stored": 1, "announced": 2}`.
        retry_after_seconds: the server's wish, from `Retry-After`; at most one hour.
    """

    usual_status: ClassVar[int] = 400

    def __init__(
        self,
        detail: str = "",
        *,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        fields: Mapping[str, Any] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status_code = self.usual_status if status_code is None else status_code
        self.code = code
        self.detail = scrub(detail) or _sentence(code) or "the server refused the request"
        self.request_id = None if request_id is None else scrub(request_id)
        self.fields: dict[str, Any] = dict(fields or {})
        self.retry_after_seconds = retry_after_seconds
        facts = [f"HTTP {self.status_code}"]
        if code is not None:
            facts.append(scrub(code))
        if self.request_id is not None:
            facts.append(f"request {self.request_id}")
        super().__init__(f"{self.detail} ({', '.join(facts)})")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class AuthenticationError(APIError):
    """The sign-in is missing, wrong or expired."""

    usual_status = 401


class PermissionDeniedError(APIError):
    """This account may not do that."""

    usual_status = 403


class FeatureDisabledError(PermissionDeniedError):
    """The feature is not switched on for this account."""


class QuotaExceededError(PermissionDeniedError):
    """The account has used up its space."""


class NotFoundError(APIError):
    """There is no such thing, or this account may not see it."""

    usual_status = 404


class ContextNotFoundError(NotFoundError):
    """The piece, exercise or practice session does not exist for this student."""


class ConflictError(APIError):
    """The request does not fit the present state."""

    usual_status = 409


class IdConflictError(ConflictError):
    """That id already names something else."""


class AlreadyUploadedError(ConflictError):
    """The video has arrived and was confirmed: go to confirm."""


class NotUploadedYetError(ConflictError):
    """The object is not in the store: send it (again)."""

    retryable = True


class SizeMismatchError(ConflictError):
    """The stored object has another size than announced: send it again."""

    retryable = True


class ChecksumMismatchError(ConflictError):
    """The stored object is not the announced one: check the file, send it again."""

    retryable = True


class AlreadyReviewedError(ConflictError):
    """The teacher has reviewed it; the student cannot delete it any more."""


class GoneError(APIError):
    """It was there once and was removed on purpose."""

    usual_status = 410


class TooLargeError(APIError):
    """Larger than the server takes."""

    usual_status = 413


class UnsupportedMediaError(APIError):
    """Not a kind of file the server takes."""

    usual_status = 415


class ValidationError(APIError):
    """The request is not acceptable as it is."""

    usual_status = 422


class HeldError(APIError):
    """The recording is on hold and may not be deleted."""

    usual_status = 423


class RateLimitError(APIError):
    """Too many requests; `retry_after_seconds` says when to come back."""

    retryable = True
    usual_status = 429


class ServerError(APIError):
    """Not now: a 5xx, or 408 and 425, which ask for the same."""

    retryable = True
    usual_status = 500


class StorageUnavailableError(ServerError):
    """The API cannot reach its store."""

    usual_status = 503


# ── an answer from the storage ─────────────────────────────────────────────────────────────────


class StorageError(CadenzaError):
    """The storage refused a signed request.

    Attributes:
        status_code: HTTP status.
        s3_code: the storage's word (`AccessDenied`, `BadDigest`, `SlowDown`, …) or None.
        request_id: what to quote when asking the operator.
        retry_after_seconds: the storage's wish; at most one hour.
    """

    usual_status: ClassVar[int] = 400

    def __init__(
        self,
        detail: str = "",
        *,
        status_code: int | None = None,
        s3_code: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status_code = self.usual_status if status_code is None else status_code
        self.s3_code = None if s3_code is None else scrub(s3_code)
        self.detail = scrub(detail) or "the storage refused the request"
        self.request_id = None if request_id is None else scrub(request_id)
        self.retry_after_seconds = retry_after_seconds
        facts = [f"HTTP {self.status_code}"]
        if self.s3_code is not None:
            facts.append(self.s3_code)
        if self.request_id is not None:
            facts.append(f"request {self.request_id}")
        super().__init__(f"{self.detail} ({', '.join(facts)})")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class UploadUrlExpiredError(StorageError):
    """The signed URL is not accepted (any more): ask for a fresh one.

    Every 401, 403, 404 and 410 of a store lands here. S3 says 403 for an expired URL, a rotated
    key, a skewed clock and a revoked role alike; a fresh URL cures most of them, and `s3_code`
    tells the rest apart.
    """

    retryable = True
    usual_status = 403


class ObjectExistsError(StorageError):
    """The object is already there (412 to `If-None-Match`): ask the API to confirm it."""

    usual_status = 412


class ChecksumRefusedError(StorageError):
    """The store computed another checksum than the signed one and kept nothing."""

    retryable = True


class StorageRejectedError(StorageError):
    """The request itself is wrong (size, length, method): repeating it cannot help."""


class StorageBusyError(StorageError):
    """Not now: 5xx, SlowDown, RequestTimeout, or a 400 the table does not know."""

    retryable = True
    usual_status = 503


# ── before or beside an answer ─────────────────────────────────────────────────────────────────


class FileChangedError(CadenzaError):
    """The file is not the one that was announced, or it changed while it was being sent."""


class UnsafeUploadUrlError(CadenzaError):
    """The API named a URL this client does not send bytes to (SEC-09, O14)."""


class WebhookVerificationError(CadenzaError):
    """A posted request does not come from the server, or is not of now: believe nothing in it."""


class ResponseError(CadenzaError):
    """An answer came, but not from the API as we know it.

    Attributes:
        captive_portal: it looks like a login page or proxy between here and the server, so
            nothing it says counts.
        status_code: HTTP status, where there was one.
    """

    retryable = True

    def __init__(
        self,
        message: str = "the answer cannot be read",
        *,
        captive_portal: bool = False,
        status_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.captive_portal = captive_portal
        self.status_code = status_code


# ── the shared list ────────────────────────────────────────────────────────────────────────────


class ErrorCode(NamedTuple):
    """One line of `error_codes.json`."""

    code: str
    status: int
    retryable: bool
    error_class: type[APIError]
    sentence: str


@functools.cache
def error_codes() -> Mapping[str, ErrorCode]:
    """The shared code list, by code."""
    text = resources.files("cadenza_client").joinpath("error_codes.json").read_text("utf-8")
    return {
        line["code"]: ErrorCode(
            line["code"],
            line["status"],
            line["retryable"],
            _api_error_named(line["class"]),
            line["sentence"],
        )
        for line in json.loads(text)["codes"]
    }


def api_error_class(status_code: int, code: str | None) -> type[APIError]:
    """The class for an answer: by its code where the list knows it, otherwise by its status."""
    known = error_codes().get(code or "")
    if known is not None:
        return known.error_class
    by_status = _BY_STATUS.get(status_code)
    if by_status is not None:
        return by_status
    # 501 and 505 speak of this client, not of the moment: waiting does not cure them.
    if status_code >= 500 and status_code not in (501, 505):
        return ServerError
    return APIError


_BY_STATUS: Mapping[int, type[APIError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: ServerError,
    409: ConflictError,
    410: GoneError,
    413: TooLargeError,
    415: UnsupportedMediaError,
    422: ValidationError,
    423: HeldError,
    425: ServerError,
    429: RateLimitError,
}


def _api_error_named(name: str) -> type[APIError]:
    found = globals()[name]
    assert isinstance(found, type)
    assert issubclass(found, APIError)
    return found


def _sentence(code: str | None) -> str | None:
    known = error_codes().get(code or "")
    return None if known is None else known.sentence


def _rebuild(
    kind: type[CadenzaError], args: tuple[Any, ...], facts: dict[str, Any]
) -> CadenzaError:
    """Unpickle without running `__init__`, whose keywords pickle does not keep."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error
