"""What happens around one API request: tries, tokens, limits, clocks. In both clients."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import h11
import httpcore
import httpx
import pytest

from cadenza_client import (
    APIError,
    AuthenticationError,
    CadenzaError,
    CertificateError,
    ConnectFailedError,
    ConnectionLostError,
    RequestTimeoutError,
    ResponseError,
    RetryPolicy,
    ServerError,
)
from tests.client.wire import ID, v2

URL = "https://api.example.com"
USER = {"id": 7, "email": "sam@example.org"}
ME = httpx.Response(200, json=USER)
BUSY = httpx.Response(503, json={"detail": "x", "code": "storage_unavailable"})


class Replies:
    """Gives one reply after the other and keeps the requests."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


Open = Callable[..., Any]


def _client(open_client: Open, replies: Replies, **arguments: Any) -> Any:
    arguments.setdefault("token", "t0ken")
    return open_client(URL, transport=httpx.MockTransport(replies), **arguments)


# ── trying again ───────────────────────────────────────────────────────────────────────────────


def test_a_short_outage_is_hidden_with_growing_jittered_pauses(open_client: Open) -> None:
    replies = Replies(httpx.ReadError("x"), BUSY, ME)
    slept: list[float] = []
    client = _client(
        open_client,
        replies,
        retry=RetryPolicy(attempts=3),
        sleep=slept.append,
        random=lambda: 0.5,
    )
    assert client.auth.me().id == 7
    assert slept == [0.25, 0.5]


def test_retry_after_is_obeyed_and_never_undercut(open_client: Open) -> None:
    busy = httpx.Response(429, json={"detail": "x"}, headers={"Retry-After": "2"})
    slept: list[float] = []
    client = _client(
        open_client,
        Replies(busy, ME),
        retry=RetryPolicy(attempts=2),
        sleep=slept.append,
        random=lambda: 0.0,
    )
    client.auth.me()
    assert slept == [2.0]


def test_the_last_error_is_the_one_that_comes_out(open_client: Open) -> None:
    replies = Replies(httpx.ReadError("x"), BUSY)
    with pytest.raises(ServerError):
        _client(open_client, replies, retry=RetryPolicy(attempts=2)).auth.me()
    assert len(replies.requests) == 2


def test_what_is_not_idempotent_is_sent_once(open_client: Open) -> None:
    replies = Replies(BUSY)
    with pytest.raises(ServerError):
        _client(open_client, replies, retry=RetryPolicy(attempts=5)).pieces.create("x")
    assert len(replies.requests) == 1


def test_a_bug_of_ours_is_not_retried(open_client: Open) -> None:
    replies = Replies(httpx.LocalProtocolError("we wrote nonsense"))
    with pytest.raises(CadenzaError) as caught:
        _client(open_client, replies, retry=RetryPolicy(attempts=5)).auth.me()
    assert not caught.value.retryable
    assert len(replies.requests) == 1


def test_a_foreign_exception_passes_through(open_client: Open) -> None:
    with pytest.raises(ZeroDivisionError):
        _client(open_client, Replies(ZeroDivisionError())).auth.me()


# ── the token ──────────────────────────────────────────────────────────────────────────────────


