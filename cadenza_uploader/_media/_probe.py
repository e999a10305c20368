"""Facts about one open file. Runs in the probe process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from ._facts import MediaFacts, MediaWarning
from ._measure import Extent, measure
from ._orientation import Orientation, display_size, orientation_of, usable_aspect
from ._reader import Media, reading
from ._source import examine, opened

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_PQ, _HLG = 16, 18
# The values are never read out: where somebody practises is no business of a log (M08).
_PLACE_KEYS = ("location", "com.apple.quicktime.location.iso6709", "location-eng")


def probe(path: str | os.PathLike[str]) -> MediaFacts:
    """Measure one file in this very process, without thumbnail or sound check.

    For files of our own making and for benchmarks; `inspect` isolates what others made.

    Raises:
        MediaError: As `inspect`.
    """
    with opened(path) as fd, reading(examine(fd)) as media:
        return look(media)[0]


def look(media: Media) -> tuple[MediaFacts, VideoFrame]:
    """The facts and the first frame of an open container."""
    extent, frame = measure(media)
    orientation = orientation_of(display_matrix_of(frame))
    stated_aspect = media.video.codec_context.sample_aspect_ratio
    aspect = usable_aspect(stated_aspect)
    width, height = display_size(frame.width, frame.height, aspect or Fraction(1), orientation)
    codec = media.video.codec_context
    facts = MediaFacts(
        container=media.source.container,
        size_bytes=media.source.size_bytes,
        duration_ms=round(extent.duration_seconds * 1000),
        width=width,
        height=height,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        fps=extent.fps,
        video_codec=codec.codec.canonical_name,
        audio_codec=media.audio.codec_context.codec.canonical_name if media.audio else None,
        hdr={_PQ: "pq", _HLG: "hlg"}.get(codec.color_trc),
        interlaced=frame.interlaced_frame,
        faststart=media.source.layout is None or media.source.layout.index_first,
        pixel_format=frame.format.name,
    )
    return facts.warned(*_warnings(media, extent, orientation, aspect is None)), frame


def display_matrix_of(frame: VideoFrame) -> bytes | None:
    """The raw display matrix: `frame.rotation` knows no mirror (85-media §0.10)."""
    try:
        return bytes(cast("Mapping[str, bytes]", frame.side_data)["DISPLAYMATRIX"])
    except KeyError:
        return None


def _warnings(
    media: Media, extent: Extent, orientation: Orientation, absurd_aspect: bool
) -> Iterator[MediaWarning]:
    if extent.header_lies:
        yield MediaWarning(
            "header_lies",
            "The file states another length than it has; the measured one is used: "
            f"{extent.duration_seconds:.1f} seconds.",
        )
    if extent.damaged_packets:
        yield MediaWarning("damaged_parts", "Some parts of the file are damaged.")
    if media.video_tracks > 1:
        yield MediaWarning(
            "several_video_streams",
            f"The file has {media.video_tracks} video tracks; the largest one counts.",
        )
    if not orientation.exact:
        yield MediaWarning(
            "odd_rotation", "The picture is turned by an odd angle; it may be shown askew."
        )
    if absurd_aspect:
        yield MediaWarning(
            "odd_pixel_shape", "The stated shape of the pixels is impossible and is ignored."
        )
    if any(key in _PLACE_KEYS for key in map(str.lower, media.container.metadata)):
        yield MediaWarning(
            "location_inside",
            "The file tells where it was recorded, and the teacher can read that; "
            "--fit makes a copy without it.",
        )
