"""The rules of an upload: what a client may still send, and when what arrived is good. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cadenza_server.errors import ApiError
from cadenza_server.keys import is_webm
from cadenza_server.settings import ServerSettings
from cadenza_server.sniff import is_video
from cadenza_server.storage import PutPromise, StoredObject
from cadenza_server.tables import MediaAsset

LONG_SIDE = 1280
SHORT_SIDE = 720


@dataclass(frozen=True)
class Announced:
    """What a client said about its bytes; None where it said nothing."""

    size_bytes: int | None = None
    sha256: str | None = None


def declared(asset: MediaAsset) -> Announced:
    """What was said at creation."""
    return Announced(asset.declared_size, asset.declared_sha256)


def is_v2(asset: MediaAsset) -> bool:
    """True for a client that declares or confirms, and so never needs to overwrite (B-24)."""
    return (
        asset.declared_size is not None
        or asset.declared_sha256 is not None
        or asset.confirmed_by == "client"
        or is_webm(asset.content_type)
    )


def is_unverified(asset: MediaAsset) -> bool:
    """True for a take that was found lazily, in a store that tells no checksum to compare."""
    return (
        asset.confirmed_by == "lazy" and asset.declared_sha256 is not None and asset.sha256 is None
    )


def is_frozen(asset: MediaAsset, *, is_closed: bool) -> bool:
    """True when the video's bytes are settled: no URL that could change them is given any more.

    A v1 client can't confirm and may honestly send again after a lost answer, so its bytes settle
    with the review (B-24). What never arrived is never frozen, reviewed or not: the take may
    still be on its way.
    """
    if asset.confirmed_at is None or is_unverified(asset):
        return False
    return is_v2(asset) or is_closed


def video_promise(asset: MediaAsset) -> PutPromise:
    """What to sign into the video's upload URL: all that was declared (B-13).

    `If-None-Match: *` goes with it, so that a URL which is still alive after the confirm can't
    replace anything (SEC-08). Not after a refused confirm: those bytes have to be replaced.
    """
    said = declared(asset)
    return PutPromise(
        content_type=asset.content_type,
        size_bytes=said.size_bytes,
        sha256=said.sha256,
        if_none_match=said != Announced() and asset.state_reason is None,
    )


def thumbnail_promise(asset: MediaAsset) -> PutPromise:
    """What to sign into the thumbnail's upload URL."""
    size = asset.declared_thumbnail_size
    return PutPromise("image/jpeg", size_bytes=size, if_none_match=size is not None)


def check_resolution(width: int | None, height: int | None) -> None:
    """Long side ≤ 1280 and short side ≤ 720, after rotation (B-15).

    Raises:
        ApiError: `resolution_exceeded`, with what was measured.
    """
    if width is None or height is None:
        return
    if max(width, height) > LONG_SIDE or min(width, height) > SHORT_SIDE:
        raise ApiError(
            "resolution_exceeded",
            f"The take is {width} × {height}; at most {LONG_SIDE} × {SHORT_SIDE} is taken.",
            fields={"width": width, "height": height, "max": [LONG_SIDE, SHORT_SIDE]},
        )


def check_content_type(content_type: str, settings: ServerSettings) -> None:
    """Refuse a WebM where no MP4 would be made of it: few browsers could play it.

    Raises:
        ApiError: `unsupported_media`.
    """
    if is_webm(content_type) and settings.derivatives == "off":
        raise ApiError("unsupported_media", "This server takes MP4 only.")


def check_size(size_bytes: int | None, max_bytes: int) -> None:
    """Raise 413 `too_large` over the hard cap (B-14)."""
    if size_bytes is not None and size_bytes > max_bytes:
        raise ApiError(
            "too_large",
            f"The video has {size_bytes} bytes; at most {max_bytes} are taken.",
            fields={"size_bytes": size_bytes, "max_bytes": max_bytes},
        )


def check_stored(stored: StoredObject, start: bytes, *announced: Announced, max_bytes: int) -> None:
    """Whether what the store has is what was announced, and a video.

    Args:
        stored: what the store has.
        start: its first bytes.
        announced: at creation, at the confirm.
        max_bytes: the hard cap.

    Raises:
        ApiError: `too_large`, `size_mismatch`, `checksum_mismatch` or `unsupported_media`.
    """
    check_size(stored.size_bytes, max_bytes)
    for said in announced:
        check_same(said, size_bytes=stored.size_bytes, sha256=stored.sha256)
    if not is_video(start):
        raise ApiError("unsupported_media")


def check_same(said: Announced, *, size_bytes: int, sha256: str | None) -> None:
    """Raise `size_mismatch` or `checksum_mismatch` unless these are the announced bytes."""
    if said.size_bytes is not None and said.size_bytes != size_bytes:
        raise ApiError(
            "size_mismatch",
            f"The stored video has {size_bytes} bytes, {said.size_bytes} were announced.",
            fields={"stored": size_bytes, "announced": said.size_bytes},
        )
    if said.sha256 is not None and sha256 is not None and said.sha256 != sha256:
        raise ApiError("checksum_mismatch", fields={"stored": sha256, "announced": said.sha256})
