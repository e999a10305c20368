"""Whatever a step raises becomes one answer for the table, and no secret comes along."""

import errno
import inspect
import os
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_client import errors as e
from cadenza_uploader._classify import Action, Answer, Party, Step, classify
from cadenza_uploader._faults import WORLD, Fault, fault_from
from cadenza_uploader._spool import ChangedFileError, UnsafePathError
from cadenza_uploader._states import FailCode, Hold

STEPS: tuple[Step, ...] = get_args(Step)
PARTIES: tuple[Party, ...] = ("api", "storage")

#: One of each class the client may raise in a step, and what the table is to read: who answered,
#: with which status and code.
_CASES: list[tuple[BaseException, Step, Party, int | None, str | None]] = [
    (e.CadenzaError("could not be written"), "create", "api", None, "malformed"),
    (e.ConfigError("no header carries it"), "urls", "local", None, "unusable_sign_in"),
    (e.TransportError(), "urls", "api", None, "lost"),
    (e.ConnectFailedError(kind="dns"), "create", "api", None, "offline"),
    (e.ConnectFailedError(kind="refused"), "video", "storage", None, "unreachable"),
    (e.CertificateError(), "create", "api", None, "certificate"),
    (e.CertificateError(), "video", "storage", None, "certificate"),
    (e.RequestTimeoutError(), "confirm", "api", None, "timeout"),
    (e.ConnectionLostError(), "video", "storage", None, "lost"),
    (e.APIError(status_code=418), "create", "api", 418, None),
    (e.AuthenticationError(code="unauthorized"), "urls", "api", 401, "unauthorized"),
    (e.PermissionDeniedError(code="forbidden"), "urls", "api", 403, "forbidden"),
    (e.FeatureDisabledError(code="feature_disabled"), "create", "api", 403, "feature_disabled"),
    (e.QuotaExceededError(code="quota_exceeded"), "create", "api", 403, "quota_exceeded"),
    (e.NotFoundError(code="not_found"), "confirm", "api", 404, "not_found"),
    (e.ContextNotFoundError(code="context_not_found"), "create", "api", 404, "context_not_found"),
    (e.ConflictError(), "create", "api", 409, None),
    (e.IdConflictError(code="id_conflict"), "create", "api", 409, "id_conflict"),
    (e.AlreadyUploadedError(code="already_uploaded"), "urls", "api", 409, "already_uploaded"),
    (e.NotUploadedYetError(code="not_uploaded_yet"), "confirm", "api", 409, "not_uploaded_yet"),
    (e.SizeMismatchError(code="size_mismatch"), "confirm", "api", 409, "size_mismatch"),
    (e.ChecksumMismatchError(code="checksum_mismatch"), "confirm", "api", 409, "checksum_mismatch"),
    (e.AlreadyReviewedError(code="already_reviewed"), "urls", "api", 409, "already_reviewed"),
    (e.GoneError(code="submission_deleted"), "urls", "api", 410, "submission_deleted"),
    (e.TooLargeError(code="too_large"), "confirm", "api", 413, "too_large"),
    (e.UnsupportedMediaError(), "confirm", "api", 415, None),
    (e.ValidationError(code="invalid"), "create", "api", 422, "invalid"),
    (e.HeldError(), "urls", "api", 423, None),
    (e.RateLimitError(), "create", "api", 429, None),
    (e.ServerError(), "confirm", "api", 500, None),
    (e.StorageUnavailableError(), "urls", "api", 503, None),
    (e.StorageError(s3_code="Odd"), "video", "storage", 400, "Odd"),
    (e.UploadUrlExpiredError(s3_code="AccessDenied"), "video", "storage", 403, "AccessDenied"),
    (e.ObjectExistsError(), "thumbnail", "storage", 412, None),
    (e.ChecksumRefusedError(s3_code="BadDigest"), "video", "storage", 400, "BadDigest"),
    (e.StorageRejectedError(s3_code="EntityTooLarge"), "video", "storage", 400, "EntityTooLarge"),
    (e.StorageBusyError(s3_code="SlowDown"), "video", "storage", 503, "SlowDown"),
    (e.FileChangedError("other size"), "video", "local", None, "local_file_changed"),
    (e.UnsafeUploadUrlError("no"), "video", "local", None, "unsafe_upload_url"),
    (e.ResponseError(), "create", "api", None, "malformed"),
    (e.ResponseError(captive_portal=True), "video", "storage", None, "portal"),
    (ChangedFileError("changed"), "create", "local", None, "local_file_changed"),
    (UnsafePathError("a link"), "video", "local", None, "unsafe_path"),
    (FileNotFoundError(errno.ENOENT, "No such file"), "video", "local", None, "local_file_missing"),
    (PermissionError(errno.EACCES, "Permission denied"), "video", "local", None, "file_unreadable"),
    (OSError(errno.EIO, "Input/output error"), "video", "local", None, "file_unreadable"),
    (OSError(errno.EMFILE, "Too many open files"), "video", "local", None, "device_busy"),
    (OSError(errno.ENFILE, "Too many open files"), "video", "local", None, "device_busy"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "video", "local", None, "device_busy"),
    (BlockingIOError(errno.EAGAIN, "Resource unavailable"), "video", "local", None, "device_busy"),
    (OSError("odd"), "video", "local", None, "file_unreadable"),
]  # fmt: skip
CASES = [
    (error, step, Answer(party, step, status, code)) for error, step, party, status, code in _CASES
]


