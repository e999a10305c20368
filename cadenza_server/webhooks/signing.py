"""Signatures of webhooks, as standardwebhooks.com has them: any library of it verifies ours.

A webhook's secret is derived, never stored: the row holds the id of the server's key and a nonce,
and the secret is an HMAC of them. Whoever has the database, and not the server's own secret, can
sign nothing. Rotating the server's secret changes no webhook's: the id names the old one for as
long as it is kept among the previous secrets.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cadenza_server.keyring import Keyring

_PREFIX = "whsec_"


class SecretLostError(Exception):
    """The server's secret this webhook's was derived from is no longer configured."""


def new_seed(keyring: Keyring) -> str:
    """What to keep of a new webhook's secret."""
    return f"{keyring.current_id}.{secrets.token_hex(16)}"


def secret_of(keyring: Keyring, seed: str) -> str:
    """The secret as the receiver needs it: `whsec_` and 32 bytes in base64.

    Raises:
        SecretLostError: see there.
    """
    key_id, _, nonce = seed.partition(".")
    key = keyring.key("webhook", key_id)
    if key is None:
        raise SecretLostError
    digest = hmac.new(key, nonce.encode(), hashlib.sha256).digest()
    return _PREFIX + base64.b64encode(digest).decode()


def signed_headers(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers that prove where a body comes from, and when it was sent.

    Args:
        secret: the webhook's.
        event_id: the same for every attempt, so that the receiver can tell repeats.
        timestamp: of this attempt, in Unix seconds.
        body: the exact bytes that are posted.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    message = f"{event_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
