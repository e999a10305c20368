"""The one error a route raises, and the one shape every refusal has (W6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from cadenza_server.codes import ERROR_CODES
from cadenza_server.storage import StorageUnavailableError

RETRY_SOON_SECONDS = 2


class ApiError(Exception):
    """A refusal with one of the documented codes.

    Args:
        code: a key of `ERROR_CODES`; it decides the status.
        detail: the sentence for a person; the code's own sentence when left out.
        fields: what was measured, or what is wrong with which field.
        retry_after_seconds: becomes the `Retry-After` header.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        fields: Mapping[str, Any] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        entry = ERROR_CODES[code]
        self.code = code
        self.status = entry.status
        self.detail = detail or entry.sentence
        self.fields = dict(fields) if fields else None
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{self.status} {code}: {self.detail}")


def problem(
    request_id: str,
    code: str,
    detail: str | None = None,
    *,
    status: int | None = None,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer for one refusal: `detail` is always a sentence, never a structure (W6)."""
    entry = ERROR_CODES[code]
    body: dict[str, Any] = {
        "detail": detail or entry.sentence,
        "code": code,
        "request_id": request_id,
    }
    if fields:
        body["fields"] = dict(fields)
    return JSONResponse(body, status_code=status or entry.status, headers=dict(headers or {}))


# A validation failure with a code of its own: (field, pydantic's error type) → code.
_FIELD_CODES: dict[tuple[str, str], str] = {
    ("duration_seconds", "missing"): "duration_required",
    ("duration_seconds", "greater_than_equal"): "duration_out_of_range",
    ("duration_seconds", "less_than_equal"): "duration_out_of_range",
    ("video_duration_seconds", "greater_than_equal"): "duration_out_of_range",
    ("video_duration_seconds", "less_than_equal"): "duration_out_of_range",
}
_ID_TYPES = frozenset({"uuid_parsing", "uuid_type", "uuid_version"})


def _code_of(errors: Iterable[Mapping[str, Any]]) -> str:
    for error in errors:
        location: Sequence[Any] = error["loc"]
        name = str(location[-1]) if location else ""
        if error["type"] in _ID_TYPES or location[:1] == ("path",):
            return "invalid_id"  # B-33
        if name == "duration_seconds" and error.get("input", ...) is None:
            return "duration_required"
        if code := _FIELD_CODES.get((name, error["type"])):
            return code
    return "invalid"


def _fields_of(errors: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Field → what is wrong with it. Never the value: it may be a secret or megabytes long."""
    fields: dict[str, str] = {}
    for error in errors:
        path = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
        fields[".".join(path) or "body"] = str(error["msg"])
    return fields


def _request_id(request: Request) -> str:
    return str(request.scope.get("cadenza.request_id", ""))


async def _on_api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    headers: dict[str, str] = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        _request_id(request), error.code, error.detail, fields=error.fields, headers=headers
    )


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    code = _code_of(errors)
    fields = _fields_of(errors)
    detail = ERROR_CODES[code].sentence
    if code == "invalid":
        detail = "The request is not valid: " + "; ".join(f"{k}: {v}" for k, v in fields.items())
    return problem(_request_id(request), code, detail[:500], fields=fields)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses by itself: unknown route, wrong method, body over the limit."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 413: "too_large"}
    code = codes.get(error.status_code, "invalid")
    detail = {
        404: "There is no such address.",
        405: f"{request.method} is not possible here.",
    }.get(error.status_code)
    status = 422 if error.status_code == 400 else error.status_code
    headers = {"Allow": _methods_of(request)} if status == 405 else error.headers
    return problem(_request_id(request), code, detail, status=status, headers=headers)


def _methods_of(request: Request) -> str:
    """What is possible here; the framework names only what its first route of this path takes."""
    path = request.scope["path"]
    methods = {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path and compile_path(route.path)[0].match(path)
        for method in route.methods or ()
    }
    return ", ".join(sorted(methods))


async def _on_unavailable(request: Request, _error: Exception) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_SOON_SECONDS)}
    return problem(_request_id(request), "storage_unavailable", headers=headers)


HANDLERS: dict[int | type[Exception], Any] = {
    ApiError: _on_api_error,
    RequestValidationError: _on_validation_error,
    HTTPException: _on_http_error,
    StorageUnavailableError: _on_unavailable,
    # A database that is locked or full answers later: 503, not 500, so that clients wait.
    OperationalError: _on_unavailable,
}
