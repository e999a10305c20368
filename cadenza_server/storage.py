"""What the server asks of an object store: sign, look, read a little, delete.

`BuiltinStore` (files on disk) and S3 are two makes of one thing; nothing else in the server
knows which one is behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol


class StorageUnavailableError(Exception):
    """The store did not answer or could not write; the request may be repeated later."""


class StorageSetupError(Exception):
    """The store can't be used as it is set up; the sentence says what is missing."""


class ObjectMissingError(Exception):
    """There is no object under the key that was to be read whole."""


@dataclass(frozen=True)
class StoredObject:
    """What the store knows of one object.

    Attributes:
        key: the object's key.
        size_bytes: its length.
        etag: quoted, the MD5 of a single PUT, as S3 gives it.
        sha256: lower-case hex where the store has verified or computed it, else None.
        content_type: as stored.
        modified_at: aware UTC.
    """

    key: str
    size_bytes: int
    etag: str
    sha256: str | None
    content_type: str
    modified_at: datetime


class Listed(NamedTuple):
    """One line of a listing."""

    key: str
    size_bytes: int


class SignedPut(NamedTuple):
    """A URL to PUT to and the headers that must be sent with it, verbatim."""

    url: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"SignedPut(url=<signed>, headers={sorted(self.headers)})"


@dataclass(frozen=True)
class PutPromise:
    """What a client announced about the bytes it will send; all of it is signed (SEC-07)."""

    content_type: str
    size_bytes: int | None = None
    sha256: str | None = field(default=None, repr=False)
    if_none_match: bool = False


def as_attachment(name: str) -> str:
    """The `Content-Disposition` that makes a browser keep an object under this name."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    return f'attachment; filename="{plain}"'


class Storage(Protocol):
    """An object store with presigned requests. Every method may raise `StorageUnavailableError`."""

    @property
    def origin(self) -> str:
        """Scheme and host of the signed URLs, for a page's content security policy."""
        ...

    def presign_put(self, key: str, promise: PutPromise, *, expires_in: int) -> SignedPut:
        """A URL that stores exactly what was promised, for `expires_in` seconds."""
        ...

    def presign_get(self, key: str, *, expires_in: int, download_name: str | None = None) -> str:
        """A URL to read the object, for `expires_in` seconds; as a download when named."""
        ...

    def head(self, key: str) -> StoredObject | None:
        """What is stored under the key, or None."""
        ...

    def read_start(self, key: str, length: int) -> bytes:
        """The first `length` bytes (fewer when the object is shorter)."""
        ...

    def digest(self, key: str, etag: str) -> str | None:
        """SHA-256 of an object the store told none of, lower-case hex; it is read whole.

        None when the object is no longer the one with this ETag.
        """
        ...

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """Store a small object the server itself received (a page image)."""
        ...

    def put_file(self, key: str, source: Path, content_type: str) -> StoredObject:
        """Store a file the server itself made (a derivative, a lesson), whatever its size.

        An object that is there is replaced, and only by the whole file.

        Raises:
            OSError: the source can't be read.
        """
        ...

    def fetch(self, key: str, destination: Path) -> None:
        """Copy the object into a file; `destination` is the whole object or is not written.

        Raises:
            ObjectMissingError: there is no such object.
            OSError: the destination can't be written (a full disk here, not a fault of the store).
        """
        ...

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key starts so, in no order; what changes meanwhile may be in it.

        It raises in the middle rather than end early: a short list would say that all the rest
        is gone.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""
        ...
