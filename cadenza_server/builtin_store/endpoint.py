"""`PUT|GET|HEAD /storage/{key}`: the object store's side of a presigned request, over ASGI.

Plain ASGI and not a FastAPI route, because the order matters: everything that can be refused is
refused before the first `receive()`. Uvicorn sends `100 Continue` at that call and not before, so
a client that asks with `Expect: 100-continue` keeps its body when the URL has expired.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import format_datetime
from typing import BinaryIO, NamedTuple

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from cadenza_server.builtin_store.answers import refusal
from cadenza_server.builtin_store.files import (
    FileStore,
    IncomingObject,
    InvalidKeyError,
    ObjectExistsError,
)
from cadenza_server.builtin_store.ranges import UnsatisfiableRangeError, parse_range
from cadenza_server.builtin_store.signing import (
    ExpiredError,
    MissingSignatureError,
    SignatureMismatchError,
    Signer,
)
from cadenza_server.clock import Clock, wire_time
from cadenza_server.storage import StorageUnavailableError, StoredObject

_BLOCK_BYTES = 1024 * 1024
# After an early refusal a sender that did not ask first is still pushing bytes. Reading on for a
# moment lets it see the answer instead of a reset connection (O03); more would be charity.
_LINGER_BYTES = 1024 * 1024
_LINGER_SECONDS = 2.0


class _RefusedError(Exception):
    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        extra: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.extra = extra
        self.headers = headers


class _SenderGoneError(Exception):
    """The connection broke before the body was complete; there is nobody to answer."""


class _Expected(NamedTuple):
    """Digests the sender promised, raw, or None."""

    sha256: bytes | None
    md5: bytes | None


@dataclass(frozen=True)
class StorageEndpoint:
    """The ASGI application behind `/storage/{key}`.

    Args:
        files: where the objects are.
        signer: checks the signatures.
        clock: decides what has expired.
        max_bytes: longest body a PUT may have.
        idle_seconds: how long a sender may be silent before it gets `RequestTimeout`.
        is_sealed: whether the object under a key must stay as it is, whatever was signed once.
    """

    files: FileStore
    signer: Signer
    clock: Clock
    max_bytes: int
    idle_seconds: float
    is_sealed: Callable[[str], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with ExitStack() as opened:
            await self._answer(Request(scope, receive), opened, send)

    async def _answer(self, request: Request, opened: ExitStack, send: Send) -> None:
        key = str(request.path_params["key"])
        body = _Body(request)
        try:
            self._authorise(request, key)
            if request.method == "PUT":
                response = await self._put(request, key, body)
            else:
                response = await self._get(request, key, opened)
        except _SenderGoneError:
            return
        except (StorageUnavailableError, _RefusedError) as error:
            refused = error if isinstance(error, _RefusedError) else _unavailable()
            response = refusal(
                refused.code,
                request_id=str(request.scope.get("cadenza.request_id", "")),
                key=key,
                message=refused.message,
                extra=refused.extra,
                headers=refused.headers,
            )
        await body.answer(response, send)

    def _authorise(self, request: Request, key: str) -> None:
        method = request.method
        if method not in ("PUT", "GET", "HEAD"):
            raise _RefusedError("MethodNotAllowed", headers={"Allow": "GET, HEAD, PUT"})
        now = self.clock()
        try:
            self.signer.verify(
                method,
                key,
                query=request.query_params,
                headers=request.headers,
                now=now.timestamp(),
            )
            self.files.exists(key)
        except ExpiredError as error:
            raise _RefusedError(
                "AccessDenied",
                "Request has expired",
                extra={"Expires": str(error.expired_at), "ServerTime": wire_time(now)},
            ) from None
        except SignatureMismatchError:
            raise _RefusedError("SignatureDoesNotMatch") from None
        except (MissingSignatureError, InvalidKeyError):
            raise _RefusedError("AccessDenied") from None

    async def _put(self, request: Request, key: str, body: _Body) -> Response:
        length = _content_length(request.headers)
        if length > self.max_bytes:
            raise _RefusedError("EntityTooLarge", extra={"MaxSizeAllowed": str(self.max_bytes)})
        expected = _expected_digests(request.headers)
        keep = request.headers.get("if-none-match") == "*"
        self._check_replaceable(key, keep=keep)
        incoming = await run_sync(self.files.receive, key)
        with incoming:
            pending = bytearray()
            async for chunk in body.chunks(length, self.idle_seconds):
                pending += chunk
                if len(pending) >= _BLOCK_BYTES:
                    await run_sync(incoming.write, pending)
                    pending = bytearray()
            content_type = request.headers.get("content-type", "binary/octet-stream")
            # Asked again: it may have been confirmed while these bytes were on their way.
            self._check_replaceable(key, keep=keep)
            stored = await run_sync(_finish, incoming, pending, expected, content_type, keep)
        headers = {"ETag": stored.etag}
        if expected.sha256 is not None:
            headers["x-amz-checksum-sha256"] = base64.b64encode(expected.sha256).decode()
        return Response(status_code=200, headers=headers)

    def _check_replaceable(self, key: str, *, keep: bool) -> None:
        """What is there may be replaced unless the sender, or the server, says it must stay.

        S3 knows only the first. The second closes what a v1 client's URL leaves open, on which
        no condition could be signed (SEC-08).
        """
        if self.files.exists(key) and (keep or self.is_sealed(key)):
            raise _RefusedError("PreconditionFailed", extra={"Condition": "If-None-Match"})

    async def _get(self, request: Request, key: str, opened: ExitStack) -> Response:
        found = await run_sync(self.files.open, key)
        if found is None:
            raise _RefusedError("NoSuchKey", extra={"Key": key})
        stored, file = found
        opened.enter_context(file)
        return _read_answer(request, stored, file)


class _Body:
    """The request's body: read once, counted, and if refused, not read at all."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._asks_first = request.headers.get("expect", "").lower() == "100-continue"
        chunked = "transfer-encoding" in request.headers
        self._unread = chunked or request.headers.get("content-length", "0") != "0"

    async def chunks(self, length: int, idle_seconds: float) -> AsyncIterator[bytes]:
        """The body as it arrives; never more and never less than `length` bytes.

        Raises:
            _RefusedError: the sender was silent for too long, or sent another length.
            _SenderGoneError: the connection broke.
        """
        received = 0
        while self._unread:
            try:
                with anyio.fail_after(idle_seconds):
                    message = await self._receive()
            except TimeoutError:
                raise _RefusedError("RequestTimeout") from None
            if message["type"] == "http.disconnect":
                raise _SenderGoneError
            self._unread = message.get("more_body", False)
            chunk: bytes = message.get("body", b"")
            received += len(chunk)
            if received > length:
                raise _RefusedError("IncompleteBody")
            if chunk:
                yield chunk
        if received != length:
            raise _RefusedError("IncompleteBody")

    async def answer(self, response: Response, send: Send) -> None:
        """Send the answer; with an unread body the connection can't be used again."""
        if not self._unread:
            await response(_NO_SCOPE, self._receive, send)
            return
        response.headers["Connection"] = "close"
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        if not self._asks_first:
            await self._linger()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _linger(self) -> None:
        drained = 0
        with anyio.move_on_after(_LINGER_SECONDS):
            while drained < _LINGER_BYTES:
                message = await self._receive()
                drained += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


