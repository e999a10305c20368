"""Receipts: the server's signed word that a recording is safe, the licence to delete it locally."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from cadenza_server.clock import Timestamp, wire_time
from cadenza_server.keyring import Keyring

Verified = Literal["sha256", "size"]


class Receipt(BaseModel):
    """Proof of one confirmed object.

    The signature is HMAC-SHA256, base64, over the other fields as JSON with sorted keys and no
    spaces. Only the server can check it; a client compares size and sha256 with its own file.
    """

    model_config = ConfigDict(frozen=True)

    asset_id: UUID
    s3_key: str
    size_bytes: int
    sha256: str | None = Field(description="of the stored bytes; null when the store knows none")
    etag: str = Field(examples=['"9b2cf535f27731c974343645a3985328"'])
    verified: Verified = Field(description="what the server compared: sha256, or only the size")
    confirmed_at: Timestamp
    key_id: str
    signature: str


def issue_receipt(
    keyring: Keyring,
    *,
    asset_id: UUID,
    s3_key: str,
    size_bytes: int,
    sha256: str | None,
    etag: str,
    confirmed_at: datetime,
) -> Receipt:
    """Sign a receipt with the current key."""
    unsigned = Receipt(
        asset_id=asset_id,
        s3_key=s3_key,
        size_bytes=size_bytes,
        sha256=sha256,
        etag=etag,
        verified="sha256" if sha256 else "size",
        confirmed_at=confirmed_at,
        key_id=keyring.current_id,
        signature="",
    )
    signature = base64.b64encode(keyring.sign("receipt", _message(unsigned))).decode()
    return unsigned.model_copy(update={"signature": signature})


def verify_receipt(keyring: Keyring, receipt: Receipt) -> bool:
    """True when this server (or one with its secrets) signed exactly this."""
    try:
        signature = base64.b64decode(receipt.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return keyring.verify("receipt", receipt.key_id, _message(receipt), signature)


def _message(receipt: Receipt) -> bytes:
    fields = receipt.model_dump(mode="json", exclude={"signature"})
    fields["confirmed_at"] = wire_time(receipt.confirmed_at)
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
