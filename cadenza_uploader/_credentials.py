"""The sign-in at rest: the operating system's keyring, else a file only its owner can read.

The file is created with its mode and with O_EXCL, never widened and then narrowed; a laxer file
is refused with the command that mends it (SEC-11). One sign-in per server.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from cadenza_uploader._home import Home
from cadenza_uploader.errors import CredentialsError

_SERVICE = "cadenza"


@dataclass(frozen=True, slots=True)
class Credential:
    """Who is signed in at a server."""

    server_url: str
    user_id: int
    email: str
    full_name: str
    user_type: str | None
    token: str = field(repr=False)


class Keyring(Protocol):
    """The part of the keyring library that is used."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """A stored secret."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Store a secret."""

    def delete_password(self, service: str, username: str, /) -> None:
        """Remove a secret."""


def system_keyring() -> Keyring | None:
    """The keyring of this desktop; None where there is none (headless machines, no extra)."""
    try:
        keyring: Any = importlib.import_module("keyring")
        backend: Any = keyring.get_keyring()
    except ImportError:
        return None
    return keyring if getattr(backend, "priority", 0) > 0 else None


class CredentialStore:
    """Sign-ins of one home directory.

    Args:
        home: where the file lives when there is no keyring.
        keyring: None keeps everything in the file.
    """

    def __init__(self, home: Home, *, keyring: Keyring | None = None) -> None:
        self._home = home
        self._keyring = keyring

    def load(self, url: str) -> Credential | None:
        """The sign-in at this server, if there is one.

        Raises:
            CredentialsError: the file is readable by others, or is not what we wrote.
        """
        key = origin(url)
        if self._keyring is not None:
            secret = self._keyring.get_password(_SERVICE, key)
            if secret is not None:
                return _parse(secret)
        entry = self._read().get(key)
        return _credential(entry) if entry else None

    def save(self, credential: Credential) -> None:
        """Keep a sign-in, replacing an earlier one at the same server."""
        key = origin(credential.server_url)
        if self._keyring is not None:
            self._keyring.set_password(_SERVICE, key, json.dumps(asdict(credential)))
            return
        self._write({**self._read(), key: asdict(credential)})

    def forget(self, url: str) -> bool:
        """Sign out: wipe the token; whether there was one. Queued takes stay (A05)."""
        key, found = origin(url), False
        if self._keyring is not None and self._keyring.get_password(_SERVICE, key) is not None:
            self._keyring.delete_password(_SERVICE, key)
            found = True
        entries = self._read()
        if entries.pop(key, None) is not None:
            self._write(entries)
            found = True
        return found

    def _read(self) -> dict[str, Any]:
        path = self._home.credentials
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        with os.fdopen(fd, encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise CredentialsError(
                    f"{path} can be read by others (mode {mode:04o}). It was not used. Run: "
                    f"chmod 600 {path}"
                )
            try:
                content = json.load(file)
            except ValueError:
                raise CredentialsError(
                    f"{path} is damaged. Remove it and sign in again: cadenza login"
                ) from None
        return dict(content)

    def _write(self, entries: dict[str, Any]) -> None:
        self._home.prepare()
        path = self._home.credentials
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(entries, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def origin(url: str) -> str:
    """Scheme, host and port of a server: what a token belongs to (A07)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _parse(secret: str) -> Credential:
    try:
        return _credential(json.loads(secret))
    except ValueError:
        raise CredentialsError("The stored sign-in is damaged. Run: cadenza login") from None


def _credential(entry: dict[str, Any]) -> Credential:
    try:
        return Credential(**entry)
    except TypeError:
        raise CredentialsError("The stored sign-in is damaged. Run: cadenza login") from None
