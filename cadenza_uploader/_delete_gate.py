"""The licence to delete: all five conditions, or nothing goes (I2, decision 00 §4).

Deleting a recording that did not arrive is the one mistake that cannot be mended, so this is a
pure function over evidence, asked again after every restart, and every refusal has a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cadenza_uploader.take import Asset, Stage

#: What a receipt may say was compared with the stored object.
_PROOFS = ("sha256", "md5", "size")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at the moment of deletion.

    Attributes:
        stage: the take's stage, as stored.
        receipt: the server's receipt, as stored (condition e).
        video: the asset as it was queued.
        unchanged: whether the local file still holds those bytes (condition c); None when the
            file is gone already, which needs no licence.
        owned: whether the file lies in the spool (condition d).
        asked: whether the user asked for this file to go (`--delete-source`).
    """

    stage: Stage
    receipt: Mapping[str, Any] | None
    video: Asset
    unchanged: bool | None
    owned: bool
    asked: bool = False


def refusal(evidence: Evidence) -> str | None:
    """Why the file must stay, as a sentence; None when it may go."""
    receipt = evidence.receipt
    if evidence.stage < Stage.CONFIRMED:
        return "the server has not confirmed it"
    if receipt is None:
        return "there is no receipt"
    if receipt.get("size_bytes") != evidence.video.size_bytes:
        return "the receipt tells another size"
    if receipt.get("verified") not in _PROOFS:
        return "the receipt does not tell what was verified"
    if receipt.get("verified") != "sha256" and receipt.get("signature") is not None:
        # A server that signs receipts can verify a declared hash; one that did not is not trusted
        # with the only copy, even if it repeats the hash it was told. A v1 proof (size, or size
        # and MD5) is our own look at the store and carries no signature.
        return "the server did not verify the bytes"
    told = receipt.get("sha256")
    if told != evidence.video.sha256 and (told is not None or receipt["verified"] == "sha256"):
        return "the receipt tells other bytes"
    if evidence.unchanged is False:
        return "the local file is not the one that was sent"
    if not (evidence.owned or evidence.asked):
        return "the file is not ours"
    return None
