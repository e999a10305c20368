"""Signed requests to the built-in store: what S3's query signature binds, ours binds too.

Signed are the method, the key, the expiry, every query parameter, and the headers that the URL
names in `signed`. The values of those headers are taken from the request itself, so a request
that sends another length, type, checksum or condition than promised does not match (SEC-07).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from cadenza_server.keyring import Keyring

_VERSION = "cadenza-storage-1"


class MissingSignatureError(Exception):
    """The request carries no signature at all."""


class ExpiredError(Exception):
    """The URL was valid once."""

    def __init__(self, expired_at: int) -> None:
        super().__init__("Request has expired")
        self.expired_at = expired_at


class SignatureMismatchError(Exception):
    """Something differs from what was signed."""


@dataclass(frozen=True)
class Signer:
    """Makes and checks signatures with the server's storage keys."""

    keyring: Keyring

    def sign(
        self,
        method: str,
        key: str,
        *,
        expires_at: int,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> str:
        """The path and query of a signed request.

        Args:
            method: PUT, GET or HEAD; a URL for one is no good for another.
            key: the object's key.
            expires_at: Unix time in seconds.
            headers: lower-case name → value the request must carry.
            parameters: further query parameters (`response-content-disposition`).
        """
        query = {
            **(parameters or {}),
            "exp": str(expires_at),
            "kid": self.keyring.current_id,
        }
        if headers:
            query["signed"] = ";".join(sorted(headers))
        path, canonical = quote(key), _canonical(query)
        message = _message(method, path, canonical, headers or {})
        signature = _encode(self.keyring.sign("storage", message))
        return f"/storage/{path}?{canonical}&sig={signature}"

    def verify(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        now: float,
    ) -> None:
        """Check a request as it arrived.

        Raises:
            MissingSignatureError: there is nothing to check.
            ExpiredError: too late; checked first, as S3 does: the client then asks for a new URL.
            SignatureMismatchError: anything else.
        """
        unsigned = {name: value for name, value in query.items() if name != "sig"}
        signature, expires, key_id = query.get("sig"), query.get("exp"), query.get("kid")
        if not signature or not expires or not key_id:
            raise MissingSignatureError
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            raise SignatureMismatchError
        if now >= int(expires):
            raise ExpiredError(int(expires))
        names = [name for name in query.get("signed", "").split(";") if name]
        sent = {name: headers.get(name, "") for name in names}
        message = _message(method, quote(key), _canonical(unsigned), sent)
        if not self.keyring.verify("storage", key_id, message, _decode(signature)):
            raise SignatureMismatchError


def _canonical(query: Mapping[str, str]) -> str:
    return urlencode(sorted(query.items()), quote_via=quote)


def _message(method: str, path: str, query: str, headers: Mapping[str, str]) -> bytes:
    lines = [
        _VERSION,
        method,
        path,
        query,
        *(f"{name}:{value.strip()}" for name, value in sorted(headers.items())),
    ]
    return "\n".join(lines).encode()


def _encode(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
