"""Neither the token nor a signed URL is in any log record or error text (SEC-01, SEC-02).

Every test runs with every logger at DEBUG, puts canaries into all places where a secret can be,
and reads what was logged and what a traceback with all its causes prints.
"""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cadenza_client import CadenzaError, NewSubmission, RetryPolicy, Timeouts, UploadTarget
from tests.client.raw_server import CONTINUE, Connection, RawServer, always, answer, s3_error

Open = Callable[..., Any]
Serve = Callable[..., RawServer]

CANARY = "c4n4ry"
TOKEN = f"{CANARY}-token"
ERROR = s3_error(
    "403 Forbidden", "AccessDenied", f"https://b/k?X-Amz-Signature={CANARY}",
    headers=f"Location: https://b/k?sig={CANARY}\r\nSet-Cookie: s={CANARY}\r\n",
)  # fmt: skip


@pytest.fixture
def logged() -> Iterator[Callable[[], str]]:
    """Everything logged at any level, with every field of every record."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(_Everything())
    root = logging.getLogger()
    names = [None, "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "asyncio"]
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    for logger, _ in before:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield text.getvalue
    root.removeHandler(handler)
    for logger, level in before:
        logger.setLevel(level)


class _Everything(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{record.name} {record.getMessage()} {vars(record)}"


def _check(error: BaseException) -> None:
    shown = [
        str(error),
        repr(error),
        "".join(traceback.format_exception(error)),
        repr(vars(error)),
        str(pickle.loads(pickle.dumps(error))) if isinstance(error, CadenzaError) else "",
    ]
    seen: BaseException | None = error
    while seen is not None:
        shown += [str(seen), repr(seen)]
        seen = seen.__cause__ or seen.__context__
    assert CANARY not in " ".join(shown)


def _target(server: RawServer) -> UploadTarget:
    return UploadTarget(
        url=f"{server.url}/k?X-Amz-Signature={CANARY}",
        headers={"x-amz-meta-key": CANARY},
        expires_in=900,
    )


def _reset(connection: Connection) -> None:
    connection.head()
    connection.send(CONTINUE)
    connection.body(10)
    connection.reset()


def _silence(connection: Connection) -> None:
    connection.request()
    connection.drain()


@pytest.mark.parametrize(
    "script",
    [
        always(ERROR),
        always(answer("200 OK", b"", headers=f"ETag: x\r\nSet-Cookie: s={CANARY}\r\n")),
        always(answer("307 Moved", headers=f"Location: https://evil.example/k?sig={CANARY}\r\n")),
        always(answer("200 OK", f"<html>{CANARY}".encode(), content_type="text/html")),
        _reset,
        _silence,
        lambda connection: connection.send(f"garbage {CANARY}\r\n\r\n".encode()),
    ],
    ids=["refused", "stored", "moved", "portal", "reset", "silence", "garbage"],
)
def test_uploads_and_downloads(
    open_client: Open,
    serve: Serve,
    logged: Callable[[], str],
    video: Path,
    tmp_path: Path,
    script: Callable[[Connection], None],
) -> None:
    server = serve(script)
    limits = Timeouts(reply_seconds=0.3, idle_seconds=0.5)
    client = open_client(server.url, token=TOKEN, timeout=limits)
    target = _target(server)
    assert CANARY not in repr(target)
    acts: list[Callable[[], Any]] = [
        lambda: client.upload_media(target, video, content_type="video/mp4", sha256=None),
        lambda: client.download(target.url, tmp_path / "o"),
    ]
    for act in acts:
        try:
            act()
        except CadenzaError as error:
            _check(error)
    assert CANARY not in logged()


def test_a_url_that_is_refused_or_unreachable(
    open_client: Open, logged: Callable[[], str], video: Path
) -> None:
    closed = RawServer([always(ERROR)])
    closed.stop()
    client = open_client(closed.url, token=TOKEN)
    for url in (
        f"{closed.url}/k?sig={CANARY}",
        f"https://user:{CANARY}@b.example.com/k",
        f"file:///etc/passwd?sig={CANARY}",
        f"https://[{CANARY}/k",
        f"https://b.example.com/k?sig={CANARY}\r\n",
    ):
        target = UploadTarget(url=url, expires_in=9)
        with pytest.raises(CadenzaError) as caught:
            client.upload_media(target, video, content_type="video/mp4", sha256=None)
        _check(caught.value)
    assert CANARY not in logged()


@pytest.mark.parametrize(
    "reply",
    [
        answer("200 OK", f'{{"id": "{CANARY}", "email": ["{CANARY}"]}}'.encode()),
        answer("200 OK", f'{{"access_token": "{CANARY}"'.encode()),
        answer("200 OK", b"{}", headers=f"Set-Cookie: s={CANARY}\r\n"),
        answer("401 No", f'{{"detail": "token={CANARY} is bad"}}'.encode()),
        answer("409 No", f'{{"detail": "see https://b/k?sig={CANARY}"}}'.encode()),
        answer("302 Found", headers=f"Location: https://login.example/?token={CANARY}\r\n"),
        answer("500 Oh", f"<html>Authorization: Bearer {TOKEN}</html>".encode()),
    ],
)
def test_api_requests(
    open_client: Open, serve: Serve, logged: Callable[[], str], reply: bytes
) -> None:
    server = serve(always(reply))
    client = open_client(
        server.url, token=TOKEN, retry=RetryPolicy(attempts=2, cap_seconds=0, base_seconds=0)
    )
    for act in (
        client.auth.me,
        lambda: client.auth.login("sam@example.org", CANARY),
        lambda: client.auth.dev_login(f"{CANARY}@example.org"),
        lambda: list(client.pieces.list()),
    ):
        with pytest.raises(CadenzaError) as caught:
            act()
        _check(caught.value)
    assert CANARY not in logged()


def test_a_ticket_with_nonsense_in_it(
    open_client: Open, serve: Serve, logged: Callable[[], str]
) -> None:
    body = f'{{"submission": 1, "upload_url": ["https://b/k?sig={CANARY}"]}}'.encode()
    server = serve(always(answer("201 Created", body)))
    with pytest.raises(CadenzaError) as caught:
        open_client(server.url, token=TOKEN).submissions.create(NewSubmission(duration_seconds=1))
    _check(caught.value)
    assert CANARY not in logged()


def test_a_programs_own_httpx_requests_are_logged_as_before(
    open_client: Open, serve: Serve, logged: Callable[[], str]
) -> None:
    server = serve(always(answer("200 OK", b'{"id": 7, "email": "a"}')))
    open_client(server.url, token=TOKEN).auth.me()
    assert "httpx" not in logged()
    with httpx.Client(trust_env=False) as own:
        own.get(f"{server.url}/mine?x=1")
    assert "/mine?x=1" in logged()
    assert "httpcore.http11" in logged()


def test_what_happened_is_in_our_own_log_without_queries(
    open_client: Open, serve: Serve, logged: Callable[[], str]
) -> None:
    reply = answer("200 OK", b'{"access_token": "x", "user": {"id": 7, "email": "a"}}')
    server = serve(always(reply))
    open_client(server.url, token=TOKEN).auth.dev_login("sam@example.org")
    assert "cadenza_client api.answer" in logged()
    assert "/auth/dev-login" in logged()
    assert "sam" not in logged()


def test_the_repr_of_a_call_shows_no_body_and_no_query() -> None:
    from cadenza_client._endpoints import identity

    assert CANARY not in repr(identity.login("a", CANARY))
    assert CANARY not in repr(identity.dev_login(CANARY))
