"""One request to a signed URL: checked, sent as it was signed, answered or failed in our words.

No request here carries the bearer token, a cookie or a name of ours: exactly the headers the API
gave, and what HTTP needs (SEC-05, O15).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from cadenza_client._config import ClientConfig
from cadenza_client._headers import lowered
from cadenza_client._redact import place
from cadenza_client._storage_answers import StorageAnswer, refusal
from cadenza_client._urls import Origin, check_signed_url, is_storage_host
from cadenza_client._wire._body import FileBody
from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._failures import WIRE_ERRORS, failure
from cadenza_client.errors import UnsafeUploadUrlError

__all__ = ["SignedRequests", "body_of"]

T = TypeVar("T")

_ERROR_DOCUMENT_BYTES = 64 * 1024


class SignedRequests:
    """Sends requests to signed URLs; holds nothing of any one of them."""

    def __init__(
        self,
        config: ClientConfig,
        transport: httpx.BaseTransport,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock

    def check(self, url: str) -> Origin:
        """Where a URL leads, if we go there at all (SEC-09)."""
        return check_signed_url(
            url, api=self._config.api.origin, storage_hosts=self._config.storage_hosts
        )

    def redirected(self, answer: StorageAnswer, url: str) -> str:
        """Where a 307 or 308 leads: to the same host or a listed one (O12).

        Raises:
            ResponseError: anywhere else.
        """
        target = urljoin(url, answer.headers.get("location", ""))
        try:
            origin, found = self.check(url), self.check(target)
        except UnsafeUploadUrlError:
            raise refusal(answer) from None
        same_host = (found.scheme, found.host) == (origin.scheme, origin.host)
        if not same_host and not is_storage_host(found, self._config.storage_hosts):
            raise refusal(answer)
        return target

    def ask(
        self,
        method: str,
        url: str,
        exchange: Exchange,
        read: Callable[[httpx.Response], T],
        *,
        headers: Mapping[str, str],
        body: FileBody | None = None,
    ) -> T:
        """Send one request and let `read` make something of the answer.

        Raises:
            UnsafeUploadUrlError: not a URL we use.
            TransportError: no answer, or none to the end.
        """
        origin = self.check(url)
        request = self._request(method, url, origin, exchange, headers=headers, body=body)
        with exchange.active():
            try:
                response = self._transport.handle_request(request)
                try:
                    return read(response)
                finally:
                    response.close()
            except WIRE_ERRORS as error:
                failed = failure(error, exchange, origin)
        # Out here, so that the library's exception is not its context either.
        raise failed

    def _request(
        self,
        method: str,
        url: str,
        origin: Origin,
        exchange: Exchange,
        *,
        headers: Mapping[str, str],
        body: FileBody | None,
    ) -> httpx.Request:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise UnsafeUploadUrlError(f"refused to use {place(url)}: it is no URL") from None
        if (parsed.scheme, parsed.host) != (origin.scheme, origin.host):
            # Two parsers that disagree about the host are how a check is got around (SEC-09).
            raise UnsafeUploadUrlError(f"refused to use {place(url)}: its host is ambiguous")
        parts = urlsplit(url)
        # The path and query exactly as signed: a URL object would be free to encode them anew.
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        timeouts = self._config.timeouts
        return httpx.Request(
            method,
            parsed,
            headers={"Host": str(origin).partition("://")[2], **headers},
            stream=httpx.ByteStream(b"") if body is None else body,
            extensions={
                "target": target.encode("ascii"),
                "trace": exchange.trace,
                "timeout": {
                    "connect": timeouts.connect_seconds,
                    "pool": timeouts.connect_seconds,
                    "read": timeouts.reply_seconds,
                    "write": timeouts.idle_seconds,
                },
            },
        )

    def read(
        self, response: httpx.Response, exchange: Exchange, *, head_only: bool = False
    ) -> StorageAnswer:
        """An answer with as much of its body as an error document needs."""
        body = bytearray()
        for part in () if head_only else body_of(response):
            body += part
            late = exchange.patience_to_receive(in_flight=False) <= 0
            if late or len(body) >= _ERROR_DOCUMENT_BYTES:
                break
        return StorageAnswer(
            status_code=response.status_code,
            headers=lowered(response.headers.items()),
            body=bytes(body[:_ERROR_DOCUMENT_BYTES]),
            at=datetime.fromtimestamp(self._clock(), UTC),
            request_complete=exchange.body_complete or not exchange.total_bytes,
        )


def body_of(response: httpx.Response) -> httpx.SyncByteStream:
    """The answer's bytes as they arrive."""
    stream = response.stream
    assert isinstance(stream, httpx.SyncByteStream)
    return stream
