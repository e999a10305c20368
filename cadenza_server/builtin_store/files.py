"""Objects as files: written whole or not at all, found again after a power cut.

An object is the plain file `root/<key>`, so an administrator can look at it, copy it and restore
it. What S3 would remember beside the bytes (MD5, SHA-256, content type) lies in
`root/.meta/<key>.json` together with the size and mtime it belongs to. If the two don't agree
(restored from a backup, or a crash between two renames), the digests are computed again: the
sidecar is a cache, the file is the truth.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mimetypes
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

from cadenza_server.storage import Listed, StorageUnavailableError, StoredObject

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_READ_BYTES = 1024 * 1024
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_STALE_TEMP_SECONDS = 24 * 3600


class InvalidKeyError(ValueError):
    """The key can't name an object: empty, absolute, hidden, or climbing out of the store."""


class ObjectExistsError(Exception):
    """There is an object under this key already, and the writer asked not to replace it."""


@dataclass(frozen=True)
class Digests:
    """MD5 and SHA-256 of an object, lower-case hex."""

    md5: str
    sha256: str


class FileStore:
    """A directory of objects.

    Args:
        root: created with mode 0700 when missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temp = root / ".tmp"
        self._meta = root / ".meta"
        for directory in (root, self._temp, self._meta):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()

    def head(self, key: str) -> StoredObject | None:
        """What is stored under the key, or None."""
        found = self.open(key)
        if found is None:
            return None
        found[1].close()
        return found[0]

    def open(self, key: str) -> tuple[StoredObject, BinaryIO] | None:
        """The object and its open file. The bytes stay readable even if it is replaced.

        Raises:
            StorageUnavailableError: it may be there, but it can't be read.
        """
        path = self._path(key)
        try:
            with contextlib.ExitStack() as stack:
                file = stack.enter_context(path.open("rb"))
                stored = self._describe(key, file)
                stack.pop_all()  # from here on the caller closes it
                return stored, file
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageUnavailableError(f"reading {key}: {error.strerror}") from error

    def exists(self, key: str) -> bool:
        """True when there is an object under the key."""
        return self._path(key).is_file()

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key starts so.

        Raises:
            StorageUnavailableError: a directory can't be read; what it holds is not known.
        """

        def refuse(error: OSError) -> None:
            raise StorageUnavailableError(f"listing: {error.strerror}") from error

        for directory, below, names in os.walk(self._root, onerror=refuse):
            # Hidden names are the store's own; a key has none.
            below[:] = [name for name in below if _SEGMENT.fullmatch(name)]
            for name in names:
                path = Path(directory, name)
                key = path.relative_to(self._root).as_posix()
                if key.startswith(prefix) and _SEGMENT.fullmatch(name):
                    with contextlib.suppress(FileNotFoundError):
                        yield Listed(key, path.stat().st_size)

    def receive(self, key: str) -> IncomingObject:
        """Begin to write an object; nothing is visible before its `commit()`."""
        return IncomingObject(key, self._path(key), self._temp, self._meta_path(key))

    def delete(self, key: str) -> None:
        """Remove the object and its sidecar; no error when there is none."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            _sync_directory(path.parent)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._meta_path(key).unlink()

    def _describe(self, key: str, file: BinaryIO) -> StoredObject:
        stat = os.fstat(file.fileno())
        sidecar = _read_sidecar(self._meta_path(key))
        if (sidecar.get("size"), sidecar.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns):
            digests = Digests(str(sidecar["md5"]), str(sidecar["sha256"]))
        else:
            digests = _digest(file)
            content_type = sidecar.get("content_type") or mimetypes.guess_type(key)[0]
            sidecar = {"content_type": content_type or "application/octet-stream"}
            _write_sidecar(self._meta_path(key), self._temp, stat, digests, sidecar["content_type"])
        return StoredObject(
            key=key,
            size_bytes=stat.st_size,
            etag=f'"{digests.md5}"',
            sha256=digests.sha256,
            content_type=str(sidecar["content_type"]),
            modified_at=datetime.fromtimestamp(stat.st_mtime, UTC),
        )

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if len(key) > 1024 or not all(_SEGMENT.fullmatch(part) for part in parts):
            raise InvalidKeyError(key)
        return self._root.joinpath(*parts)

    def _meta_path(self, key: str) -> Path:
        return self._meta / f"{key}.json"

    def _sweep(self) -> None:
        """Remove what a killed process left half written, long enough ago to be nobody's."""
        horizon = time.time() - _STALE_TEMP_SECONDS
        for path in self._temp.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < horizon:
                    path.unlink()


