"""From the HTTP libraries' exceptions to ours: what kind of failure, and how much had been sent.

Nothing of the original is kept: its `request` holds the token and the signed URL, and a traceback
with a cause prints whatever a library put into its message (SEC-02). What comes from here is
raised after the `except` block, so that it has neither cause nor context.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import cast

import h11
import httpcore
import httpx

from cadenza_client._redact import scrub
from cadenza_client._urls import Origin
from cadenza_client._wire._exchange import Exchange
from cadenza_client.errors import (
    CadenzaError,
    CertificateError,
    ConnectFailedError,
    ConnectionLostError,
    ConnectKind,
    FileChangedError,
    RequestTimeoutError,
)

__all__ = ["WIRE_ERRORS", "failure"]

WIRE_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.StreamError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    h11.ProtocolError,
    ssl.SSLError,
)
"""What a transport, ours or an injected one, raises when there is no usable answer."""

_NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
)
_TIMEOUTS = (httpx.TimeoutException, httpcore.TimeoutException)
_OUR_FAULT = (
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError,
    httpcore.UnsupportedProtocol,
    h11.LocalProtocolError,
)


def failure(error: Exception, exchange: Exchange, origin: Origin) -> CadenzaError:
    """Our error for a library's."""
    if isinstance(error, _OUR_FAULT):
        # h11 counts the body against Content-Length. That is no network fault, so it is never
        # sent again (80-style, trap 3).
        if exchange.total_bytes:
            return FileChangedError("the file gave more or fewer bytes than it had at the start")
        return CadenzaError(f"the request to {origin} could not be written")
    if isinstance(error, _NOT_CONNECTED) or (
        exchange.phase in ("connecting", "tls") and exchange.sent() == "nothing"
    ):
        return _connect_failure(error, exchange, origin)
    sent = exchange.sent()
    if isinstance(error, _TIMEOUTS):
        doing = "did not answer in time" if sent == "all" else "stopped taking bytes"
        return RequestTimeoutError(f"{origin} {doing}", sent=sent)
    return ConnectionLostError(f"the connection to {origin} was cut", sent=sent)


def _connect_failure(error: Exception, exchange: Exchange, origin: Origin) -> ConnectFailedError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = scrub(cause.verify_message or "it could not be checked")
            return CertificateError(f"the certificate of {origin} is not valid: {reason}")
    kind = _kind(error, exchange)
    return ConnectFailedError(f"no connection to {origin}: {_SENTENCES[kind]}", kind=kind)


_SENTENCES: dict[ConnectKind, str] = {
    "dns": "its name is not known here",
    "refused": "nothing listens there",
    "unreachable": "there is no way to it",
    "timeout": "it did not answer",
    "tls": "no secure connection could be agreed on",
}


def _kind(error: Exception, exchange: Exchange) -> ConnectKind:
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "dns"
    if exchange.phase == "tls" or any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "refused"
    if any(isinstance(cause, (*_TIMEOUTS, TimeoutError)) for cause in causes):
        return "timeout"
    return "unreachable"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything behind it, through groups (happy eyeballs raises several)."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, BaseExceptionGroup):
            waiting.extend(cast("BaseExceptionGroup[BaseException]", found).exceptions)
        waiting.extend(cause for cause in (found.__cause__, found.__context__) if cause)
