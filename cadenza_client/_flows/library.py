"""The picture of a page: read from disk, sent as the body."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from cadenza_client._call import MEBIBYTE, Flow, ReadFile
from cadenza_client._endpoints import library
from cadenza_client.models import PiecePage

__all__ = ["put_page"]

_LARGEST_IMAGE_BYTES = 10 * MEBIBYTE
_PNG = b"\x89PNG\r\n\x1a\n"


def put_page(
    piece_id: UUID | str,
    number: int,
    image_path: Path,
    *,
    measure_start: int | None,
    measure_end: int | None,
) -> Flow[PiecePage]:
    """Send a picture; its kind is told by its first bytes, not by its name (M01)."""
    image = yield from ReadFile(image_path, _LARGEST_IMAGE_BYTES)
    return (
        yield from library.put_page(
            piece_id,
            number,
            image,
            content_type="image/png" if image.startswith(_PNG) else "image/jpeg",
            measure_start=measure_start,
            measure_end=measure_end,
        )
    )
