"""OpenAPI: every refusal of every route, with an example (and the built-in store's routes)."""

from __future__ import annotations

from typing import Any

from cadenza_server.codes import ERROR_CODES
from cadenza_server.schemas import Problem

_ALWAYS = ("unauthorized", "signin_required", "rate_limited", "internal", "storage_unavailable")
_OPEN = ("internal",)


def refusals(*codes: str, signed_in: bool = True) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can refuse with these codes, and with the usual ones."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *(_ALWAYS if signed_in else _OPEN)):
        entries = by_status.setdefault(ERROR_CODES[code].status, [])
        if code not in entries:
            entries.append(code)
    return {status: _response(by_status[status]) for status in sorted(by_status)}


def _response(codes: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "model": Problem,
        "description": " or ".join(f"`{code}`" for code in codes),
        "content": {"application/json": {"examples": {code: _example(code) for code in codes}}},
    }
    if "rate_limited" in codes or "storage_unavailable" in codes:
        answer["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}
        }
    return answer


def _example(code: str) -> dict[str, Any]:
    sentence = ERROR_CODES[code].sentence
    value = {"detail": sentence, "code": code, "request_id": "5f2b8c0d9e7a41c3"}
    return {"summary": sentence, "value": value}


PAGE_HEADERS: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "schema": {"type": "string"},
                "description": 'the next page, `rel="next"`; absent on the last one',
            },
            "X-Total-Count": {"schema": {"type": "integer"}, "description": "in all pages"},
        }
    }
}


def add_storage_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Describe the built-in store, which is no FastAPI route: signed requests, S3's errors."""
    parameters = [
        _parameter("path", "key", "the object's key"),
        _parameter("query", "exp", "Unix time at which the URL ends"),
        _parameter("query", "kid", "which key signed"),
        _parameter("query", "signed", "the signed headers, `;` between them", required=False),
        _parameter("query", "sig", "HMAC-SHA256 over all of it"),
    ]
    binary = {"schema": {"type": "string", "format": "binary"}}
    put: dict[str, Any] = {
        "operationId": "put_object",
        "summary": "Store an object, exactly as it was promised when the URL was signed",
        "requestBody": {"required": True, "content": {"video/mp4": binary, "image/jpeg": binary}},
        "responses": {
            "200": {"description": "Stored", "headers": _headers("ETag", "x-amz-checksum-sha256")},
            **_storage_refusals(400, 403, 411, 412, 503),
        },
    }
    reads: dict[str, dict[str, Any]] = {
        method: {
            "operationId": f"{method}_object",
            "summary": summary,
            "parameters": [_parameter("header", "Range", "one byte range", required=False)],
            "responses": {
                "200": {
                    "description": "The object",
                    "headers": _headers("ETag", "Accept-Ranges", "Last-Modified"),
                    **({"content": {"video/mp4": binary}} if method == "get" else {}),
                },
                "206": {"description": "A part of it", "headers": _headers("Content-Range")},
                "304": {"description": "Not changed"},
                **_storage_refusals(403, 404, 412, 416, 503),
            },
        }
        for method, summary in (("get", "Read an object"), ("head", "Look at an object"))
    }
    operations = {"put": put, **reads}
    for operation in operations.values():
        operation["tags"] = ["storage"]
        operation["security"] = []
    document["paths"]["/storage/{key}"] = {"parameters": parameters, **operations}
    return document


_STORAGE_CODES: dict[int, tuple[str, ...]] = {
    400: ("BadDigest", "EntityTooLarge", "IncompleteBody", "InvalidDigest", "RequestTimeout"),
    403: ("AccessDenied", "SignatureDoesNotMatch"),
    404: ("NoSuchKey",),
    411: ("MissingContentLength",),
    412: ("PreconditionFailed",),
    416: ("InvalidRange",),
    503: ("ServiceUnavailable",),
}


def _storage_refusals(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": " or ".join(f"`{code}`" for code in _STORAGE_CODES[status]),
            "content": {
                "application/xml": {
                    "schema": {"type": "string"},
                    "example": f"<Error><Code>{_STORAGE_CODES[status][0]}</Code></Error>",
                }
            },
        }
        for status in statuses
    }


def _parameter(place: str, name: str, text: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "in": place,
        "name": name,
        "required": required,
        "description": text,
        "schema": {"type": "string"},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}} for name in names}
