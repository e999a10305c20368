"""S3's error answers: the XML and the codes a client must be able to act on."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from starlette.responses import Response

_MESSAGES: dict[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access Denied"),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided.",
    ),
    "NoSuchKey": (404, "The specified key does not exist."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "BadDigest": (400, "The digest you specified did not match what was received."),
    "InvalidDigest": (400, "The digest you specified is not valid."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size."),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by Content-Length."),
    "InvalidArgument": (400, "The request is not valid."),
    "RequestTimeout": (
        400,
        "Your socket connection to the server was not read from within the timeout period.",
    ),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "PreconditionFailed": (412, "At least one of the preconditions you specified did not hold."),
    "InvalidRange": (416, "The requested range is not satisfiable."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "ServiceUnavailable": (503, "Please reduce your request rate or try again later."),
}


def refusal(
    code: str,
    *,
    request_id: str,
    key: str,
    message: str | None = None,
    extra: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An S3 error document.

    Args:
        code: a key of the table above; it decides the status.
        request_id: for `RequestId`.
        key: for `Resource`.
        message: instead of the code's own sentence (`Request has expired`).
        extra: further elements (`Expires`, `ServerTime`).
        headers: further response headers.
    """
    status, sentence = _MESSAGES[code]
    elements = {
        "Code": code,
        "Message": message or sentence,
        "Resource": f"/storage/{key}",
        **(extra or {}),
        "RequestId": request_id,
    }
    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{body}</Error>',
        status_code=status,
        media_type="application/xml",
        headers=dict(headers or {}),
    )
