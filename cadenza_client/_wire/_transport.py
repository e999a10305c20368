"""The transports: a connection pool with a listening stream, TLS that cannot be switched off.

They are used directly, not through `httpx.Client`: a client would follow redirects, decode
bodies, keep cookies, add headers and log URLs, and every one of these is a fault here.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, cast

import httpcore
import httpx

from cadenza_client._config import proxy_credentials, proxy_for
from cadenza_client._urls import Origin
from cadenza_client._wire._exchange import mute_library_loggers
from cadenza_client._wire._stream import ListeningBackend

__all__ = ["AsyncPoolTransport", "PoolTransport", "tls_context"]

_KEEPALIVE_SECONDS = 5.0
_MOST_CONNECTIONS = 32


def tls_context(env: Mapping[str, str]) -> ssl.SSLContext:
    """Certificates are checked, TLS is at least 1.2, and no setting changes that (SEC-10).

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name a school's own authority, as for curl and OpenSSL.
    """
    cafile, capath = env.get("SSL_CERT_FILE") or None, env.get("SSL_CERT_DIR") or None
    if cafile or capath:
        context = ssl.create_default_context(cafile=cafile, capath=capath)
    else:
        context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Body(httpx.SyncByteStream):
    def __init__(self, parts: Any) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts

    def close(self) -> None:
        self._parts.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, parts: Any) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part

    async def aclose(self) -> None:
        await self._parts.aclose()


class PoolTransport(httpx.BaseTransport):
    """Synchronous requests to one origin or several, each through its proxy if it has one."""

    def __init__(self, env: Mapping[str, str]) -> None:
        mute_library_loggers()
        self._env = env
        self._pools: dict[tuple[str, str | None], httpcore.ConnectionPool] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is read by whoever asked."""
        pool = self._pool(_origin_of(request))
        answer = pool.handle_request(_to_httpcore(request))
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=_extensions(answer),
        )

    def _pool(self, origin: Origin) -> httpcore.ConnectionPool:
        proxy = proxy_for(origin, self._env)
        key = (origin.scheme, proxy)
        return self._pools.get(key) or self._pools.setdefault(key, self._open(origin, proxy))

    def _open(self, origin: Origin, proxy: str | None) -> httpcore.ConnectionPool:
        tls = _tls_for(origin, self._env)
        if proxy is None:
            return httpcore.ConnectionPool(
                ssl_context=tls,
                max_connections=_MOST_CONNECTIONS,
                keepalive_expiry=_KEEPALIVE_SECONDS,
                network_backend=ListeningBackend(),
            )
        return httpcore.HTTPProxy(
            proxy_url=_without_credentials(proxy),
            proxy_auth=proxy_credentials(proxy),
            ssl_context=tls,
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=ListeningBackend(),
        )

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()


class AsyncPoolTransport(httpx.AsyncBaseTransport):
    """The same for API requests of the async client."""

    def __init__(self, env: Mapping[str, str]) -> None:
        mute_library_loggers()
        self._env = env
        self._pools: dict[tuple[str, str | None], httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is read by whoever asked."""
        pool = self._pool(_origin_of(request))
        answer = await pool.handle_async_request(_to_httpcore(request))
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_AsyncBody(answer.stream),
            extensions=_extensions(answer),
        )

    def _pool(self, origin: Origin) -> httpcore.AsyncConnectionPool:
        proxy = proxy_for(origin, self._env)
        key = (origin.scheme, proxy)
        return self._pools.get(key) or self._pools.setdefault(key, self._open(origin, proxy))

    def _open(self, origin: Origin, proxy: str | None) -> httpcore.AsyncConnectionPool:
        tls = _tls_for(origin, self._env)
        if proxy is None:
            return httpcore.AsyncConnectionPool(
                ssl_context=tls,
                max_connections=_MOST_CONNECTIONS,
                keepalive_expiry=_KEEPALIVE_SECONDS,
                network_backend=_anyio_backend(),
            )
        return httpcore.AsyncHTTPProxy(
            proxy_url=_without_credentials(proxy),
            proxy_auth=proxy_credentials(proxy),
            ssl_context=tls,
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=_anyio_backend(),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()


def _extensions(answer: httpcore.Response) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", answer.extensions))  # pyright: ignore[reportUnknownMemberType]


def _anyio_backend() -> httpcore.AsyncNetworkBackend:
    # httpcore exports a stand-in where anyio is missing, which hides the type.
    return cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())


def _tls_for(origin: Origin, env: Mapping[str, str]) -> ssl.SSLContext | None:
    # Loading the authorities takes milliseconds that plain HTTP on loopback need not pay.
    return tls_context(env) if origin.scheme == "https" else None


def _origin_of(request: httpx.Request) -> Origin:
    scheme = request.url.scheme
    port = request.url.port or (443 if scheme == "https" else 80)
    return Origin(scheme, request.url.host, port)


def _to_httpcore(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=cast("Iterable[bytes]", request.stream),
        extensions=request.extensions,
    )


def _without_credentials(proxy: str) -> httpcore.URL:
    url = httpx.URL(proxy)
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
