"""Requests to signed URLs: send an object, look at one, fetch one.

This half of the client is synchronous on purpose; the async client runs it in a worker thread. An
upload is a file, a hash and a socket. Two of the three have no asynchronous form, and asyncio's
own socket layer gives up the two things that matter here: it closes a broken connection before the
answer on it can be read (the early 403, O03), and it cannot tell a slow link from a dead one within
one large write. One thread for a whole upload is also cheaper than one hop for each block.

No request here carries the bearer token, a cookie or a name of ours: exactly the headers the API
gave, and what HTTP needs (SEC-05, O15).
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from cadenza_client._call import (
    MEBIBYTE,
    Download,
    ObjectFacts,
    ProbeObject,
    PutObject,
    ReadFile,
    TakeFingerprint,
)
from cadenza_client._config import ClientConfig
from cadenza_client._headers import looks_like_html, lowered, whole_number
from cadenza_client._redact import place
from cadenza_client._source import OpenSource, open_source
from cadenza_client._storage_answers import (
    StorageAnswer,
    object_facts,
    refusal,
    stored_etag,
)
from cadenza_client._urls import Origin, check_signed_url, is_storage_host
from cadenza_client._wire._body import FileBody, Pace
from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._failures import WIRE_ERRORS, failure
from cadenza_client.errors import (
    ConnectionLostError,
    FileChangedError,
    ResponseError,
    UnsafeUploadUrlError,
)
from cadenza_client.models import Fingerprint, StoredObject

__all__ = ["StorageDriver"]

_ERROR_DOCUMENT_BYTES = 64 * 1024
# Below this a refused body costs less than the question whether it is wanted.
_SMALLEST_BODY_TO_ASK_FOR = 256 * 1024
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NOT_OURS_TO_SEND = {
    "authorization",
    "connection",
    "cookie",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class StorageDriver:
    """Does the steps that go to the store or to the disk. Safe to use from several threads."""

    def __init__(
        self,
        config: ClientConfig,
        transport: httpx.BaseTransport,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._transport = transport
        self._monotonic = monotonic
        self._clock = clock
        self._sleep = sleep
        #: Hosts that answered 417: they are not asked again.
        self._never_ask: set[Origin] = set()

    # ── sending ────────────────────────────────────────────────────────────────────────────────

    def put(self, step: PutObject) -> StoredObject:
        """Send one object; see `CadenzaClient.upload_media`."""
        url = step.target.url
        origin = self._check(url)
        with open_source(step.outgoing.source) as opened:
            headers = _put_headers(step, opened.size_bytes)
            answer, body = self._send(step, opened, url, origin, headers)
            if answer.status_code == 417:
                self._never_ask.add(origin)
                answer, body = self._send(step, opened, url, origin, headers)
            if answer.status_code in (307, 308):
                url, origin = self._redirected(answer, url, origin)
                answer, body = self._send(step, opened, url, origin, headers)
            etag = stored_etag(answer)
            # Once more after the last byte: a change made while it was on its way counts as well.
            opened.check_unchanged()
        return StoredObject(
            etag=etag, size_bytes=opened.size_bytes, sha256=body.sha256, md5=body.md5
        )

    def _send(
        self,
        step: PutObject,
        opened: OpenSource,
        url: str,
        origin: Origin,
        headers: Mapping[str, str],
    ) -> tuple[StorageAnswer, FileBody]:
        outgoing, timeouts = step.outgoing, self._config.timeouts
        asks = opened.size_bytes >= _SMALLEST_BODY_TO_ASK_FOR and origin not in self._never_ask
        exchange = Exchange(
            monotonic=self._monotonic,
            idle_seconds=timeouts.idle_seconds,
            reply_seconds=timeouts.reply_seconds,
            total_bytes=opened.size_bytes,
            continue_seconds=timeouts.continue_seconds if asks else 0.0,
            progress=outgoing.progress,
            cancel=outgoing.cancel,
        )
        hashing = outgoing.hash_while_sending
        body = FileBody(
            opened,
            exchange,
            sha256=outgoing.sha256,
            hash_sha256=not step.target.checksum_verified_by_store if hashing is None else hashing,
            # No headers: a v1 server, where an MD5 is the only proof there will be.
            hash_md5=not step.target.headers,
            pace=Pace(
                outgoing.rate_limit_bytes_per_second, monotonic=self._monotonic, sleep=self._sleep
            ),
        )
        request = self._request("PUT", url, origin, exchange, headers=headers, body=body)
        if asks:
            request.headers["Expect"] = "100-continue"
        with exchange.active():
            try:
                response = self._transport.handle_request(request)
                try:
                    answer = self._read(response, exchange)
                finally:
                    response.close()
            except WIRE_ERRORS as error:
                raise failure(error, exchange, origin) from None
            if 200 <= answer.status_code < 300 and exchange.body_complete:
                exchange.report(opened.size_bytes, now=True)
        return answer, body

    def _redirected(self, answer: StorageAnswer, url: str, origin: Origin) -> tuple[str, Origin]:
        """Where a 307 or 308 leads: followed once, to the same host or a listed one (O12)."""
        target = urljoin(url, answer.headers.get("location", ""))
        try:
            found = self._check(target)
        except UnsafeUploadUrlError:
            raise refusal(answer) from None
        same_host = found.host == origin.host and found.scheme == origin.scheme
        if not same_host and not is_storage_host(found, self._config.storage_hosts):
            raise refusal(answer)
        return target, found

    # ── looking and fetching ───────────────────────────────────────────────────────────────────

    def probe(self, step: ProbeObject) -> ObjectFacts | None:
        """Ask for the first byte of an object; None when there is no object."""
        origin = self._check(step.url)
        exchange = self._receiving(self._config.timeouts.reply_seconds)
        request = self._request("GET", step.url, origin, exchange, headers={"Range": "bytes=0-0"})
        with exchange.active():
            try:
                response = self._transport.handle_request(request)
                try:
                    # The body of a 200 is the whole video: its head says enough.
                    answer = self._read(response, exchange, head_only=response.status_code == 200)
                finally:
                    response.close()
            except WIRE_ERRORS as error:
                raise failure(error, exchange, origin) from None
        return object_facts(answer)

    def download(self, step: Download) -> int:
        """Fetch an object beside its destination, and put it in place when it is whole."""
        origin = self._check(step.url)
        destination = step.destination
        part = destination.with_name(f".{destination.name}.part-{os.urandom(4).hex()}")
        exchange = self._receiving(None, step)
        request = self._request("GET", step.url, origin, exchange, headers={})
        try:
            with exchange.active():
                try:
                    response = self._transport.handle_request(request)
                    try:
                        size = self._fetch(response, exchange, part, origin)
                    finally:
                        response.close()
                except WIRE_ERRORS as error:
                    raise failure(error, exchange, origin) from None
            part.replace(destination)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        return size

    def _fetch(
        self, response: httpx.Response, exchange: Exchange, part: Path, origin: Origin
    ) -> int:
        headers = lowered(response.headers.items())
        if response.status_code != 200:
            raise refusal(self._read(response, exchange))
        if (
            looks_like_html(headers, b"")
            or headers.get("content-encoding", "identity") != "identity"
        ):
            raise ResponseError(
                "what was fetched is not the stored file",
                captive_portal=looks_like_html(headers, b""),
                status_code=response.status_code,
            )
        announced = whole_number(headers.get("content-length"))
        exchange.total_bytes = announced or 0
        size = 0
        exchange.report(0, now=True)
        with part.open("xb") as file:
            for block in _parts(response):
                exchange.check_cancelled()
                file.write(block)
                size += len(block)
                exchange.total_bytes = max(exchange.total_bytes, size)
                exchange.report(size)
            file.flush()
            os.fsync(file.fileno())
        if announced is not None and size != announced:
            raise ConnectionLostError(f"{origin} sent {size} of {announced} bytes", sent="all")
        exchange.report(size, now=True)
        return size

    # ── the disk ───────────────────────────────────────────────────────────────────────────────

    def read_file(self, step: ReadFile) -> bytes:
        """A small file, whole."""
        with open_source(step.path) as opened:
            if opened.size_bytes > step.max_bytes:
                raise FileChangedError(
                    f"{step.path.name} has {opened.size_bytes} bytes; at most {step.max_bytes} here"
                )
            return b"".join(iter(lambda: opened.handle.read(MEBIBYTE), b""))

    def fingerprint(self, step: TakeFingerprint) -> Fingerprint:
        """Size, sha256 and md5 of a file, read once."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        with open_source(step.source) as opened:
            for block in iter(lambda: opened.handle.read(MEBIBYTE), b""):
                sha256.update(block)
                md5.update(block)
            opened.check_unchanged()
        return Fingerprint(
            size_bytes=opened.size_bytes, sha256=sha256.hexdigest(), md5=md5.hexdigest()
        )

    # ── shared ─────────────────────────────────────────────────────────────────────────────────

    def _check(self, url: str) -> Origin:
        return check_signed_url(
            url, api=self._config.api.origin, storage_hosts=self._config.storage_hosts
        )

    def _receiving(self, reply_seconds: float | None, step: Download | None = None) -> Exchange:
        return Exchange(
            monotonic=self._monotonic,
            idle_seconds=self._config.timeouts.idle_seconds,
            reply_seconds=reply_seconds,
            progress=None if step is None else step.progress,
            cancel=None if step is None else step.cancel,
        )

    def _request(
        self,
        method: str,
        url: str,
        origin: Origin,
        exchange: Exchange,
        *,
        headers: Mapping[str, str],
        body: FileBody | None = None,
    ) -> httpx.Request:
        parts = urlsplit(url)
        # The path and query exactly as signed: a URL object would be free to encode them anew.
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        parsed = httpx.URL(url)
        if (parsed.scheme, parsed.host) != (origin.scheme, origin.host):
            # Two parsers that disagree about the host are how a check is got around (SEC-09).
            raise UnsafeUploadUrlError(f"refused to use {place(url)}: its host is ambiguous")
        timeouts = self._config.timeouts
        host = str(origin).partition("://")[2]
        return httpx.Request(
            method,
            parsed,
            headers={"Host": host, **headers},
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

    def _read(
        self, response: httpx.Response, exchange: Exchange, *, head_only: bool = False
    ) -> StorageAnswer:
        body = bytearray()
        if not head_only:
            for part in _parts(response):
                body += part
                if (
                    len(body) >= _ERROR_DOCUMENT_BYTES
                    or exchange.patience_to_receive(in_flight=False) <= 0
                ):
                    break
        return StorageAnswer(
            status_code=response.status_code,
            headers=lowered(response.headers.items()),
            body=bytes(body[:_ERROR_DOCUMENT_BYTES]),
            at=datetime.fromtimestamp(self._clock(), UTC),
            request_complete=exchange.body_complete or not exchange.total_bytes,
        )


def _parts(response: httpx.Response) -> httpx.SyncByteStream:
    stream = response.stream
    assert isinstance(stream, httpx.SyncByteStream)
    return stream


def _put_headers(step: PutObject, size_bytes: int) -> dict[str, str]:
    """Exactly what the API asked for, and what HTTP needs.

    Raises:
        UnsafeUploadUrlError: the API asks for a header that is not its to set.
        FileChangedError: another length was announced.
    """
    headers = dict(step.target.headers)
    for name, value in headers.items():
        if name.lower() in _NOT_OURS_TO_SEND:
            raise UnsafeUploadUrlError(f"the API asks for a {name.lower()} header on an upload")
        if not _HEADER_NAME.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise UnsafeUploadUrlError("the API asks for a header that cannot be sent")
    given = lowered(headers.items())
    announced = given.get("content-length")
    if announced is None:
        headers["Content-Length"] = str(size_bytes)
    elif announced.strip() != str(size_bytes):
        raise FileChangedError(
            f"the file has {size_bytes} bytes, another length was announced for it"
        )
    if "content-type" not in given:
        headers["Content-Type"] = step.outgoing.content_type
    return headers
