"""The describe ring: what to ask, as data, and how to read the answer.

A `Step[T]` is one thing an engine does for a flow; its result has the type `T`. A flow is a
generator that yields steps and returns a result, so a protocol of several requests is written
once and driven twice, by `_sync` and by `_async`::

    def confirm(...) -> Flow[Confirmation]:
        submission = yield from get_submission(id)     # `Step.__iter__` keeps the type
        facts = yield from ProbeObject(url)
        return ...

Nothing here does I/O, looks at a clock or imports an HTTP library.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from cadenza_client._retry import Decide
from cadenza_client._source import MediaSource
from cadenza_client._urls import ApiAddress
from cadenza_client.errors import ResponseError
from cadenza_client.models import Fingerprint, StoredObject, UploadTarget

__all__ = [
    "MEBIBYTE",
    "Answer",
    "Call",
    "Download",
    "Flow",
    "Method",
    "ObjectFacts",
    "Outgoing",
    "Page",
    "ProbeObject",
    "PutObject",
    "ReadFile",
    "Repeat",
    "Step",
    "TakeFingerprint",
    "Walk",
]

MEBIBYTE = 1 << 20

T = TypeVar("T")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Step(Generic[T]):
    """One thing an engine does; iterating it yields the step itself and returns the result."""

    __slots__ = ()

    def __iter__(self) -> Generator[Step[Any], Any, T]:
        result: T = yield self
        return result


Flow = Generator[Step[Any], Any, T]


@dataclass(frozen=True)
class Answer:
    """An API answer with a 2xx status, already known to come from the API.

    Attributes:
        headers: names in lower case.
        received_at: the device's wall clock, UTC.
        received_at_monotonic: the client's monotonic clock, in seconds.
        api: the API this came from, for `Link`.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime
    received_at_monotonic: float
    api: ApiAddress


@dataclass(frozen=True)
class Call(Step[T]):
    """One request to the API.

    Attributes:
        path: below the base URL, starting with a slash.
        read: turns the answer into the result; raises `ResponseError` if it cannot.
        authenticated: whether the token goes with it.
        idempotent: whether doing it twice is the same as doing it once, so that a lost answer may
            be asked for again within the attempt.
        max_answer_bytes: a longer answer is refused (S12).
        reply_seconds: how long the server may think; None for the client's setting.
        accept: the media type the answer must have.
        headers: what else goes with it.
    """

    method: Method
    path: str
    read: Callable[[Answer], T] = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    authenticated: bool = True
    idempotent: bool = False
    max_answer_bytes: int = MEBIBYTE
    reply_seconds: float | None = None
    accept: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, the call for the next one, and how many there are in all."""

    items: tuple[T, ...]
    next: Call[Page[T]] | None
    total: int | None


class Walk(Generic[T]):
    """From page to page of one list; `call` is the next one to fetch, None at the end."""

    def __init__(self, first: Call[Page[T]]) -> None:
        self.call: Call[Page[T]] | None = first
        self._seen: set[tuple[str, tuple[tuple[str, str], ...]]] = {(first.path, first.query)}

    def turn(self, page: Page[T]) -> None:
        """Go on to the page after this one.

        Raises:
            ResponseError: it leads back to a page already seen, and so would never end.
        """
        self.call = page.next
        if page.next is None:
            return
        place = (page.next.path, page.next.query)
        if place in self._seen:
            raise ResponseError("the pages of the list go round in circles")
        self._seen.add(place)


@dataclass(frozen=True)
class Outgoing:
    """A file to send, and how. See `CadenzaClient.upload_media` for the fields."""

    source: Path | MediaSource
    content_type: str
    sha256: str | None = None
    hash_while_sending: bool | None = None
    progress: Callable[[int, int], None] | None = field(default=None, repr=False)
    cancel: Callable[[], bool] | None = field(default=None, repr=False)
    rate_limit_bytes_per_second: int | None = None


@dataclass(frozen=True)
class PutObject(Step[StoredObject]):
    """Send one file to a signed URL."""

    target: UploadTarget
    outgoing: Outgoing


@dataclass(frozen=True)
class TakeFingerprint(Step[Fingerprint]):
    """Read a file through and say what is in it."""

    source: Path | MediaSource


@dataclass(frozen=True)
class ObjectFacts:
    """What the store says of an object that is there.

    Attributes:
        etag_is_md5: whether the ETag is the MD5 of the bytes. S3 says so for objects of one part
            unless a key of the customer's encrypts them.
        at: when the store said it: its `Date`, or the device's clock.
    """

    size_bytes: int
    etag: str | None
    etag_is_md5: bool
    at: datetime


@dataclass(frozen=True)
class ProbeObject(Step[ObjectFacts | None]):
    """Ask the store for the first byte of an object; None when there is no object."""

    url: str = field(repr=False)


@dataclass(frozen=True)
class Download(Step[int]):
    """Fetch a signed URL into a file; the result is its size in bytes."""

    url: str = field(repr=False)
    destination: Path
    progress: Callable[[int, int], None] | None = field(default=None, repr=False)
    cancel: Callable[[], bool] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ReadFile(Step[bytes]):
    """Read a small file whole, refusing one that is larger than `max_bytes`."""

    path: Path
    max_bytes: int


@dataclass(frozen=True)
class Repeat(Step[T]):
    """Run a flow again and again until it succeeds or `decide` says no.

    Attributes:
        attempt: makes the flow for one more try, so that every try signs afresh.
        decide: the pure decision, see `_retry`.
    """

    attempt: Callable[[], Flow[T]]
    decide: Decide
