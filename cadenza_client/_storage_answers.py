"""How to read what a store says. Pure: status, headers and body in, a result or an error out.

The status alone decides little: S3 says 400 for a slow client, for damaged bytes and for an
expired token, and 403 for half a dozen causes (70-upload-clients §0.4). The codes in the XML do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from cadenza_client._call import ObjectFacts
from cadenza_client._headers import (
    http_date,
    looks_like_html,
    retry_after_seconds,
    whole_number,
)
from cadenza_client.errors import (
    CadenzaError,
    ChecksumRefusedError,
    ObjectExistsError,
    ResponseError,
    StorageBusyError,
    StorageError,
    StorageRejectedError,
    UploadUrlExpiredError,
)

__all__ = ["StorageAnswer", "object_facts", "refusal", "stored_etag"]

_EXPIRED = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_DAMAGED = {
    "BadDigest",
    "InvalidDigest",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}
_WRONG = {
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "EntityTooLarge",
    "EntityTooSmall",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidRequest",
    "InvalidURI",
    "KeyTooLongError",
    "MalformedXML",
    "MissingContentLength",
    "MissingSecurityHeader",
    "NotImplemented",
}

_RANGE = re.compile(r"bytes (?:\d+-\d+|\*)/(\d+)")


@dataclass(frozen=True)
class StorageAnswer:
    """A store's answer, its body cut to what an error document needs.

    Attributes:
        headers: names in lower case.
        at: the device's wall clock, UTC.
        request_complete: whether the whole body had been sent when the answer came.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: datetime
    request_complete: bool = True

    @property
    def server_time(self) -> datetime:
        """The store's own clock, or ours when it does not say."""
        return http_date(self.headers.get("date")) or self.at


def stored_etag(answer: StorageAnswer) -> str | None:
    """The ETag of an object the store has just taken.

    Raises:
        CadenzaError: it was not taken, or the answer is not a store's (N15, O13).
    """
    if not 200 <= answer.status_code < 300:
        raise refusal(answer)
    # OpenStack Swift calls its empty answer to a PUT text/html. A page has a body, and what is only
    # called one has no ETag.
    taken = not answer.body and answer.headers.get("etag")
    if not taken and looks_like_html(answer.headers, answer.body):
        raise _portal(answer)
    if _element(answer.body, "Code"):
        # S3 can notice trouble after it has sent a 200; the body then is an error document.
        raise refusal(answer)
    if not answer.request_complete:
        raise ResponseError(
            "the storage said it was done before it had the whole file",
            status_code=answer.status_code,
        )
    return answer.headers.get("etag")


def object_facts(answer: StorageAnswer) -> ObjectFacts | None:
    """What a range request for the first byte says of an object; None if there is none.

    Raises:
        CadenzaError: the store refused, or this is not a store's answer.
    """
    status, headers = answer.status_code, answer.headers
    if status in (404, 410) and not looks_like_html(headers, answer.body):
        return None
    if status == 416:
        # A range beyond the end: the object is there, and empty.
        size = _range_total(headers) or 0
    elif 200 <= status < 300:
        if looks_like_html(headers, answer.body):
            raise _portal(answer)
        size = _size(answer)
    else:
        raise refusal(answer)
    etag = headers.get("etag")
    return ObjectFacts(size, etag, _etag_is_md5(headers), answer.server_time)


def refusal(answer: StorageAnswer) -> CadenzaError:
    """The error for an answer that is not a success."""
    status, headers = answer.status_code, answer.headers
    if looks_like_html(headers, answer.body) and status < 500:
        return _portal(answer)
    if 300 <= status < 400:
        return ResponseError(
            "the storage sent the request elsewhere", captive_portal=True, status_code=status
        )
    code, message, request_id = _said(answer)
    kind = _kind(status, code, message)
    return kind(
        message or "",
        status_code=status,
        s3_code=code,
        request_id=headers.get("x-amz-request-id") or headers.get("x-request-id") or request_id,
        retry_after_seconds=retry_after_seconds(
            headers.get("retry-after") or headers.get("x-amz-retry-after"), now=answer.server_time
        ),
    )


def _kind(status: int, code: str | None, message: str | None) -> type[StorageError]:
    # What the store names beats what the status suggests.
    if code in _DAMAGED:
        return ChecksumRefusedError
    if status in (400, 401, 403) and (code in _EXPIRED or "expired" in (message or "").lower()):
        return UploadUrlExpiredError
    if code in _WRONG:
        return StorageRejectedError
    if status in (401, 403, 404, 410):
        return UploadUrlExpiredError
    if status == 412:
        return ObjectExistsError
    # A status that means the request was built wrong. Everything else may pass: an unknown 400
    # included, which the queue counts and gives up by its own rule.
    if status in (405, 411, 413, 414, 416, 431, 501, 505):
        return StorageRejectedError
    return StorageBusyError


def _said(answer: StorageAnswer) -> tuple[str | None, str | None, str | None]:
    """Code, message and request id, from S3's XML or from JSON."""
    body = answer.body
    if body.lstrip().startswith(b"{"):
        try:
            said: object = json.loads(body)
        except ValueError:
            said = None
        if isinstance(said, dict):
            facts = cast("dict[str, object]", said)
            found = (facts.get(name) for name in ("code", "detail", "request_id"))
            code, message, request_id = (x if isinstance(x, str) else None for x in found)
            return code, message, request_id
    return _element(body, "Code"), _element(body, "Message"), _element(body, "RequestId")


def _element(body: bytes, name: str) -> str | None:
    # Not an XML parser: three words out of a flat document do not need one, and an XML parser
    # brings entities with it.
    if b"<Error" not in body[:512]:
        return None
    found = re.search(rf"<{name}>([^<]{{1,300}})</{name}>", body.decode("utf-8", "replace"))
    return None if found is None else found.group(1).strip()


def _size(answer: StorageAnswer) -> int:
    size = _range_total(answer.headers)
    if answer.status_code == 200:  # a store that ignores ranges
        size = whole_number(answer.headers.get("content-length"))
    if size is None:
        raise ResponseError(
            "the storage does not say how large the object is", status_code=answer.status_code
        )
    return size


def _range_total(headers: Mapping[str, str]) -> int | None:
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    return None if found is None else whole_number(found.group(1))


def _etag_is_md5(headers: Mapping[str, str]) -> bool:
    etag = headers.get("etag", "").strip('"').lower()
    # Objects under a customer's key, or KMS, have an ETag of the same form that is no MD5.
    keyed = headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or any(
        name.startswith("x-amz-server-side-encryption-customer") for name in headers
    )
    return re.fullmatch(r"[0-9a-f]{32}", etag) is not None and not keyed


def _portal(answer: StorageAnswer) -> ResponseError:
    return ResponseError(
        "a web page answered instead of the storage: a login page or proxy is in between",
        captive_portal=True,
        status_code=answer.status_code,
    )