def party_of(step: Step) -> Party:
    return "storage" if step in ("video", "thumbnail") else "api"


def described(error: BaseException, step: Step) -> Fault:
    return fault_from(error, step, party_of(step))


@pytest.mark.parametrize(
    ("error", "step", "answer"), CASES, ids=[f"{type(c[0]).__name__} at {c[1]}" for c in CASES]
)
def test_an_error_becomes_its_answer(error: BaseException, step: Step, answer: Answer) -> None:
    fault = described(error, step)
    assert fault.answer == answer
    assert fault.sentence


def test_no_class_of_the_client_was_forgotten() -> None:
    known = {
        value
        for _, value in inspect.getmembers(e, inspect.isclass)
        if issubclass(value, e.CadenzaError)
    }
    tested = {type(error) for error, _, _ in CASES}
    # A cancel is the caller's own word and ends the claim before anything is described; webhooks
    # are no part of a claim.
    assert known - tested == {e.CancelledUploadError, e.WebhookVerificationError}
    assert all(isinstance(error, WORLD) for error, _, _ in CASES)


@pytest.mark.parametrize(("error", "step", "answer"), CASES)
def test_what_the_client_calls_retryable_never_fails_at_first(
    error: BaseException, step: Step, answer: Answer
) -> None:
    if isinstance(error, e.CadenzaError) and error.retryable:
        assert classify(answer).action is not Action.FAIL


@pytest.mark.parametrize(
    ("sent", "arrived"), [("nothing", False), ("partial", True), ("all", True)]
)
def test_a_request_that_left_may_have_arrived(sent: e.Sent, arrived: bool) -> None:
    for kind in (e.TransportError, e.ConnectionLostError, e.RequestTimeoutError):
        fault = described(kind("cut", sent=sent), "create")
        assert (fault.may_have_arrived, fault.is_transport) == (arrived, True)


@pytest.mark.parametrize(
    ("error", "arrived"),
    [
        (e.ConnectFailedError(), False),
        (e.CertificateError(), False),
        (e.ResponseError(), True),
        (e.ResponseError(captive_portal=True), True),
        (e.ServerError(status_code=502), True),
        (e.ServerError(status_code=500), True),
        (e.ValidationError(), False),
        (e.RateLimitError(), False),
        (e.StorageBusyError(), False),
    ],
    ids=repr,
)
def test_what_may_have_taken_effect_is_remembered(error: e.CadenzaError, arrived: bool) -> None:
    assert described(error, "create").may_have_arrived is arrived


def test_only_the_network_puts_the_network_in_doubt() -> None:
    doubtful = {
        type(error).__name__ for error, step, _ in CASES if described(error, step).is_transport
    }
    assert doubtful == {
        "TransportError", "ConnectFailedError", "CertificateError", "RequestTimeoutError",
        "ConnectionLostError",
    }  # fmt: skip


