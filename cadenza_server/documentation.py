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
