"""Where bytes go, what arrived, and how to fetch it again."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from cadenza_client._models.base import Model, Timestamp

__all__ = ["Fingerprint", "Playback", "Receipt", "StoredObject", "UploadTarget"]


def _null_as_nothing(value: Any) -> Any:
    return {} if value is None else value


class UploadTarget(Model):
    """Where to send one object, and the exact headers to send with it.

    `expires_in` is in seconds from the moment the ticket was received.
    """

    url: str = Field(repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    expires_in: int

    @property
    def checksum_verified_by_store(self) -> bool:
        """Whether the store itself refuses bytes with another sha256 (a signed checksum)."""
        return any(name.lower() == "x-amz-checksum-sha256" for name in self.headers)


class StoredObject(Model):
    """What the store said when it had taken the bytes.

    `sha256` (and `md5`) are set when they were computed while sending.
    """

    etag: str | None = None
    size_bytes: int
    sha256: str | None = None
    md5: str | None = None


class Fingerprint(Model):
    """What is in a file: what `NewSubmission` announces and a confirm compares."""

    size_bytes: int
    sha256: str
    md5: str


class Receipt(Model):
    """Proof that the server has the bytes; the licence to delete locally (I2).

    `verified` says what was compared with the stored object. From a v1 server there is no
    signature: the client itself looked at the object (`size`, or `md5` by its ETag).
    """

    asset_id: UUID
    s3_key: str
    size_bytes: int
    sha256: str | None = None
    etag: str | None = None
    verified: Literal["sha256", "size", "md5"]
    confirmed_at: Timestamp
    key_id: str | None = None
    signature: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_what_was_verified(cls, given: Any) -> Any:
        # A v2 server that does not say compared the sha256 if it has one, and the size always.
        if isinstance(given, dict) and "verified" not in given:
            facts = cast("dict[str, Any]", given)
            return {**facts, "verified": "sha256" if facts.get("sha256") else "size"}
        return cast("Any", given)


class Playback(Model):
    """Signed URLs to watch a video with, good for `expires_in` seconds.

    Attributes:
        storyboard_url: one JPEG of many small pictures, where the server has made it.
        waveform_url: JSON with the loudness over time, where the server has made it.
        derivatives: what the server measured, by kind: `storyboard` with its columns, rows and
            interval, `loudness` with its levels, `fps`, and what a later server adds.
    """

    video_url: str = Field(repr=False)
    thumbnail_url: str | None = Field(default=None, repr=False)
    storyboard_url: str | None = Field(default=None, repr=False)
    waveform_url: str | None = Field(default=None, repr=False)
    expires_in: int | None = None
    derivatives: Annotated[dict[str, Any], BeforeValidator(_null_as_nothing)] = Field(
        default_factory=dict
    )
