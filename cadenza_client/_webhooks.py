"""Checking that a posted event comes from the server and is of now (Standard Webhooks).

Pure but for the clock, which may be given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pydantic

from cadenza_client.errors import WebhookVerificationError
from cadenza_client.models import LiveEvent

__all__ = ["verify_webhook"]

_PREFIX = "whsec_"
_VERSION = "v1"
_MOST_SIGNATURES = 20
"""While a secret is being exchanged a post carries two; nobody honest sends dozens."""


def verify_webhook(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime | None = None,
    tolerance_seconds: float = 300.0,
) -> LiveEvent:
    """The event of a posted request, once it is known to come from the server and to be fresh.

    Deliveries are repeated until they are answered with a 2xx: tell repeats by the event's `id`.

    Args:
        secret: from the webhook's creation; several while it is being exchanged.
        headers: of the request, in whatever case.
        body: exactly the bytes that came, not parsed and written again.
        now: the time, aware; the clock's if left out.
        tolerance_seconds: how far the post's time may be from it, either way.

    Raises:
        WebhookVerificationError: a header is missing, no signature fits, it is too old or from
            the future, or it is no event. Nothing in the request should be believed.
        ValueError: the secret is none.
    """
    keys = [_key(one) for one in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise ValueError("no secret was given")
    given = {name.lower(): value for name, value in headers.items()}
    message_id = _header(given, "webhook-id")
    sent_at = _header(given, "webhook-timestamp")
    signatures = _header(given, "webhook-signature").split()[:_MOST_SIGNATURES]
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= 12):
        raise WebhookVerificationError("webhook-timestamp is not a number of seconds")
    signed = f"{message_id}.{sent_at}.".encode() + body
    # Every signature with every key, so that the time it takes tells nothing of which fits.
    fits = [_fits(signature, key, signed) for signature in signatures for key in keys]
    if not any(fits):
        raise WebhookVerificationError("no signature fits: another secret, or a changed body")
    age_seconds = (now or datetime.now(UTC)).timestamp() - int(sent_at)
    if abs(age_seconds) > tolerance_seconds:
        when = "too old" if age_seconds > 0 else "from the future"
        raise WebhookVerificationError(f"the post is {when}: {abs(age_seconds):.0f} seconds")
    return _event(body)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not key:
        # Outside: the library's text might repeat what it could not read.
        raise ValueError(f"the secret is not one: it is {_PREFIX} and base64")
    return key


def _header(given: Mapping[str, str], name: str) -> str:
    value = given.get(name, "").strip()
    if not value:
        raise WebhookVerificationError(f"the header {name} is missing")
    return value


def _fits(signature: str, key: bytes, signed: bytes) -> bool:
    version, _, told = signature.partition(",")
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(told.encode(), expected.encode()) and version == _VERSION


def _event(body: bytes) -> LiveEvent:
    try:
        return LiveEvent.model_validate_json(body)
    except pydantic.ValidationError:
        pass
    raise WebhookVerificationError("the body is not an event")
