"""One shape for every refusal (W6), and no secret in any of them or in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from cadenza_server.codes import ERROR_CODES
from cadenza_server.errors import ApiError, problem
from tests.server.world import MP4, InProcess, World, declared, facts

CANARY = "canary-5ecret"
SURROGATE = b'{"duration_seconds": 5, "notes": "\\ud800"}'


def _check_shape(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert set(body) - {"fields"} == {"detail", "code", "request_id"}
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert body["code"] in ERROR_CODES
    assert body["request_id"] == response.headers["x-request-id"]
    return body


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("GET", "/nowhere", {}, (404, "not_found")),
        ("GET", "/video-submissions/", {}, (404, "not_found")),
        ("PUT", "/health", {}, (405, "invalid")),
        ("DELETE", "/video-submissions", {}, (405, "invalid")),
        ("GET", "/video-submissions/not-an-id", {}, (422, "invalid_id")),
        ("GET", "/video-submissions/not-an-id/video-url", {}, (422, "invalid_id")),
        ("PATCH", "/video-submissions/42/reviewed", {}, (422, "invalid_id")),
        ("GET", "/students/seven/video-submissions", {}, (422, "invalid_id")),
        ("GET", f"/students/{2**70}/video-submissions", {}, (422, "invalid_id")),
        ("POST", "/video-submissions", {"content": b"{"}, (422, "invalid")),
        ("POST", "/video-submissions", {"content": b""}, (422, "invalid")),
        ("POST", "/video-submissions", {"content": b"\xff\xfe"}, (422, "invalid")),
        ("POST", "/video-submissions", {"content": b"[" * 30_000}, (422, "invalid")),
        ("POST", "/video-submissions", {"content": SURROGATE}, (422, "invalid")),
        ("POST", "/pieces", {"json": {"title": "a\0b"}}, (422, "invalid")),
        ("POST", "/auth/dev-login?email=%00", {}, (422, "invalid")),
        ("POST", "/video-submissions", {"json": []}, (422, "invalid")),
        ("POST", "/video-submissions", {"json": None}, (422, "invalid")),
        ("POST", "/video-submissions", {"content": b"x" * 65_537}, (413, "too_large")),
        ("POST", "/auth/login", {"content": b"x" * 65_537}, (413, "too_large")),
        ("POST", "/auth/login", {"json": {"email": "x"}}, (422, "invalid")),
        ("GET", "/review-queue?limit=many", {}, (422, "invalid")),
    ],
)
def test_everything_that_can_be_asked_wrongly(
    world: World, method: str, path: str, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": "application/json"}

    response = world.ask("student", method, path, headers=headers, **options)

    assert (response.status_code, _check_shape(response)["code"]) == expected


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health", "GET"),
        ("/video-submissions", "GET, POST"),
        ("/video-submissions/6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11/reviewed", "DELETE, PATCH"),
    ],
)
def test_what_is_not_possible_says_what_is(world: World, path: str, methods: str) -> None:
    answer = world.ask("teacher", "PUT", path)

    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_a_body_without_a_length_is_counted_as_it_comes(world: World) -> None:
    def blocks() -> Any:
        for _ in range(70):
            yield b" " * 1024

    response = world.ask("student", "POST", "/video-submissions", content=blocks())

    assert (response.status_code, _check_shape(response)["code"]) == (413, "too_large")
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("content", [b"{", b"x" * 100_000, b""])
def test_a_stranger_learns_nothing_but_401(world: World, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    for path in ("/video-submissions", "/video-submissions/not-an-id/confirm"):
        response = world.http.post(path, content=content, headers=headers)
        assert (response.status_code, _check_shape(response)["code"]) == (401, "unauthorized")


def test_wrong_fields_are_named_and_their_values_are_not_repeated(world: World) -> None:
    body = world.take(notes=7, page_number=CANARY, duration_seconds=1)

    response = world.ask("student", "POST", "/video-submissions", json=body)

    problem = _check_shape(response)
    assert set(problem["fields"]) == {"notes", "page_number"}
    assert problem["detail"].startswith("The request is not valid: notes: ")
    assert CANARY not in response.text


def test_a_bug_shows_its_request_id_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError(f"the password is {CANARY}")

    monkeypatch.setattr("cadenza_server.routes.submissions.list_submissions", explode)
    logging.getLogger("cadenza.server").propagate = True

    response = world.ask("student", "GET", "/video-submissions")

    assert response.status_code == 500
    assert _check_shape(response)["code"] == "internal"
    assert CANARY not in response.text
    (record,) = (r for r in caplog.records if r.message == "unhandled_error")
    assert vars(record)["request_id"] == response.json()["request_id"]
    assert record.exc_info is not None, "the log has all of it"


def test_a_bug_behind_half_an_answer_breaks_the_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cadenza_server.builtin_store import endpoint

    store = world.services.storage_at("http://cadenza.test")
    store.put("dev/x.mp4", MP4, "video/mp4")

    async def explode(*_: object) -> Any:
        yield b"some"
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(endpoint, "_blocks", explode)

    with pytest.raises(RuntimeError, match="disk on fire"):
        world.http.get(store.presign_get("dev/x.mp4", expires_in=9))


def test_a_database_that_is_locked_says_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    monkeypatch.setattr("cadenza_server.routes.submissions.create_submission", locked)

    response = world.ask("student", "POST", "/video-submissions", json=world.take())

    assert (response.status_code, _check_shape(response)["code"]) == (503, "storage_unavailable")
    assert response.headers["retry-after"] == "2"
    assert "BEGIN" not in response.text


def test_a_store_that_can_not_be_read_says_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    submission_id = world.uploaded_v1()

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", refuse)

    response = world.confirm(submission_id, **facts(MP4))

    assert (response.status_code, _check_shape(response)["code"]) == (503, "storage_unavailable")


def test_limits_are_per_caller_and_say_when_to_come_back(
    make_world: Callable[..., World],
) -> None:
    world = make_world(rate_read_per_minute=2, rate_write_per_minute=1, rate_auth_per_minute=2)
    for _ in range(2):
        assert world.ask("student", "GET", "/auth/me").status_code == 200

    limited = world.ask("student", "GET", "/auth/me")

    assert limited.status_code == 429
    problem = _check_shape(limited)
    assert problem["code"] == "rate_limited"
    assert problem["detail"] == "Rate limit exceeded. Try again later."
    assert limited.headers["retry-after"] == "30"
    assert world.ask("teacher", "GET", "/auth/me").status_code == 200
    assert world.ask("student", "POST", "/pieces", json={"title": "x"}).status_code == 201
    world.clock.advance(seconds=30)
    assert world.ask("student", "GET", "/auth/me").status_code == 200


def test_guessing_passwords_is_slowed_down(make_world: Callable[..., World]) -> None:
    world = make_world(rate_auth_per_minute=3)
    body = {"email": "student@studio.example", "password": "guess"}

    statuses = [world.http.post("/auth/login", json=body).status_code for _ in range(5)]

    assert statuses == [401, 401, 401, 429, 429]


def test_guessing_one_account_from_many_addresses_is_slowed_down_too(
    make_world: Callable[..., World],
) -> None:
    world = make_world(rate_auth_per_minute=3)
    inner = world.http._transport
    assert isinstance(inner, InProcess)
    statuses = []
    for number in range(5):
        inner.client = (f"127.0.0.{number + 1}", 1)
        email = "Student@studio.example" if number % 2 else "student@studio.example"
        body = {"email": email, "password": "guess"}
        statuses.append(world.http.post("/auth/login", json=body).status_code)

    assert statuses == [401, 401, 401, 429, 429]


# ── request ids and the access log ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "kept"),
    [("client-4711_abc", True), ("short", False), ("x" * 65, False), ("spaces in it", False)],
)
def test_a_clients_request_id_is_kept_when_it_is_one(world: World, given: str, kept: bool) -> None:
    first = world.http.get("/health", headers={"X-Request-ID": given})
    second = world.http.get("/health")

    assert (first.headers["x-request-id"] == given) is kept
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_the_access_log_tells_what_happened_and_no_secret(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # SEC-01: tokens, passwords, signatures, e-mail addresses, notes: none of it, at any level.
    logger = logging.getLogger("cadenza.server")
    logger.propagate = True
    caplog.set_level(logging.DEBUG)
    answer = world.create(**declared(MP4), notes=CANARY)
    world.put(answer, MP4)
    world.http.post("/auth/login", json={"email": f"{CANARY}@x.example", "password": CANARY})
    world.http.post(f"/auth/dev-login?email={CANARY}@x.example")
    world.ask("student", "GET", f"/video-submissions?cursor={CANARY}")

    lines = [record for record in caplog.records if record.name == "cadenza.server.access"]

    assert len(lines) == 5
    fields = vars(lines[0])
    assert (fields["method"], fields["path"]) == ("POST", "/video-submissions")
    assert (fields["status"], fields["user_id"]) == (201, world.people["student"])
    assert {vars(line)["status"] for line in lines} == {201, 200, 401, 404, 422}
    signature = answer["upload_url"].rpartition("sig=")[2]
    servers = [record for record in caplog.records if record.name != "httpx"]  # the test's own
    for record in servers:
        text = json.dumps(vars(record), default=str)
        for secret in (CANARY, signature, "dev_token_user"):
            assert secret not in text, record.name


def test_every_code_has_a_status_and_a_sentence() -> None:
    for code, entry in ERROR_CODES.items():
        assert entry.code == code
        assert 400 <= entry.status < 600
        assert entry.sentence.endswith(".")
        assert str(ApiError(code)) == f"{entry.status} {code}: {entry.sentence}"
        assert json.loads(bytes(problem("id", code).body))["code"] == code