_NO_SCOPE: Scope = {"type": "http", "extensions": {}}


def _unavailable() -> _RefusedError:
    return _RefusedError("ServiceUnavailable", headers={"Retry-After": "5"})


def _content_length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    if "transfer-encoding" in headers or not text.isdigit():
        raise _RefusedError("MissingContentLength")
    return int(text)


def _expected_digests(headers: Headers) -> _Expected:
    """What the sender says the bytes are; checked whether or not it was signed, as S3 does."""
    digests: list[bytes | None] = []
    for name, size in (("x-amz-checksum-sha256", 32), ("content-md5", 16)):
        text = headers.get(name)
        if text is None:
            digests.append(None)
            continue
        try:
            digest = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            digest = b""
        if len(digest) != size:
            raise _RefusedError("InvalidDigest", extra={"Header": name})
        digests.append(digest)
    return _Expected(*digests)


def _finish(
    incoming: IncomingObject, rest: bytearray, expected: _Expected, content_type: str, keep: bool
) -> StoredObject:
    """The last block, the digests, the rename: one trip to a worker thread."""
    incoming.write(rest)
    if expected.sha256 not in (None, incoming.sha256) or expected.md5 not in (None, incoming.md5):
        raise _RefusedError("BadDigest")
    try:
        return incoming.commit(content_type=content_type, replace=not keep)
    except ObjectExistsError:
        raise _RefusedError("PreconditionFailed", extra={"Condition": "If-None-Match"}) from None


def _read_answer(request: Request, stored: StoredObject, file: BinaryIO) -> Response:
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": stored.etag,
        "Last-Modified": format_datetime(stored.modified_at, usegmt=True),
        "Cache-Control": "private",
    }
    if disposition := request.query_params.get("response-content-disposition"):
        headers["Content-Disposition"] = disposition
    if_match = request.headers.get("if-match")
    if if_match and stored.etag not in _etags(if_match) and if_match.strip() != "*":
        raise _RefusedError("PreconditionFailed", extra={"Condition": "If-Match"})
    if_none_match = request.headers.get("if-none-match")
    if if_none_match and (stored.etag in _etags(if_none_match) or if_none_match.strip() == "*"):
        return Response(status_code=304, headers=headers)
    if_range = request.headers.get("if-range")
    asked = request.headers.get("range") if if_range in (None, stored.etag) else None
    try:
        span = parse_range(asked, stored.size_bytes)
    except UnsatisfiableRangeError:
        raise _RefusedError(
            "InvalidRange", headers={"Content-Range": f"bytes */{stored.size_bytes}"}
        ) from None
    first, last = span or (0, stored.size_bytes - 1)
    headers["Content-Length"] = str(last - first + 1)
    if span:
        headers["Content-Range"] = f"bytes {first}-{last}/{stored.size_bytes}"
    status = 206 if span else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=stored.content_type)
    return StreamingResponse(
        _blocks(file, first, last + 1),
        status_code=status,
        headers=headers,
        media_type=stored.content_type,
    )


async def _blocks(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    await run_sync(file.seek, start)
    while start < end:
        block = await run_sync(file.read, min(_BLOCK_BYTES, end - start))
        if not block:
            return  # truncated under us: a short answer is an error the reader sees
        start += len(block)
        yield block


def _etags(header: str) -> list[str]:
    return [part.strip().removeprefix("W/") for part in header.split(",")]
