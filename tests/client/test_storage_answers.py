"""What a store says, as a table: status and code in, one decision out (70-upload-clients §4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cadenza_client import errors
from cadenza_client._storage_answers import StorageAnswer, object_facts, refusal, stored_etag
from cadenza_client.errors import CadenzaError, ResponseError, StorageBusyError, StorageError
from tests.client.wire import NOW

PAGE = b"<html><body>Sign in to SchoolNet</body></html>"


def _answer(
    status: int, body: bytes = b"", *, complete: bool = True, **headers: str
) -> StorageAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return StorageAnswer(status, named, body, NOW, request_complete=complete)


def _xml(code: str, message: str = "m") -> bytes:
    return (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message>'
        "<RequestId>R1</RequestId></Error>"
    ).encode()


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (403, "AccessDenied", "UploadUrlExpiredError"),
        (403, "SignatureDoesNotMatch", "UploadUrlExpiredError"),
        (403, "RequestTimeTooSkewed", "UploadUrlExpiredError"),
        (403, "SomethingNew", "UploadUrlExpiredError"),
        (403, None, "UploadUrlExpiredError"),
        (401, None, "UploadUrlExpiredError"),
        (404, "NoSuchBucket", "UploadUrlExpiredError"),
        (410, None, "UploadUrlExpiredError"),
        (400, "ExpiredToken", "UploadUrlExpiredError"),
        (400, "TokenRefreshRequired", "UploadUrlExpiredError"),
        (412, "PreconditionFailed", "ObjectExistsError"),
        (412, None, "ObjectExistsError"),
        (400, "BadDigest", "ChecksumRefusedError"),
        (400, "InvalidDigest", "ChecksumRefusedError"),
        (400, "XAmzContentSHA256Mismatch", "ChecksumRefusedError"),
        (400, "XAmzContentChecksumMismatch", "ChecksumRefusedError"),
        (400, "EntityTooLarge", "StorageRejectedError"),
        (400, "EntityTooSmall", "StorageRejectedError"),
        (400, "InvalidArgument", "StorageRejectedError"),
        (403, "InvalidRequest", "StorageRejectedError"),
        (405, "MethodNotAllowed", "StorageRejectedError"),
        (411, "MissingContentLength", "StorageRejectedError"),
        (413, None, "StorageRejectedError"),
        (501, "NotImplemented", "StorageRejectedError"),
        (400, "RequestTimeout", "StorageBusyError"),
        (400, "IncompleteBody", "StorageBusyError"),
        (400, "SomethingNew", "StorageBusyError"),
        (400, None, "StorageBusyError"),
        (408, None, "StorageBusyError"),
        (409, "ConditionalRequestConflict", "StorageBusyError"),
        (409, "OperationAborted", "StorageBusyError"),
        (425, None, "StorageBusyError"),
        (429, None, "StorageBusyError"),
        (500, "InternalError", "StorageBusyError"),
        (502, None, "StorageBusyError"),
        (503, "SlowDown", "StorageBusyError"),
        (503, "ServiceUnavailable", "StorageBusyError"),
        (507, None, "StorageBusyError"),
        (520, None, "StorageBusyError"),
    ],
)
def test_refusals_are_told_apart_by_their_code_first(
    status: int, code: str | None, name: str
) -> None:
    error = refusal(_answer(status, _xml(code) if code else b""))
    assert type(error).__name__ == name
    assert isinstance(error, StorageError)
    assert error.status_code == status
    assert error.s3_code == code


def test_a_400_that_speaks_of_expiry_is_an_expired_url() -> None:
    # rclone's S3 server says so instead of 403 (90-limits §3).
    error = refusal(_answer(400, _xml("Other", "Request has expired")))
    assert isinstance(error, errors.UploadUrlExpiredError)


def test_a_refusal_carries_request_id_and_retry_after() -> None:
    error = refusal(_answer(503, _xml("SlowDown"), retry_after="3"))
    assert isinstance(error, StorageBusyError)
    assert error.retry_after_seconds == 3
    assert error.request_id == "R1"
    named = refusal(_answer(503, x_amz_request_id="A", x_request_id="B"))
    assert isinstance(named, StorageError)
    assert named.request_id == "A"


def test_a_refusal_in_json_is_read_as_well() -> None:
    body = b'{"detail": "too slow", "code": "SlowDown", "request_id": "J1"}'
    error = refusal(_answer(503, body))
    assert isinstance(error, StorageError)
    assert (error.detail, error.s3_code, error.request_id) == ("too slow", "SlowDown", "J1")


@pytest.mark.parametrize("body", [b"{broken", b'{"code": 7}', b"{}", b"\xff\xfe", b"<Error><Code>"])
def test_a_refusal_nobody_can_read_keeps_its_status(body: bytes) -> None:
    error = refusal(_answer(503, body))
    assert isinstance(error, StorageBusyError)
    assert error.s3_code is None


def test_a_signed_url_in_a_message_is_cut() -> None:
    body = _xml("AccessDenied", "https://b.example.com/k?X-Amz-Signature=canary")
    assert "canary" not in str(refusal(_answer(403, body)))


@pytest.mark.parametrize("status", [200, 302, 403, 404])
def test_a_web_page_is_no_stores_answer(status: int) -> None:
    answer = _answer(status, PAGE, content_type="text/html")
    with pytest.raises(ResponseError) as caught:
        stored_etag(answer)
    assert caught.value.captive_portal


def test_a_gateways_page_is_a_busy_store() -> None:
    assert isinstance(refusal(_answer(502, PAGE, content_type="text/html")), StorageBusyError)


def test_a_redirect_is_no_success() -> None:
    error = refusal(_answer(302, location="https://x"))
    assert isinstance(error, ResponseError)
    assert error.captive_portal


def test_stored_is_what_the_store_says_is_stored() -> None:
    assert stored_etag(_answer(200, etag='"e"')) == '"e"'
    assert stored_etag(_answer(204)) is None
    assert stored_etag(_answer(201, b"<PostResponse/>")) is None


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("kind", ["text/html; charset=UTF-8", "application/xhtml+xml"])
def test_an_empty_answer_with_an_etag_is_stored_whatever_it_is_called(
    status: int, kind: str
) -> None:
    # Swift's s3api answers a PUT like this.
    assert stored_etag(_answer(status, etag='"e"', content_type=kind)) == '"e"'


@pytest.mark.parametrize(
    "answer",
    [
        _answer(200, PAGE, content_type="text/html", etag='"e"'),
        _answer(200, PAGE, etag='"e"'),
        _answer(200, b" ", content_type="text/html", etag='"e"'),
        _answer(200, content_type="text/html"),
        _answer(200, content_type="text/html", etag=""),
    ],
)
def test_a_page_with_an_etag_or_html_without_one_is_a_portal(answer: StorageAnswer) -> None:
    with pytest.raises(ResponseError) as caught:
        stored_etag(answer)
    assert caught.value.captive_portal


def test_an_empty_html_answer_before_the_whole_file_is_not_stored() -> None:
    with pytest.raises(ResponseError, match="before"):
        stored_etag(_answer(200, complete=False, etag='"e"', content_type="text/html"))


def test_a_200_with_an_error_document_is_not_stored() -> None:
    with pytest.raises(StorageBusyError):
        stored_etag(_answer(200, _xml("InternalError")))


def test_a_200_before_the_whole_file_is_not_stored() -> None:
    with pytest.raises(ResponseError, match="before"):
        stored_etag(_answer(200, complete=False))


# ── looking at an object ───────────────────────────────────────────────────────────────────────

MD5 = '"0123456789abcdef0123456789abcdef"'


def test_a_range_answer_says_size_and_etag() -> None:
    answer = _answer(206, b"x", content_range="bytes 0-0/50000000", etag=MD5)
    facts = object_facts(answer)
    assert facts is not None
    assert (facts.size_bytes, facts.etag, facts.etag_is_md5) == (50_000_000, MD5, True)
    assert facts.at == NOW


def test_the_stores_own_clock_dates_the_proof() -> None:
    date = "Fri, 20 Nov 2026 18:00:00 GMT"
    facts = object_facts(_answer(206, content_range="bytes 0-0/5", date=date))
    assert facts is not None
    assert facts.at == datetime(2026, 11, 20, 18, 0, 0, tzinfo=UTC)


def test_a_store_that_ignores_ranges_says_the_size_as_length() -> None:
    facts = object_facts(_answer(200, content_length="5"))
    assert facts is not None
    assert facts.size_bytes == 5


@pytest.mark.parametrize("range_", ["bytes */0", ""])
def test_an_empty_object_is_there_and_empty(range_: str) -> None:
    facts = object_facts(_answer(416, content_range=range_))
    assert facts is not None
    assert facts.size_bytes == 0


@pytest.mark.parametrize("status", [404, 410])
def test_no_object_is_none(status: int) -> None:
    assert object_facts(_answer(status, _xml("NoSuchKey"))) is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (_answer(404, PAGE), ResponseError),
        (_answer(200, PAGE, content_length="46"), ResponseError),
        (_answer(206, b"x"), ResponseError),
        (_answer(206, b"x", content_range=f"bytes 0-0/{'9' * 400}"), ResponseError),
        (_answer(200), ResponseError),
        (_answer(302, location="https://x"), ResponseError),
        (_answer(403, _xml("AccessDenied")), errors.UploadUrlExpiredError),
        (_answer(503), StorageBusyError),
    ],
)
def test_anything_else_proves_nothing(answer: StorageAnswer, kind: type[CadenzaError]) -> None:
    with pytest.raises(kind):
        object_facts(answer)


@pytest.mark.parametrize(
    ("headers", "is_md5"),
    [
        ({"etag": MD5}, True),
        ({"etag": MD5, "x_amz_server_side_encryption": "AES256"}, True),
        ({"etag": MD5, "x_amz_server_side_encryption": "aws:kms"}, False),
        ({"etag": MD5, "x_amz_server_side_encryption_customer_algorithm": "AES256"}, False),
        ({"etag": '"0123456789abcdef0123456789abcdef-2"'}, False),
        ({"etag": '"opaque"'}, False),
        ({}, False),
    ],
)
def test_an_etag_is_an_md5_only_where_s3_says_so(headers: dict[str, str], is_md5: bool) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    facts = object_facts(StorageAnswer(206, {"content-range": "bytes 0-0/5", **named}, b"", NOW))
    assert facts is not None
    assert facts.etag_is_md5 is is_md5
