"""Answers by name: what stores, APIs and captive portals really say."""

from __future__ import annotations

import base64
import functools
import json
from importlib import resources
from typing import Any
from xml.sax.saxutils import escape

_S3: dict[str, tuple[str, str]] = {
    "expired": ("AccessDenied", "Request has expired"),
    "AccessDenied": ("AccessDenied", "Access Denied"),
    "ExpiredToken": ("ExpiredToken", "The provided token has expired."),
    "SignatureDoesNotMatch": (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
    ),
    "RequestTimeTooSkewed": (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    "RequestTimeout": (
        "RequestTimeout",
        "Your socket connection to the server was not read from within the timeout period.",
    ),
    "SlowDown": ("SlowDown", "Please reduce your request rate."),
    "InternalError": ("InternalError", "We encountered an internal error. Please try again."),
    "EntityTooLarge": ("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size."),
    "BadDigest": ("BadDigest", "The digest you specified did not match what was received."),
    "PreconditionFailed": (
        "PreconditionFailed",
        "At least one of the preconditions you specified did not hold.",
    ),
    "MissingContentLength": (
        "MissingContentLength",
        "You must provide the Content-Length HTTP header.",
    ),
    "NotImplemented": ("NotImplemented", "A header you provided implies functionality missing."),
    "InvalidRange": ("InvalidRange", "The requested range is not satisfiable"),
    "NoSuchKey": ("NoSuchKey", "The specified key does not exist."),
    "IncompleteBody": (
        "IncompleteBody",
        "You did not provide the number of bytes specified by Content-Length.",
    ),
}
_HTML = {
    "portal": "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in to the "
    "network to go on.</body></html>",
    "gateway": "<html><body><center><h1>502 Bad Gateway</h1></center></body></html>",
}
REQUEST_ID = "kit-request-1"


def named_body(body: str | dict[str, Any]) -> tuple[str, bytes]:
    """Content type and bytes of a scenario's `body`.

    Raises:
        KeyError, ValueError: nobody says that.
    """
    if isinstance(body, dict):
        if "base64" in body:
            return str(body.get("type", "application/octet-stream")), base64.b64decode(
                str(body["base64"])
            )
        return "application/json", json.dumps(body["json"]).encode()
    kind, _, name = body.partition(":")
    if kind == "s3":
        return "application/xml", s3_error(name)
    if kind == "html":
        return "text/html; charset=utf-8", _HTML[name].encode()
    if kind == "json":
        return "application/json", api_error(name)
    raise ValueError(f"no body is called {body}")


def s3_error(name: str, **elements: str) -> bytes:
    """An S3 error document."""
    code, message = _S3[name]
    facts = {"Code": code, "Message": message, **elements, "RequestId": REQUEST_ID}
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in facts.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def api_error(code: str, detail: str | None = None, **fields: Any) -> bytes:
    """An API error (W6): the code is one of the contract's."""
    sentence = error_codes()[code]["sentence"]
    document: dict[str, Any] = {
        "detail": detail or sentence,
        "code": code,
        "request_id": REQUEST_ID,
    }
    if fields:
        document["fields"] = fields
    return json.dumps(document).encode()


@functools.cache
def error_codes() -> dict[str, dict[str, Any]]:
    """The contract's error codes: status and sentence of each."""
    text = resources.files("cadenza_conformance").joinpath("contract.json").read_text("utf-8")
    return {entry["code"]: entry for entry in json.loads(text)["error_codes"]}
