"""What counts as an answer of the API, and what it means."""

import json
from typing import Any

import pytest

from cadenza_client._answers import check_answer, nothing, one, one_or_none, rows
from cadenza_client._endpoints._build import pages
from cadenza_client.errors import (
    APIError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
    SizeMismatchError,
    TooLargeError,
    ValidationError,
)
from cadenza_client.models import Playback, Submission
from tests.client.wire import NOW, answer, v2

JSON = {"content-type": "application/json"}
PAGE = b"<!doctype html><title>School Wi-Fi: sign in</title>"


def _check(status: int, body: bytes = b"", **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    check_answer(status, named, body, now=NOW)


def test_json_and_emptiness_are_let_through() -> None:
    check_answer(200, JSON, b"{}", now=NOW)
    _check(204)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, PAGE, {"content_type": "text/html"}),
        (200, PAGE, {"content_type": "application/json"}),
        (302, b"", {"location": "https://login.example.net/"}),
        (307, b"", {"location": "https://evil.example.org/"}),
        (403, PAGE, {"content_type": "text/html"}),
        (404, PAGE, {}),
        (401, PAGE, {}),
        (511, b"{}", {"content_type": "application/json"}),
    ],
)
def test_a_login_page_is_neither_success_nor_refusal(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    with pytest.raises(ResponseError) as caught:
        _check(status, body, **headers)
    assert caught.value.captive_portal
    assert caught.value.status_code == status


@pytest.mark.parametrize("status", [502, 503, 504, 500])
def test_a_gateways_own_page_is_the_gateways_refusal(status: int) -> None:
    with pytest.raises(ServerError) as caught:
        _check(status, PAGE, content_type="text/html", retry_after="7")
    assert caught.value.retry_after_seconds == 7
    assert "Wi-Fi" not in str(caught.value)


def test_a_proxys_413_and_429_are_taken_at_their_word() -> None:
    with pytest.raises(TooLargeError):
        _check(413, PAGE)
    with pytest.raises(RateLimitError):
        _check(429, PAGE)


def test_what_is_not_json_is_not_an_answer() -> None:
    with pytest.raises(ResponseError, match="not JSON") as caught:
        _check(200, b"hello", content_type="text/plain")
    assert not caught.value.captive_portal


def test_a_compressed_answer_was_not_asked_for() -> None:
    with pytest.raises(ResponseError, match="compressed"):
        _check(200, b"\x1f\x8b", content_type="application/json", content_encoding="gzip")


def test_a_refusal_carries_everything_the_server_said() -> None:
    said = {
        "detail": "The stored video has 4 bytes, 8 were announced.",
        "code": "size_mismatch",
        "request_id": "r-body",
        "fields": {"stored": 4, "announced": 8},
    }
    with pytest.raises(SizeMismatchError) as caught:
        _check(409, json.dumps(said).encode(), x_request_id="r-header", **JSON)
    error = caught.value
    assert error.fields == {"stored": 4, "announced": 8}
    assert (error.code, error.request_id, error.status_code) == ("size_mismatch", "r-header", 409)
    assert error.detail == said["detail"]


def test_the_request_id_may_stand_in_the_body_only() -> None:
    with pytest.raises(NotFoundError) as caught:
        _check(404, b'{"detail":"x","code":"not_found","request_id":"r-body"}', **JSON)
    assert caught.value.request_id == "r-body"


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b'"x"', b"null", b'{"detail":7,"code":9,"fields":[]}', b"[" * 99_999],
)
def test_a_refusal_without_a_readable_body_is_still_one(body: bytes) -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        _check(403, body)
    assert caught.value.code is None
    assert caught.value.fields == {}


def test_fastapis_own_validation_errors_become_a_sentence() -> None:
    faults: list[Any] = [
        {"loc": ["body", "duration_seconds"], "msg": "Field required", "input": "canary"},
        {"loc": [], "msg": "odd"},
        {"msg": "bare"},
        "nonsense",
    ]
    with pytest.raises(ValidationError) as caught:
        _check(422, json.dumps({"detail": faults}).encode(), **JSON)
    assert caught.value.detail == "duration_seconds: Field required; odd; bare"


def test_retry_after_uses_the_servers_own_clock() -> None:
    with pytest.raises(RateLimitError) as caught:
        _check(
            429,
            date="Fri, 20 Nov 2026 22:00:00 GMT",
            retry_after="Fri, 20 Nov 2026 22:00:09 GMT",
        )
    assert caught.value.retry_after_seconds == 9


def test_a_status_nobody_expects_is_an_api_error() -> None:
    with pytest.raises(APIError) as caught:
        _check(418)
    assert type(caught.value) is APIError


# ── bodies ─────────────────────────────────────────────────────────────────────────────────────


def test_one_object_and_none() -> None:
    assert one(Submission)(answer(v2())).duration_seconds == 45
    assert one_or_none(Submission)(answer(None)) is None
    assert one_or_none(Submission)(answer(b"", status=204)) is None
    assert one_or_none(Submission)(answer(v2())) is not None
    assert nothing(answer(b"")) is None  # type: ignore[func-returns-value] # that it is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"video_url": ["https://b/k?s=canary"]}', b"\xff", b"[" * 9999],
)
def test_an_answer_that_does_not_parse_says_where_and_never_what(body: bytes) -> None:
    with pytest.raises(ResponseError) as caught:
        one(Playback)(answer(body))
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_rows_are_a_bare_array() -> None:
    assert len(rows(Submission)(answer([v2(), v2()]))) == 2
    with pytest.raises(ResponseError):
        rows(Submission)(answer({"items": []}))


# ── pages ──────────────────────────────────────────────────────────────────────────────────────


def test_a_page_knows_the_next_one_and_the_total() -> None:
    first = pages(Submission, "/video-submissions", (("limit", "1"),))
    link = '<https://api.example.com/v1/video-submissions?limit=1&cursor=a%2Fb>; rel="next"'
    page = first.read(answer([v2()], link=link, x_total_count="2"))
    assert page.total == 2
    assert page.next is not None
    assert page.next.path == "/video-submissions"
    assert page.next.query == (("limit", "1"), ("cursor", "a/b"))
    last = page.next.read(answer([v2()]))
    assert last.next is None
    assert last.total is None


def test_a_next_page_on_another_host_is_refused() -> None:
    link = '<https://evil.example.org/v1/video-submissions?cursor=1>; rel="next"'
    with pytest.raises(ResponseError, match="elsewhere"):
        pages(Submission, "/video-submissions").read(answer([], link=link))
