"""The built-in store as the server sees it: `Storage` on a directory."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from cadenza_server.builtin_store.files import FileStore
from cadenza_server.builtin_store.signing import Signer
from cadenza_server.clock import Clock
from cadenza_server.downloading import whole_file
from cadenza_server.storage import (
    Listed,
    ObjectMissingError,
    PutPromise,
    SignedPut,
    StorageUnavailableError,
    StoredObject,
    as_attachment,
)

_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class BuiltinStore:
    """Objects on this machine's disk, signed URLs to this server.

    Args:
        files: the objects.
        signer: signs the URLs.
        clock: from which expiry is counted.
        base_url: scheme, host and root path under which clients reach this server.
    """

    files: FileStore
    signer: Signer
    clock: Clock
    base_url: str

    @property
    def origin(self) -> str:
        """See `Storage`."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def presign_put(self, key: str, promise: PutPromise, *, expires_in: int) -> SignedPut:
        """See `Storage`; binds everything that was promised."""
        headers = {"Content-Type": promise.content_type}
        if promise.size_bytes is not None:
            headers["Content-Length"] = str(promise.size_bytes)
        if promise.sha256 is not None:
            digest = base64.b64encode(bytes.fromhex(promise.sha256)).decode()
            headers["x-amz-checksum-sha256"] = digest
        if promise.if_none_match:
            headers["If-None-Match"] = "*"
        path = self.signer.sign(
            "PUT",
            key,
            expires_at=self._expiry(expires_in),
            headers={name.lower(): value for name, value in headers.items()},
        )
        return SignedPut(self.base_url + path, headers)

    def presign_get(self, key: str, *, expires_in: int, download_name: str | None = None) -> str:
        """See `Storage`."""
        parameters = {}
        if download_name:
            parameters["response-content-disposition"] = as_attachment(download_name)
        path = self.signer.sign(
            "GET", key, expires_at=self._expiry(expires_in), parameters=parameters
        )
        return self.base_url + path

    def head(self, key: str) -> StoredObject | None:
        """See `Storage`; the digests are the store's own, computed while receiving."""
        return self.files.head(key)

    def read_start(self, key: str, length: int) -> bytes:
        """See `Storage`."""
        found = self.files.open(key)
        if found is None:
            return b""
        with found[1] as file:
            return file.read(length)

    def digest(self, key: str, etag: str) -> str | None:
        """See `Storage`; computed while the object was received."""
        stored = self.files.head(key)
        return stored.sha256 if stored and stored.etag == etag else None

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """See `Storage`."""
        with self.files.receive(key) as incoming:
            incoming.write(data)
            return incoming.commit(content_type=content_type)

    def put_file(self, key: str, source: Path, content_type: str) -> StoredObject:
        """See `Storage`."""
        with source.open("rb") as file, self.files.receive(key) as incoming:
            while block := file.read(_BLOCK_BYTES):
                incoming.write(block)
            return incoming.commit(content_type=content_type)

    def fetch(self, key: str, destination: Path) -> None:
        """See `Storage`."""
        found = self.files.open(key)
        if found is None:
            raise ObjectMissingError(key)
        with found[1] as stored, whole_file(destination) as file:
            for block in _blocks(key, stored):
                file.write(block)

    def listing(self, prefix: str) -> Iterator[Listed]:
        """See `Storage`."""
        return self.files.listing(prefix)

    def delete(self, key: str) -> None:
        """See `Storage`."""
        self.files.delete(key)

    def _expiry(self, expires_in: int) -> int:
        return int(self.clock().timestamp()) + expires_in


def _blocks(key: str, file: BinaryIO) -> Iterator[bytes]:
    """The object's bytes; a disk that can't read them is the store's fault, not the caller's."""
    try:
        while block := file.read(_BLOCK_BYTES):
            yield block
    except OSError as error:
        raise StorageUnavailableError(f"reading {key}: {error.strerror}") from error
