"""The sign-in at rest: the operating system's keyring, else a file only its owner can read.

The file is created with its mode and with O_EXCL, never widened and then narrowed; a laxer file
is refused with the command that mends it (SEC-11). One sign-in per server.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from cadenza_uploader._home import Home
from cadenza_uploader.errors import CredentialsError

_SERVICE = "cadenza"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_T = TypeVar("_T")


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


def credential_store(home: Home) -> CredentialStore:
    """The sign-ins of a home, in this desktop's keyring where there is one."""
    return CredentialStore(home, keyring=system_keyring())


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
            CredentialsError: the file is readable by others, or is not what we wrote, or the
                keyring is locked.
        """
        key, keyring = origin(url), self._keyring
        if keyring is not None:
            secret = _asked(lambda: keyring.get_password(_SERVICE, key))
            if secret is not None:
                return _parse(secret)
        entry = self._read().get(key)
        return _credential(entry) if entry else None

    def save(self, credential: Credential) -> None:
        """Keep a sign-in, replacing an earlier one at the same server.

        Raises:
            CredentialsError: the keyring does not take it (it is never put into a file instead,
                unasked), or the file cannot be used.
        """
        key, keyring = origin(credential.server_url), self._keyring
        if keyring is None:
            self._write({**self._read(), key: asdict(credential)})
            return
        secret = json.dumps(asdict(credential))
        _asked(lambda: keyring.set_password(_SERVICE, key, secret))
        # A token that an earlier sign-in left in the file would only lie about.
        self._drop(key)

    def forget(self, url: str) -> bool:
        """Sign out: wipe the token; whether there was one. Queued takes stay (A05).

        Raises:
            CredentialsError: the keyring or the file cannot be used.
        """
        key, keyring, found = origin(url), self._keyring, False
        if keyring is not None:
            found = _asked(lambda: keyring.get_password(_SERVICE, key)) is not None
            if found:
                _asked(lambda: keyring.delete_password(_SERVICE, key))
        return self._drop(key) or found

    def _drop(self, key: str) -> bool:
        entries = self._read()
        if key not in entries:
            return False
        del entries[key]
        self._write(entries)
        return True

    def _read(self) -> dict[str, Any]:
        path = self._home.credentials
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CredentialsError(
                f"{path} cannot be used ({error.strerror}). It has to be a plain file of your own: "
                f"ls -l {path}"
            ) from None
        try:
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            if mode & 0o077:
                raise CredentialsError(
                    f"{path} can be read by others (mode {mode:04o}). It was not used. Run: "
                    f"chmod 600 {path}"
                )
            content: Any = json.loads(_read_all(fd))
        except (ValueError, OSError):
            content = None
        finally:
            os.close(fd)
        if not isinstance(content, dict):
            raise CredentialsError(f"{path} is damaged. Remove it and sign in again: cadenza login")
        return cast("dict[str, Any]", content)

    def _write(self, entries: dict[str, Any]) -> None:
        self._home.prepare()
        path = self._home.credentials
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(entries, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            # A token must not stay behind under another name.
            fresh.unlink(missing_ok=True)
            raise


def origin(url: str) -> str:
    """Scheme, host and port of a server: what a token belongs to (A07).

    Written in one way, so that `https://studio.example` and `HTTPS://Studio.Example:443/` are the
    same server, and a password somebody put into the address is not repeated (I10).
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port
    if ":" in host:
        host = f"[{host}]"
    shown = "" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def _asked(action: Callable[[], _T]) -> _T:
    """Use the keyring; a locked or broken one is not a crash (A04)."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001 - backends of all kinds raise errors of all kinds
        raise CredentialsError(
            f"The keyring cannot be used ({type(error).__name__}). Unlock it and try again."
        ) from None


def _read_all(fd: int) -> bytes:
    """Everything in a small file; a directory or a FIFO is an error or nothing."""
    blocks = list[bytes]()
    while block := os.read(fd, 65536):
        blocks.append(block)
    return b"".join(blocks)


def _parse(secret: str) -> Credential:
    try:
        entry = json.loads(secret)
    except ValueError:
        entry = None
    return _credential(entry)


def _credential(entry: Any) -> Credential:
    try:
        return _adapter().validate_python(entry)
    except ValueError:
        # Without the cause: it repeats what it was given, and that holds a token.
        raise CredentialsError("The stored sign-in is damaged. Run: cadenza login") from None


@cache
def _adapter() -> TypeAdapter[Credential]:
    return TypeAdapter(Credential)
