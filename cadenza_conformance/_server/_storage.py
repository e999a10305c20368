"""The storage role: a bucket behind presigned URLs, with S3's observable rules (90-limits §3).

A URL binds the method, the key, its life and the values of the headers it was issued with. The
order of checks is S3's: signature there, not expired, headers as signed; then the body.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode

from cadenza_conformance._server._bodies import REQUEST_ID, s3_error
from cadenza_conformance._server._wire import Answer, Head
from cadenza_conformance._server._world import (
    SIGNATURE_CANARY,
    Grant,
    StoredObject,
    Submission,
    World,
)

__all__ = [
    "Issued",
    "Receiving",
    "StoredObject",
    "check",
    "issue",
    "read",
    "thumbnail_headers",
    "video_headers",
]

_KEPT_BYTES = 4 * 1024 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Issued:
    """A signed URL and the headers to send with it."""

    url: str
    headers: dict[str, str]


def issue(world: World, method: str, key: str, headers: dict[str, str], storage_url: str) -> Issued:
    """Sign a request; every URL is different, so that one used twice can be told."""
    signature = f"{SIGNATURE_CANARY}{secrets.token_hex(16)}"
    ttl = world.scenario.given.server.url_ttl_seconds
    names = ";".join(sorted({"host", *(name.lower() for name in headers)}))
    query = urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"KIT/{world.told_time:%Y%m%d}/kit/s3/aws4_request",
            "X-Amz-Date": f"{world.told_time:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(int(ttl)),
            "X-Amz-SignedHeaders": names,
            "X-Amz-Signature": signature,
        },
        quote_via=quote,
    )
    world.grants[signature] = Grant(
        method,
        key,
        {name.lower(): value for name, value in headers.items()},
        world.now,
        ttl,
        query,
    )
    return Issued(f"{storage_url}/storage/{quote(key)}?{query}", headers)


def video_headers(submission: Submission, with_declared: bool) -> dict[str, str]:
    """What a video's URL is signed for: all that was declared (B-13, W7)."""
    headers = {"Content-Type": "video/mp4"}
    size, sha256 = submission.body.get("size_bytes"), submission.body.get("sha256")
    if not with_declared:
        return headers
    if size is not None:
        headers["Content-Length"] = str(size)
    if sha256 is not None:
        headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
    if (size is not None or sha256 is not None) and not submission.refused:
        headers["If-None-Match"] = "*"
    return headers


def thumbnail_headers(submission: Submission, with_declared: bool) -> dict[str, str]:
    """What a thumbnail's URL is signed for."""
    headers = {"Content-Type": "image/jpeg"}
    size = submission.body.get("thumbnail_size_bytes")
    if with_declared and size is not None:
        headers.update({"Content-Length": str(size), "If-None-Match": "*"})
    return headers


def grant_of(world: World, head: Head) -> Grant | None:
    """The URL a request came with, if this server issued it."""
    signature = parse_qs(head.query).get("X-Amz-Signature", [""])[0]
    return world.grants.get(signature)


def check(world: World, head: Head, key: str) -> Answer | None:
    """The refusal, before a byte of the body is read; None when the request may go on."""
    query = parse_qs(head.query)
    if "X-Amz-Signature" not in query:
        return error(403, "AccessDenied")
    grant = grant_of(world, head)
    if grant is None or grant.method != head.method or grant.key != unquote(key):
        return error(403, "SignatureDoesNotMatch")
    if parse_qsl(head.query) != parse_qsl(grant.query):
        return error(403, "SignatureDoesNotMatch")
    if grant.void or world.now - grant.issued_at >= grant.ttl_seconds:
        return error(403, "expired", Expires="then", ServerTime="now")
    for name, value in grant.headers.items():
        if head.headers.get(name) != value:
            return error(403, "SignatureDoesNotMatch")
    if head.method == "PUT":
        if head.length is None or head.chunked:
            return error(411, "MissingContentLength")
        if head.headers.get("if-none-match") == "*" and unquote(key) in world.objects:
            return error(412, "PreconditionFailed", Condition="If-None-Match")
    return None


class Receiving:
    """An object on its way in, hashed as it comes."""

    def __init__(self, damage: str | None) -> None:
        self._sha256 = hashlib.sha256()
        self._true_sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._start = bytearray()
        self._size = 0
        self._seen = 0
        how, _, at = (damage or "").partition("@")
        self._flip_at = int(at) if how == "flip" else None
        self._cut_at = int(at) if how == "truncate" else None

    def take(self, part: bytes) -> None:
        """Receive some bytes, and damage them as told."""
        self._true_sha256.update(part)
        begin, self._seen = self._seen, self._seen + len(part)
        if self._flip_at is not None and begin <= self._flip_at < self._seen:
            at = self._flip_at - begin
            part = part[:at] + bytes([part[at] ^ 0xFF]) + part[at + 1 :]
        if self._cut_at is not None:
            part = part[: max(0, self._cut_at - begin)]
        self._sha256.update(part)
        self._md5.update(part)
        self._size += len(part)
        if len(self._start) < _KEPT_BYTES:
            self._start += part[: _KEPT_BYTES - len(self._start)]

    @property
    def received_sha256(self) -> str:
        """Of the bytes that came, before any damage."""
        return self._true_sha256.hexdigest()

    def finish(self, world: World, head: Head, key: str) -> Answer:
        """Check the digest that came with it, keep it, and say so."""
        promised = head.headers.get("x-amz-checksum-sha256")
        if promised is not None:
            raw = base64.b64encode(bytes.fromhex(self.received_sha256)).decode()
            if promised != raw:
                return error(400, "BadDigest")
        stored = StoredObject(
            self._size,
            self._sha256.hexdigest(),
            self._md5.hexdigest(),
            head.headers.get("content-type", ""),
            bytes(self._start),
        )
        world.objects[unquote(key)] = stored
        return Answer(200, {"ETag": f'"{stored.md5}"', "x-amz-request-id": REQUEST_ID})


def read(world: World, head: Head, key: str) -> Answer:
    """A stored object, or a range of it."""
    refused = check(world, head, key)
    if refused is not None:
        return refused
    stored = world.objects.get(unquote(key))
    if stored is None:
        return error(404, "NoSuchKey")
    headers = {
        "ETag": f'"{stored.md5}"',
        "Accept-Ranges": "bytes",
        "Content-Type": stored.content_type,
        "x-amz-request-id": REQUEST_ID,
    }
    span = _span(head.headers.get("range", ""), stored.size)
    if span is None:
        return Answer(200, headers, stored.start)
    if not span:
        return error(416, "InvalidRange")
    headers["Content-Range"] = f"bytes {span[0]}-{span[-1]}/{stored.size}"
    return Answer(206, headers, stored.start[span[0] : span[-1] + 1])


def _span(asked: str, size: int) -> range | None:
    """The bytes a range header names: none of them, when it lies beyond the end."""
    found = _RANGE.fullmatch(asked)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return range(max(0, size - int(found[2])), size)
    return range(int(found[1]), min(int(found[2] or size), size - 1) + 1)


def error(status: int, name: str, **elements: str) -> Answer:
    """An S3 error answer."""
    headers = {"Content-Type": "application/xml", "x-amz-request-id": REQUEST_ID}
    return Answer(status, headers, s3_error(name, **elements))