class IncomingObject:
    """One object on its way in: a temporary file that is hashed as it grows.

    Leaving the `with` block without a `commit()` removes it.
    """

    def __init__(self, key: str, path: Path, temp: Path, meta_path: Path) -> None:
        self._key = key
        self._path = path
        self._temp_dir = temp
        self._meta_path = meta_path
        self._md5 = hashlib.md5(usedforsecurity=False)  # what S3 calls the ETag of a single PUT
        self._sha256 = hashlib.sha256()
        self._temp = temp / uuid4().hex
        self.size_bytes = 0
        try:
            self._descriptor = os.open(self._temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except OSError as error:
            raise StorageUnavailableError(f"writing {key}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._temp.unlink(missing_ok=True)

    @property
    def sha256(self) -> bytes:
        """The digest of what has arrived so far."""
        return self._sha256.digest()

    @property
    def md5(self) -> bytes:
        """The MD5 of what has arrived so far."""
        return self._md5.digest()

    def write(self, block: bytes | bytearray | memoryview) -> None:
        """Append a block."""
        self._md5.update(block)
        self._sha256.update(block)
        view = memoryview(block)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise StorageUnavailableError(f"writing {self._key}: {error.strerror}") from error
        self.size_bytes += len(block)

    def commit(self, *, content_type: str, replace: bool = True) -> StoredObject:
        """Make the object visible, durably: file, then name, then directory.

        Raises:
            ObjectExistsError: `replace` is False and there is one already.
            StorageUnavailableError: the disk refused.
        """
        try:
            os.fsync(self._descriptor)
            stat = os.fstat(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            _make_directory(self._path.parent)
            if replace:
                self._temp.replace(self._path)
            else:
                self._claim()
            _sync_directory(self._path.parent)
        except OSError as error:
            raise StorageUnavailableError(f"writing {self._key}: {error.strerror}") from error
        digests = Digests(self._md5.hexdigest(), self._sha256.hexdigest())
        _write_sidecar(self._meta_path, self._temp_dir, stat, digests, content_type)
        return StoredObject(
            key=self._key,
            size_bytes=stat.st_size,
            etag=f'"{digests.md5}"',
            sha256=digests.sha256,
            content_type=content_type,
            modified_at=datetime.fromtimestamp(stat.st_mtime, UTC),
        )

    def _claim(self) -> None:
        """Take the name unless it is taken: a hard link is a file system's only test-and-set."""
        try:
            os.link(self._temp, self._path)
        except FileExistsError:
            raise ObjectExistsError(self._key) from None
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # FAT and some network file systems: a moment of race is what they leave us.
            if self._path.exists():
                raise ObjectExistsError(self._key) from None
            self._temp.replace(self._path)


def _read_sidecar(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_sidecar(
    path: Path, temp_dir: Path, stat: os.stat_result, digests: Digests, content_type: object
) -> None:
    """Best effort and without fsync: if it is lost, the next reader computes it again."""
    content = {
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "md5": digests.md5,
        "sha256": digests.sha256,
        "content_type": content_type,
    }
    temp = temp_dir / uuid4().hex
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temp.write_text(json.dumps(content))
        temp.replace(path)


def _digest(file: BinaryIO) -> Digests:
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    file.seek(0)
    while block := file.read(_READ_BYTES):
        md5.update(block)
        sha256.update(block)
    file.seek(0)
    return Digests(md5.hexdigest(), sha256.hexdigest())


def _make_directory(path: Path) -> None:
    """`mkdir -p` where every new name is on disk before anything is put below it."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