def test_request_id_and_the_wish_to_be_left_alone_are_kept() -> None:
    for error in (
        e.RateLimitError(request_id="r-1", retry_after_seconds=30.0),
        e.StorageBusyError(request_id="r-1", retry_after_seconds=30.0),
    ):
        fault = described(error, "video")
        assert (fault.request_id, fault.retry_after_seconds) == ("r-1", 30.0)


def test_a_full_process_table_does_not_fail_a_take() -> None:
    busy = described(OSError(errno.EMFILE, "Too many open files"), "video").answer
    assert classify(Answer("local", "video", None, busy.code, seen=50)).action is Action.RETRY
    unusable = described(e.ConfigError("line break"), "create").answer
    assert classify(unusable).hold is Hold.AUTH


def test_a_disk_error_names_the_reason_and_not_the_place(tmp_path: Path) -> None:
    try:
        os.open(tmp_path / "x" / "y", os.O_RDONLY)
    except OSError as error:
        fault = described(error, "video")
    assert str(tmp_path) not in fault.sentence
    denied = described(PermissionError(errno.EACCES, "Permission denied", "/home/ada/x"), "video")
    assert denied.sentence == "The recording cannot be read (Permission denied)."
    assert described(OSError("odd"), "video").sentence == "The recording cannot be read (OSError)."
    assert classify(fault.answer).fail is FailCode.LOCAL_FILE_MISSING


# ── secrets (SEC-02, SEC-04, I10) ──────────────────────────────────────────────────────────────

SIGNATURE = "5f2a9c0e11d2canarysignature"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.canarytoken"
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
urls = st.builds(
    "{}://{}/{}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(
        ["127.0.0.1:9000", "bucket.s3.amazonaws.com", "[::1]:9000", "u:p@store.example"]
    ),
    st.sampled_from(["k", "recordings/7/a.mp4", "a b", "ü"]),
    st.just(SIGNATURE),
)
leaks = st.builds(
    "{}{}{}{}".format,
    words,
    st.sampled_from([" ", '"', "(", "\n", ": "]),
    urls
    | st.just(f"Authorization: Bearer {TOKEN}")
    | st.just(f"token={TOKEN}")
    | st.just(f"?X-Amz-Signature={SIGNATURE}")
    | st.just(f"X-Amz-Signature: {SIGNATURE}"),
    st.sampled_from(["", " ", '"', ")", " and more"]),
)


def speak(text: str, where: str) -> BaseException:
    """A server, a store or the system says something it should not."""
    said: dict[str, Any] = {where: text}
    if where == "s3_code":
        return e.StorageError(**said)
    if where == "code":
        return e.APIError(**said)
    if where == "strerror":
        return OSError(errno.EIO, "Input/output error", text)
    kind = e.StorageError if len(text) % 2 else e.APIError
    return kind(text) if where == "detail" else kind("no", **said)


@given(
    leaks,
    st.sampled_from(["detail", "code", "s3_code", "request_id", "strerror"]),
    st.sampled_from(STEPS),
)
def test_nothing_a_server_says_carries_a_secret_into_the_history(
    text: str, where: str, step: Step
) -> None:
    fault = described(speak(text, where), step)
    for kept in (fault.sentence, fault.answer.code, fault.request_id, repr(fault)):
        assert SIGNATURE not in (kept or "")
        assert TOKEN not in (kept or "")


@given(st.text(max_size=80))
def test_a_code_is_a_word_or_nothing(code: str) -> None:
    for error in (e.APIError(code=code), e.StorageError(s3_code=code)):
        kept = described(error, "video").answer.code
        assert kept is None or (kept.isascii() and len(kept) <= 64 and " " not in kept)


def test_the_codes_people_use_are_kept() -> None:
    for code in (*e.error_codes(), "AWS.SimpleQueueService.X", "XAmzContentSHA256Mismatch"):
        assert described(e.APIError(code=code), "create").answer.code == code
