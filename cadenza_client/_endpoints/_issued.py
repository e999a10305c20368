"""Upload URLs as the API gives them out, checked before anything is sent to them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import pydantic

from cadenza_client._urls import check_names_object
from cadenza_client.models import UploadTarget

__all__ = ["Issued", "as_uuid"]

_V1_URL_SECONDS = 3600
"""F000-51: what a v1 server signs for when it does not say."""

_Headers = Annotated[
    dict[str, str], pydantic.BeforeValidator(lambda value: {} if value is None else value)
]


class Issued(pydantic.BaseModel):
    """The part of an answer that says where to send a video and its thumbnail."""

    model_config = pydantic.ConfigDict(hide_input_in_errors=True)

    upload_url: str | None = None
    thumbnail_upload_url: str | None = None
    expires_in: int | None = None
    upload_headers: _Headers = {}
    thumbnail_upload_headers: _Headers = {}

    def video(self, *, s3_key: str | None, asset_id: UUID | None) -> UploadTarget | None:
        """Where the video goes.

        Raises:
            UnsafeUploadUrlError: the URL is for another object.
        """
        if self.upload_url is None:
            return None
        check_names_object(self.upload_url, s3_key=s3_key, submission_id=asset_id)
        return self._target(self.upload_url, self.upload_headers)

    def thumbnail(self, *, asset_id: UUID | None) -> UploadTarget | None:
        """Where the picture goes.

        Raises:
            UnsafeUploadUrlError: the URL is for another object.
        """
        if self.thumbnail_upload_url is None:
            return None
        check_names_object(self.thumbnail_upload_url, s3_key=None, submission_id=asset_id)
        return self._target(self.thumbnail_upload_url, self.thumbnail_upload_headers)

    def _target(self, url: str, headers: dict[str, str]) -> UploadTarget:
        expires_in = _V1_URL_SECONDS if self.expires_in is None else self.expires_in
        return UploadTarget(url=url, headers=headers, expires_in=expires_in)


def as_uuid(value: UUID | str) -> UUID | None:
    """The id as one; None for text that is none, which the server will refuse."""
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError:
        return None
