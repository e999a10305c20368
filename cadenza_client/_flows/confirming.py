"""Having what is stored compared with what was sent.

A v2 server does it and signs for it. A v1 server has no such route: we ask its store ourselves,
and the receipt says no more than we saw.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from cadenza_client._call import Flow
from cadenza_client._endpoints import submissions as endpoints
from cadenza_client._flows.reading import get, is_unknown_route, stored_object
from cadenza_client.errors import (
    APIError,
    ChecksumMismatchError,
    NotUploadedYetError,
    SizeMismatchError,
)
from cadenza_client.models import Confirmation, Receipt

__all__ = ["confirm"]


def confirm(
    submission_id: UUID | str,
    *,
    size_bytes: int,
    sha256: str | None,
    md5: str | None,
    thumbnail: bool,
    reply_seconds: float | None,
) -> Flow[Confirmation]:
    """Have the server check what is stored; a v1 server's store is asked by ourselves."""
    try:
        return (
            yield from endpoints.confirm(
                submission_id,
                size_bytes=size_bytes,
                sha256=sha256,
                thumbnail=thumbnail,
                reply_seconds=reply_seconds,
            )
        )
    except APIError as error:
        if not is_unknown_route(error):
            raise
    return (yield from _prove(submission_id, size_bytes=size_bytes, md5=md5))


def _prove(submission_id: UUID | str, *, size_bytes: int, md5: str | None) -> Flow[Confirmation]:
    facts = yield from stored_object(submission_id)
    if facts is None:
        raise NotUploadedYetError(code="not_uploaded_yet", status_code=409)
    if facts.size_bytes != size_bytes:
        raise SizeMismatchError(
            code="size_mismatch",
            status_code=409,
            fields={"stored": facts.size_bytes, "announced": size_bytes},
        )
    verified: Literal["size", "md5"] = "size"
    if md5 is not None and facts.etag_is_md5 and facts.etag is not None:
        if facts.etag.strip('"').lower() != md5.lower():
            raise ChecksumMismatchError(code="checksum_mismatch", status_code=409)
        verified = "md5"
    submission = yield from get(submission_id)
    receipt = Receipt(
        asset_id=submission.id,
        s3_key=submission.s3_key,
        size_bytes=facts.size_bytes,
        etag=facts.etag,
        verified=verified,
        confirmed_at=facts.at.replace(microsecond=0),
    )
    return Confirmation(submission=submission, receipt=receipt, profile="v1")
