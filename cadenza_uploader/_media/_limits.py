"""The limits of a take, as pure decisions over measured facts.

B-14 duration, B-15 picture, B-16 containers, B-17 size, B-29 rounding, B-52 codecs. Every
violation says what was measured and what is allowed, and whether `fit` can help.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ._facts import MediaFacts, MediaWarning

# A camera's "60 fps" is measured as 59.94 to 60.03, and variable rates wander a little more.
FPS_TOLERANCE = 0.5
VERY_SHORT_MS = 2_000

# Containers a phone, a browser and the teacher's page all play.
PLAYABLE_CONTAINERS = ("mp4", "quicktime")
# 8-bit 4:2:0, the only H.264 that every browser and phone decodes.
ORDINARY_PIXELS = ("yuv420p", "yuvj420p")

_NAMES = {
    "aac": "AAC",
    "av1": "AV1",
    "avi": "AVI",
    "flv": "Flash video",
    "h264": "H.264",
    "hevc": "HEVC (H.265)",
    "matroska": "Matroska",
    "mp2": "MP2",
    "mp3": "MP3",
    "mp4": "MP4",
    "mpeg": "MPEG program stream",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4 Part 2",
    "mpegts": "MPEG transport stream",
    "opus": "Opus",
    "quicktime": "QuickTime",
    "vorbis": "Vorbis",
    "vp8": "VP8",
    "vp9": "VP9",
    "webm": "WebM",
}


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What a take may be at most. Seconds, pixels, frames per second, bytes."""

    max_seconds: float = 180.0
    grace_seconds: float = 0.5
    long_side: int = 1280
    short_side: int = 720
    max_fps: float = 60.0
    target_bytes: int = 50_000_000
    max_bytes: int = 250_000_000


@dataclass(frozen=True, slots=True)
class LimitViolation:
    """One limit a file does not keep.

    Codes: ``container_unsupported``, ``codec_unsupported``, ``duration_exceeded``,
    ``resolution_exceeded``, ``fps_exceeded``, ``too_large``. `measured` and `limit` are in the
    unit of the code: seconds, ``1920x1080``, frames per second, bytes, or a name.
    """

    code: str
    measured: float | int | str
    limit: float | int | str
    sentence: str
    fixable_by_fit: bool


def check_limits(
    facts: MediaFacts, limits: MediaLimits | None = None
) -> tuple[LimitViolation, ...]:
    """Every limit the file breaks, in the order a person would want to hear them."""
    return tuple(_violations(facts, limits or MediaLimits()))


def _violations(facts: MediaFacts, limits: MediaLimits) -> Iterator[LimitViolation]:
    yield from _duration(facts, limits)
    yield from _picture(facts, limits)
    yield from _formats(facts)
    if facts.size_bytes > limits.max_bytes:
        yield LimitViolation(
            "too_large",
            facts.size_bytes,
            limits.max_bytes,
            f"The file is {_megabytes(facts.size_bytes)}; "
            f"the most a take may be is {_megabytes(limits.max_bytes)}.",
            fixable_by_fit=True,
        )


def _duration(facts: MediaFacts, limits: MediaLimits) -> Iterator[LimitViolation]:
    # Half-open, so that an accepted take never rounds to more whole seconds than allowed (B-29):
    # 180.499 is told to the server as 180, 180.500 would be 181.
    if facts.duration_ms >= round((limits.max_seconds + limits.grace_seconds) * 1000):
        seconds = facts.duration_ms / 1000
        yield LimitViolation(
            "duration_exceeded",
            seconds,
            limits.max_seconds,
            f"The take lasts {_clock(seconds)}; the limit is {_clock(limits.max_seconds)}. "
            "Cadenza never cuts a take: record a shorter one.",
            fixable_by_fit=False,
        )


def _picture(facts: MediaFacts, limits: MediaLimits) -> Iterator[LimitViolation]:
    long_side, short_side = max(facts.width, facts.height), min(facts.width, facts.height)
    if long_side > limits.long_side or short_side > limits.short_side:
        yield LimitViolation(
            "resolution_exceeded",
            f"{facts.width}x{facts.height}",
            f"{limits.long_side}x{limits.short_side}",
            f"The picture is {facts.width}×{facts.height}; "
            f"at most {limits.long_side}×{limits.short_side} (or upright "
            f"{limits.short_side}×{limits.long_side}) is allowed.",
            fixable_by_fit=True,
        )
    if facts.fps is not None and facts.fps > limits.max_fps + FPS_TOLERANCE:
        yield LimitViolation(
            "fps_exceeded",
            round(facts.fps, 2),
            limits.max_fps,
            f"The video has {facts.fps:.4g} frames per second; "
            f"at most {limits.max_fps:g} are allowed.",
            fixable_by_fit=True,
        )


def _formats(facts: MediaFacts) -> Iterator[LimitViolation]:
    if facts.container not in PLAYABLE_CONTAINERS:
        yield LimitViolation(
            "container_unsupported",
            facts.container,
            "mp4",
            f"The file is {display_name(facts.container)}; "
            "an MP4 or QuickTime file is needed, so that it plays everywhere.",
            fixable_by_fit=True,
        )
    if facts.video_codec != "h264":
        yield LimitViolation(
            "codec_unsupported",
            facts.video_codec,
            "h264",
            f"The picture is coded as {display_name(facts.video_codec)}; "
            "H.264 is needed, so that it plays everywhere.",
            fixable_by_fit=True,
        )
    if facts.audio_codec not in ("aac", None):
        yield LimitViolation(
            "codec_unsupported",
            facts.audio_codec,
            "aac",
            f"The sound is coded as {display_name(facts.audio_codec)}; "
            "AAC is needed, so that it plays everywhere.",
            fixable_by_fit=True,
        )


def advice(facts: MediaFacts, limits: MediaLimits | None = None) -> tuple[MediaWarning, ...]:
    """The warnings that follow from the facts and the limits alone."""
    limits = limits or MediaLimits()
    return tuple(_advice(facts, limits))


def _advice(facts: MediaFacts, limits: MediaLimits) -> Iterator[MediaWarning]:
    if facts.audio_codec is None:
        yield MediaWarning("no_audio", "The take has no sound.")
    if facts.duration_ms < VERY_SHORT_MS:
        yield MediaWarning(
            "very_short", f"The take lasts only {facts.duration_ms / 1000:.1f} seconds."
        )
    if limits.target_bytes < facts.size_bytes <= limits.max_bytes:
        yield MediaWarning(
            "over_target_size",
            f"The file is {_megabytes(facts.size_bytes)}, more than the "
            f"{_megabytes(limits.target_bytes)} a take usually needs; the upload will take long. "
            "--fit makes a smaller copy.",
        )
    if facts.video_codec == "h264" and facts.pixel_format not in (*ORDINARY_PIXELS, None):
        yield MediaWarning(
            "rare_pixel_format",
            f"This is an unusual kind of H.264 ({facts.pixel_format}) that some phones and "
            "browsers do not play; --fit makes an ordinary copy.",
        )


def display_name(name: str) -> str:
    """A codec or container as people write it."""
    return _NAMES.get(name, name)


def _megabytes(size_bytes: int) -> str:
    # Rounded up, so that one byte too many never reads as "250 MB; the most is 250 MB".
    return f"{math.ceil(size_bytes / 100_000) / 10:g} MB"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:02.0f}" if rest == int(rest) else f"{int(minutes)}:{rest:04.1f}"