class Tokens:
    """A token source with a list of tokens to go through."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.refreshed = 0

    def token(self) -> str:
        return self.left[0]

    def refresh(self) -> bool:
        self.refreshed += 1
        if len(self.left) == 1:
            return False
        self.left.pop(0)
        return True


UNAUTHORIZED = httpx.Response(401, json={"detail": "x", "code": "unauthorized"})


def test_a_401_is_cured_by_one_refresh(open_client: Open) -> None:
    replies, tokens = Replies(UNAUTHORIZED, ME), Tokens("old", "new")
    assert _client(open_client, replies, token=tokens).auth.me().id == 7
    sent = [request.headers["authorization"] for request in replies.requests]
    assert sent == ["Bearer old", "Bearer new"]
    assert tokens.refreshed == 1


def test_a_401_that_stays_is_raised_after_one_refresh(open_client: Open) -> None:
    replies, tokens = Replies(UNAUTHORIZED), Tokens("a", "b", "c")
    with pytest.raises(AuthenticationError):
        _client(open_client, replies, token=tokens, retry=RetryPolicy(attempts=5)).auth.me()
    assert tokens.refreshed == 1
    assert len(replies.requests) == 2


def test_a_token_that_cannot_be_refreshed_is_not_sent_again(open_client: Open) -> None:
    replies = Replies(UNAUTHORIZED)
    with pytest.raises(AuthenticationError):
        _client(open_client, replies, token="fixed").auth.me()
    assert len(replies.requests) == 1


def test_a_wrong_password_is_no_reason_to_refresh(open_client: Open) -> None:
    tokens = Tokens("a", "b")
    with pytest.raises(AuthenticationError):
        _client(open_client, Replies(UNAUTHORIZED), token=tokens).auth.login("a", "b")
    assert tokens.refreshed == 0


def test_without_a_token_none_is_sent(open_client: Open) -> None:
    replies = Replies(ME)
    _client(open_client, replies, token=None).auth.me()
    assert "authorization" not in replies.requests[0].headers


# ── limits ─────────────────────────────────────────────────────────────────────────────────────


def test_an_endless_answer_is_cut_off(open_client: Open) -> None:
    huge = httpx.Response(
        200, content=b'"' + b"x" * (1 << 20) + b'"', headers={"Content-Type": "application/json"}
    )
    with pytest.raises(ResponseError, match="longer than 1048576"):
        _client(open_client, Replies(huge)).auth.me()


def test_a_long_list_is_not_an_endless_answer(open_client: Open) -> None:
    many = httpx.Response(200, json=[v2() for _ in range(2500)])
    assert len(many.content) > 1 << 20
    found = list(_client(open_client, Replies(many)).submissions.list())
    assert len(found) == 2500


# ── clocks ─────────────────────────────────────────────────────────────────────────────────────


def test_the_clock_offset_comes_from_the_apis_answers_only(open_client: Open) -> None:
    date = {"Date": "Fri, 20 Nov 2026 17:10:00 GMT"}
    portal = httpx.Response(200, html="<html>", headers={"Date": "Mon, 01 Jan 2001 00:00:00 GMT"})
    replies = Replies(
        portal,
        httpx.Response(404, json={"detail": "x"}, headers=date),
        httpx.Response(200, json=USER),
    )
    noon = 1_795_194_600.0 - 3600  # an hour before that date
    client = _client(open_client, replies, clock=lambda: noon)
    assert client.clock_offset_seconds is None
    with pytest.raises(ResponseError):
        client.auth.me()
    assert client.clock_offset_seconds is None
    with pytest.raises(APIError):
        client.auth.me()
    assert client.clock_offset_seconds == pytest.approx(3600.5)
    client.auth.me()  # an answer without a Date changes nothing
    assert client.clock_offset_seconds == pytest.approx(3600.5)


def test_a_url_lives_from_the_moment_it_was_received(open_client: Open) -> None:
    answer = httpx.Response(200, json={"upload_url": None, "expires_in": 900})
    client = _client(open_client, Replies(answer), monotonic=lambda: 1234.5)
    assert client.submissions.upload_urls(ID).received_at_monotonic == 1234.5


# ── no answer ──────────────────────────────────────────────────────────────────────────────────


def _caused(error: Exception, *causes: BaseException) -> Exception:
    current: BaseException = error
    for cause in causes:
        current.__cause__ = current.__context__ = cause  # as `raise … from` does
        current = cause
    return error


CERTIFICATE = ssl.SSLCertVerificationError("x")
CERTIFICATE.verify_message = "certificate has expired"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_caused(httpx.ConnectError("x"), OSError(-2, "x"), socket.gaierror()), "dns"),
        (_caused(httpx.ConnectError("x"), ConnectionRefusedError()), "refused"),
        (_caused(httpx.ConnectError("x"), OSError(101, "Network is unreachable")), "unreachable"),
        (httpx.ConnectTimeout("x"), "timeout"),
        (httpx.PoolTimeout("x"), "timeout"),
        (_caused(httpx.ConnectError("x"), TimeoutError()), "timeout"),
        (_caused(httpx.ConnectError("x"), ssl.SSLError("x")), "tls"),
        (httpcore.ConnectError("x"), "unreachable"),
        (httpx.ProxyError("407"), "unreachable"),
        (
            _caused(
                httpx.ConnectError("x"),
                ExceptionGroup("all failed", [OSError(101, "x"), ConnectionRefusedError()]),
            ),
            "refused",
        ),
    ],
)
def test_a_connection_that_failed_says_how(open_client: Open, error: Exception, kind: str) -> None:
    with pytest.raises(ConnectFailedError) as caught:
        _client(open_client, Replies(error)).auth.me()
    assert caught.value.kind == kind
    assert caught.value.sent == "nothing"
    assert "api.example.com" in str(caught.value)


def test_a_bad_certificate_is_its_own_error(open_client: Open) -> None:
    error = _caused(httpx.ConnectError("x"), CERTIFICATE)
    replies = Replies(error)
    with pytest.raises(CertificateError, match="certificate has expired"):
        _client(open_client, replies, retry=RetryPolicy(attempts=5)).auth.me()
    assert len(replies.requests) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("x"), RequestTimeoutError),
        (httpcore.ReadTimeout("x"), RequestTimeoutError),
        (httpx.ReadError("x"), ConnectionLostError),
        (httpx.RemoteProtocolError("x"), ConnectionLostError),
        (h11.RemoteProtocolError("x"), ConnectionLostError),
        (ssl.SSLError("bad record mac"), ConnectionLostError),
    ],
)
def test_silence_and_cuts_are_told_apart(
    open_client: Open, error: Exception, kind: type[CadenzaError]
) -> None:
    with pytest.raises(kind) as caught:
        _client(open_client, Replies(error)).auth.me()
    assert getattr(caught.value, "sent") == "all"  # noqa: B009 - on either class
