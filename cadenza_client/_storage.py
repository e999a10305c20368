"""What is done with signed URLs: send an object, look at one, fetch one.

This half of the client is synchronous on purpose; the async client runs it in a worker thread. An
upload is a file, a hash and a socket. Two of the three have no asynchronous form, and asyncio's
own socket layer gives up the two things that matter here: it closes a broken connection before the
answer on it can be read (the early 403, O03), and it cannot tell a slow link from a dead one within
one large write. One thread for a whole upload is also cheaper than one hop for each block.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import httpx

from cadenza_client._call import Download, ObjectFacts, ProbeObject, PutObject
from cadenza_client._config import ClientConfig
from cadenza_client._headers import looks_like_html, lowered, whole_number
from cadenza_client._source import OpenSource, open_source
from cadenza_client._storage_answers import (
    StorageAnswer,
    object_facts,
    refusal,
    stored_etag,
)
from cadenza_client._urls import Origin
from cadenza_client._wire._body import FileBody, Pace
from cadenza_client._wire._exchange import Exchange
from cadenza_client._wire._signed import SignedRequests, body_of
from cadenza_client.errors import (
    ConnectionLostError,
    FileChangedError,
    ResponseError,
    UnsafeUploadUrlError,
)
from cadenza_client.models import StoredObject

__all__ = ["StorageDriver"]

# Below this a refused body costs less than the question whether it is wanted.
_SMALLEST_BODY_TO_ASK_FOR = 256 * 1024
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NOT_OURS_TO_SEND = frozenset(
    {
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
)


class StorageDriver:
    """Does the steps that go to the store. Safe to use from several threads."""

    def __init__(
        self,
        config: ClientConfig,
        transport: httpx.BaseTransport,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeouts = config.timeouts
        self._requests = SignedRequests(config, transport, clock=clock)
        self._monotonic = monotonic
        self._sleep = sleep
        #: Origins that answered 417: they are not asked again.
        self._never_ask: set[Origin] = set()

    # ── sending ────────────────────────────────────────────────────────────────────────────────

    def put(self, step: PutObject) -> StoredObject:
        """Send one object; see `CadenzaClient.upload_media`."""
        url = step.target.url
        origin = self._requests.check(url)
        with open_source(step.outgoing.source) as opened:
            headers = _headers_for(step, opened.size_bytes)
            answer, body = self._send(step, opened, url, headers)
            if answer.status_code == 417:
                self._never_ask.add(origin)
                answer, body = self._send(step, opened, url, headers)
            if answer.status_code in (307, 308):
                url = self._requests.redirected(answer, url)
                answer, body = self._send(step, opened, url, headers)
            etag = stored_etag(answer)
            # Once more after the last byte: a change made while it was on its way counts as well.
            opened.check_unchanged()
        return StoredObject(
            etag=etag, size_bytes=opened.size_bytes, sha256=body.sha256, md5=body.md5
        )

    def _send(
        self, step: PutObject, opened: OpenSource, url: str, headers: dict[str, str]
    ) -> tuple[StorageAnswer, FileBody]:
        outgoing = step.outgoing
        asks = (
            opened.size_bytes >= _SMALLEST_BODY_TO_ASK_FOR
            and self._requests.check(url) not in self._never_ask
        )
        exchange = Exchange(
            monotonic=self._monotonic,
            idle_seconds=self._timeouts.idle_seconds,
            reply_seconds=self._timeouts.reply_seconds,
            total_bytes=opened.size_bytes,
            continue_seconds=self._timeouts.continue_seconds if asks else 0.0,
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
        if asks:
            headers = {**headers, "Expect": "100-continue"}

        def read(response: httpx.Response) -> StorageAnswer:
            answer = self._requests.read(response, exchange)
            if 200 <= answer.status_code < 300 and exchange.body_complete:
                exchange.report(opened.size_bytes, now=True)
            return answer

        with closing(body):
            answer = self._requests.ask("PUT", url, exchange, read, headers=headers, body=body)
        return answer, body

    # ── looking and fetching ───────────────────────────────────────────────────────────────────

    def probe(self, step: ProbeObject) -> ObjectFacts | None:
        """Ask for the first byte of an object; None when there is no object."""
        exchange = Exchange(
            monotonic=self._monotonic,
            idle_seconds=self._timeouts.idle_seconds,
            reply_seconds=self._timeouts.reply_seconds,
        )

        def read(response: httpx.Response) -> StorageAnswer:
            # The body of a 200 is the whole video: its head says enough.
            return self._requests.read(response, exchange, head_only=response.status_code == 200)

        wanted = {"Range": "bytes=0-0"}
        return object_facts(self._requests.ask("GET", step.url, exchange, read, headers=wanted))

    def download(self, step: Download) -> int:
        """Fetch an object beside its destination, and put it in place when it is whole."""
        exchange = Exchange(
            monotonic=self._monotonic,
            idle_seconds=self._timeouts.idle_seconds,
            progress=step.progress,
            cancel=step.cancel,
        )
        destination = step.destination
        part = destination.with_name(f".{destination.name}.part-{os.urandom(4).hex()}")
        try:
            size_bytes = self._requests.ask(
                "GET",
                step.url,
                exchange,
                lambda response: self._fetch(response, exchange, part),
                headers={},
            )
            part.replace(destination)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        return size_bytes

    def _fetch(self, response: httpx.Response, exchange: Exchange, part: Path) -> int:
        if not 200 <= response.status_code < 300:
            raise refusal(self._requests.read(response, exchange))
        headers = lowered(response.headers.items())
        html = looks_like_html(headers, b"")
        encoded = headers.get("content-encoding", "identity") != "identity"
        if html or encoded or response.status_code != 200:
            raise ResponseError(
                "what was fetched is not the stored file",
                captive_portal=html,
                status_code=response.status_code,
            )
        announced = whole_number(headers.get("content-length"))
        exchange.total_bytes = announced or 0
        exchange.report(0, now=True)
        size_bytes = 0
        with part.open("xb") as file:
            for block in body_of(response):
                exchange.check_cancelled()
                file.write(block)
                size_bytes += len(block)
                exchange.total_bytes = max(exchange.total_bytes, size_bytes)
                exchange.report(size_bytes)
            file.flush()
            os.fsync(file.fileno())
        if announced not in (None, size_bytes):
            raise ConnectionLostError(f"only {size_bytes} of {announced} bytes arrived", sent="all")
        exchange.report(size_bytes, now=True)
        return size_bytes


def _headers_for(step: PutObject, size_bytes: int) -> dict[str, str]:
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
