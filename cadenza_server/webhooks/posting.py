"""One POST to a stranger's server: a checked address, one deadline, nothing of the answer kept.

No redirects, no proxies of the environment, no cookies, no connection reused. The deadline is for
the whole: a server that sends one byte every few seconds can't hold us.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import httpcore

from cadenza_server.webhooks.addresses import (
    AddressNotAllowedError,
    Resolve,
    allowed_addresses,
    target_of,
)

DEADLINE_SECONDS = 15.0
_CONNECT_SECONDS = 5.0


class Outcome(NamedTuple):
    """What came of an attempt: an HTTP status, or the reason why there is none."""

    status: int | None
    error_code: str | None


class _Deadlined(httpcore.NetworkStream):
    """A connection on which every wait ends with the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._left())
        return _Deadlined(stream, self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Guarded(httpcore.SyncBackend):
    """Connects to the addresses that were checked, and to no others."""

    def __init__(
        self, *, loopback: bool, left: Callable[[], float], resolve: Resolve | None
    ) -> None:
        self._loopback = loopback
        self._left = left
        self._resolve = resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is ours
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = allowed_addresses(
                host, port, loopback=self._loopback, resolve=self._resolve
            )
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                stream = super().connect_tcp(
                    address,
                    port,
                    min(_CONNECT_SECONDS, self._left()),
                    local_address,
                    socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Deadlined(stream, self._left)
        raise failure


def post(
    url: str,
    headers: dict[str, str],
    body: bytes,
    *,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Post `body`; whatever happens is an outcome.

    Args:
        url: as it was checked when the webhook was made. Plain HTTP is for this machine only.
        headers: of ours.
        body: what is signed.
        tls: trust, for tests; the system's by default.
        resolve: for tests.
        deadline_seconds: for all of it.
        monotonic: the clock of the deadline.
    """
    target = target_of(url)
    ends = monotonic() + deadline_seconds

    def left() -> float:
        remaining = ends - monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout("the deadline is over")
        return remaining

    backend = _Guarded(loopback=target.scheme == "http", left=left, resolve=resolve)
    host = f"[{target.host}]" if ":" in target.host else target.host
    default_port = target.port == (443 if target.scheme == "https" else 80)
    given = [
        ("Host", host if default_port else f"{host}:{target.port}"),
        ("Content-Type", "application/json"),
        ("User-Agent", "Cadenza-Webhooks/1"),
        ("Connection", "close"),
        *headers.items(),
    ]
    where = httpcore.URL(
        scheme=target.scheme, host=target.host, port=target.port, target=target.path
    )
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=tls or ssl.create_default_context(), network_backend=backend
            ) as pool,
            pool.stream("POST", where, headers=given, content=body) as response,
        ):
            status = response.status  # the body is left unread: it is never stored, nor shown
    except AddressNotAllowedError:
        return Outcome(None, "address_not_allowed")
    except (httpcore.TimeoutException, TimeoutError):
        return Outcome(None, "timed_out")
    except httpcore.ConnectError as error:
        is_tls = isinstance(error.__cause__, ssl.SSLError) or "SSL" in str(error)
        return Outcome(None, "certificate_refused" if is_tls else "not_reachable")
    except (httpcore.ProtocolError, httpcore.NetworkError, ssl.SSLError, OSError):
        return Outcome(None, "no_answer")
    return Outcome(status, None if 200 <= status < 300 else _reason(status))


def _reason(status: int) -> str:
    if 300 <= status < 400:
        return "redirected"
    return "gone" if status == 410 else "refused"
