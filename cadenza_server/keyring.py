"""The server's secrets, split by purpose: a leaked storage signature never helps to forge a token.

One configured secret gives one key for each purpose (HMAC of the purpose's name). Old secrets stay
readable by their id while new signatures use the current one, so a secret can be rotated without
signing anybody out or voiding a receipt.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

from cadenza_server.settings import ServerSettings

Purpose = Literal["token", "receipt", "storage", "cursor", "csrf", "webhook"]


@dataclass(frozen=True)
class Keyring:
    """Signing keys by id; `current_id` signs, all of them verify."""

    current_id: str
    _secrets: dict[str, bytes] = field(repr=False)

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> Keyring:
        """The current secret and the previous ones."""
        secrets = {
            key_id: secret.get_secret_value().encode()
            for key_id, secret in settings.previous_secrets.items()
        }
        secrets[settings.secret_id] = settings.secret.get_secret_value().encode()
        return cls(settings.secret_id, secrets)

    def key(self, purpose: Purpose, key_id: str | None = None) -> bytes | None:
        """The 32-byte key for a purpose, or None when the id is unknown."""
        secret = self._secrets.get(key_id or self.current_id)
        if secret is None:
            return None
        return hmac.new(secret, b"cadenza:" + purpose.encode(), hashlib.sha256).digest()

    def sign(self, purpose: Purpose, message: bytes) -> bytes:
        """HMAC-SHA256 with the current key."""
        key = self.key(purpose)
        assert key is not None
        return hmac.new(key, message, hashlib.sha256).digest()

    def verify(self, purpose: Purpose, key_id: str, message: bytes, signature: bytes) -> bool:
        """True when that key made this signature; compared in constant time (SEC-30)."""
        key = self.key(purpose, key_id)
        if key is None:
            return False
        expected = hmac.new(key, message, hashlib.sha256).digest()
        return hmac.compare_digest(expected, signature)
