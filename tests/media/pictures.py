"""Looking at small JPEGs."""

import io

from PIL import Image

from cadenza_uploader._media._inspect_job import answers
from cadenza_uploader._media._source import opened
from tests.media.cases import CORNERS


def thumbnail_of(path: object) -> bytes:
    """The thumbnail of a clip, made in this process."""
    with opened(str(path)) as fd:
        return [jpeg for _, jpeg in answers(fd, thumbnail=True, sound_check=False)][1]


def opened_jpeg(jpeg: bytes) -> Image.Image:
    """A JPEG as a picture."""
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    return picture.convert("RGB")


def corners_of(picture: Image.Image) -> str:
    """The colours of the corners, row by row."""
    width, height = picture.size
    places = [(x, y) for y in (0.1, 0.9) for x in (0.1, 0.9)]
    return " ".join(
        _nearest(picture.getpixel((int(width * x), int(height * y))))  # type: ignore[arg-type]
        for x, y in places
    )


def _nearest(pixel: tuple[int, int, int]) -> str:
    def away(name: str) -> int:
        return sum(abs(a - b) for a, b in zip(pixel, CORNERS[name], strict=True))

    name = min(CORNERS, key=away)
    # A wrong colour matrix shifts green and red by some 25.
    assert away(name) < 18, f"{pixel} is no corner"
    return name
