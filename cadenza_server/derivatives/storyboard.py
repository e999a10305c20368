"""The storyboard: at most 100 small pictures in one, for the scrubber. Runs in the child."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from cadenza_server.derivatives.opening import (
    Facts,
    UnusableError,
    decoded,
    opened,
    picture_of,
)

MAX_TILES = 100
COLUMNS = 10
_LONG_SIDE = 160
_MIN_INTERVAL_MS = 1000
_QUALITY = 70


def make_storyboard(path: Path, destination: Path, facts: Facts) -> dict[str, Any]:
    """Write the JPEG; returns what a page needs to show a part of it.

    Raises:
        UnusableError: `damaged` when no picture can be decoded.
    """
    interval_ms = max(_MIN_INTERVAL_MS, ceil(facts.duration_ms / MAX_TILES / 100) * 100)
    count = min(MAX_TILES, max(1, ceil(facts.duration_ms / interval_ms)))
    width, height = tile_size(facts.width, facts.height)
    columns = min(COLUMNS, count)
    rows = ceil(count / columns)
    sheet = Image.new("RGB", (columns * width, rows * height))
    shown = 0
    last: Image.Image | None = None
    only_keys = _keyframes_suffice(facts, interval_ms)
    # With key frames alone a tile shows the one next to its moment, before or after.
    early_ms = interval_ms / 2 if only_keys else 1
    for moment_ms, frame in _frames(path, facts, only_keys=only_keys):
        while shown < count and shown * interval_ms <= moment_ms + early_ms:
            last = _tile(frame, facts.rotation, width, height) if last is None else last
            sheet.paste(last, _place(shown, columns, width, height))
            shown += 1
        last = None
        if shown >= count:
            break
    if shown == 0:
        raise UnusableError("damaged")
    _fill(sheet, shown, count, (columns, width, height))
    sheet.save(destination, "JPEG", quality=_QUALITY, optimize=True)
    return {
        "columns": columns,
        "rows": rows,
        "count": count,
        "tile_width": width,
        "tile_height": height,
        "interval_ms": interval_ms,
    }


def tile_size(width: int, height: int) -> tuple[int, int]:
    """A tile's size: the long side is fixed, the shape is the video's."""
    scale = _LONG_SIDE / max(width, height)
    return max(2, round(width * scale)), max(2, round(height * scale))


def _frames(path: Path, facts: Facts, *, only_keys: bool) -> Iterator[tuple[float, VideoFrame]]:
    with opened(path) as container:
        stream = picture_of(container)
        stream.thread_type = "AUTO"
        if only_keys:
            stream.codec_context.skip_frame = "NONKEY"
        yield from _moments(decoded(container, stream), stream, facts)


def _moments(
    frames: Iterator[VideoFrame], stream: VideoStream, facts: Facts
) -> Iterator[tuple[float, VideoFrame]]:
    for frame in frames:
        if frame.pts is not None and stream.time_base is not None:
            yield (float(frame.pts * stream.time_base) - facts.origin) * 1000, frame


def _keyframes_suffice(facts: Facts, interval_ms: int) -> bool:
    """Whether key frames are so close that every tile has one near: then only those are decoded."""
    moments = [*facts.keyframes, facts.duration_ms / 1000]
    gaps = [after - before for before, after in pairwise(moments)]
    return bool(gaps) and max(gaps) * 1000 <= 2 * interval_ms


def _tile(frame: VideoFrame, rotation: int, width: int, height: int) -> Image.Image:
    stored = (height, width) if rotation in (90, 270) else (width, height)
    small_frame = frame.reformat(width=stored[0], height=stored[1], format="rgb24")
    small: Image.Image = small_frame.to_image()  # type: ignore[no-untyped-call] # of PyAV
    return small.rotate(rotation, expand=True) if rotation else small


def _place(at: int, columns: int, width: int, height: int) -> tuple[int, int]:
    return at % columns * width, at // columns * height


def _fill(sheet: Image.Image, shown: int, count: int, shape: tuple[int, int, int]) -> None:
    """The last picture again, where the video has none (it ends before its sound)."""
    columns, width, height = shape
    x, y = _place(shown - 1, *shape)
    last = sheet.crop((x, y, x + width, y + height))
    for at in range(shown, count):
        sheet.paste(last, _place(at, columns, width, height))
