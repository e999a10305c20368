"""A small upright JPEG of the first frame that is not black. Runs in the probe process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from av.error import FFmpegError

# Imported here for their registration: the probe process may open no file later on.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
)

from ._facts import MediaFacts
from ._orientation import fit_inside
from ._reader import Media

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

LONG_SIDE = 480
QUALITY = 80
# How far into the take the first frame that is not black is looked for one by one.
LEAD_SECONDS = 2.0
# Then key frames at these parts of the take.
LATER_PARTS = (0.1, 0.3, 0.5, 0.75)
# The brightest pixel (of 255) of an area-averaged 64×36 picture. Below the first there is nothing
# to see; from the second on a frame is taken at once, so that a fade-in is not shown at its start.
_BLACK_BELOW, _CLEAR_FROM = 40, 80
_BT709, _UNSPECIFIED = 1, 2
_MAX_LEAD_FRAMES = 150

_TURNS = {
    1: Image.Transpose.ROTATE_270,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_90,
}
_REGISTERED = (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, PpmImagePlugin)


def thumbnail(media: Media, facts: MediaFacts, first_frame: VideoFrame) -> tuple[bytes, bool]:
    """The JPEG, and whether every frame looked at was black.

    HDR is converted plainly (its colours come out dull): a true conversion costs 1.5 s.
    """
    best, best_light = first_frame, -1
    for frame in _candidates(media, facts, first_frame):
        light = brightness(frame)
        if light > best_light:
            best, best_light = frame, light
        if light >= _CLEAR_FROM:
            break
    return _jpeg(best, facts), best_light < _BLACK_BELOW


def brightness(frame: VideoFrame) -> int:
    """The brightest spot, 0 to 255."""
    return max(_rgb(frame, 64, 36))


def _candidates(media: Media, facts: MediaFacts, first_frame: VideoFrame) -> Iterator[VideoFrame]:
    yield first_frame
    yield from _lead(media)
    for part in LATER_PARTS:
        yield from _key_frame_near(media, facts.duration_ms / 1000 * part)


def _lead(media: Media) -> Iterator[VideoFrame]:
    """Every frame of the first seconds, in order."""
    for count, frame in enumerate(_frames_from(media, 0.0)):
        if count >= _MAX_LEAD_FRAMES or (frame.time or 0.0) > LEAD_SECONDS:
            return
        yield frame


def _key_frame_near(media: Media, seconds: float) -> Iterator[VideoFrame]:
    """At most one frame: the key frame before `seconds`."""
    for frame in _frames_from(media, seconds):
        yield frame
        return


def _frames_from(media: Media, seconds: float) -> Iterator[VideoFrame]:
    unit = media.video.time_base or Fraction(1)
    try:
        target = int(seconds / unit) + (media.video.start_time or 0)
        media.container.seek(target, stream=media.video, backward=True)
        yield from media.container.decode(media.video)
    except (FFmpegError, OverflowError):
        return  # damaged there; the other candidates remain


def _jpeg(frame: VideoFrame, facts: MediaFacts) -> bytes:
    width, height = fit_inside((facts.width, facts.height), LONG_SIDE, LONG_SIDE)
    turns = facts.rotation // 90
    if turns % 2:
        width, height = height, width
    picture = Image.frombytes("RGB", (width, height), _rgb(frame, width, height))
    if facts.mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if turns:
        picture = picture.transpose(_TURNS[turns])
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def _rgb(frame: VideoFrame, width: int, height: int) -> bytes:
    """The frame scaled to exactly this size, as packed RGB without padding."""
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        interpolation="AREA",
        # Untagged HD is BT.709; swscale would take it for BT.601 and shift the greens.
        src_colorspace=_BT709 if frame.colorspace == _UNSPECIFIED and _is_hd(frame) else None,
        threads=1,
    )
    plane = rgb.planes[0]
    lines, step = bytes(plane), plane.line_size
    return b"".join(lines[row * step : row * step + 3 * width] for row in range(height))


def _is_hd(frame: VideoFrame) -> bool:
    return frame.height >= 576 or frame.width >= 1024
