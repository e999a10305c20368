"""What `fit` will do to a file, decided from its facts alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._errors import CannotFitError
from ._facts import MediaFacts
from ._limits import FPS_TOLERANCE, ORDINARY_PIXELS, MediaLimits, check_limits
from ._orientation import fit_inside

# Containers whose H.264 packets an MP4 takes as they are.
_COPIED_FROM = ("mp4", "quicktime", "matroska", "flv")
AUDIO_BITS = 128_000
# A calm picture needs less (the quality is bounded too), a lively one does not gain from more.
MOST_VIDEO_BITS = 4_000_000
LEAST_VIDEO_BITS = 300_000
# Of the target, so that the index and an unlucky encoder still fit.
_SAFETY = 0.94


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How the picture and the sound of a copy are made. Bits are per second."""

    picture: Literal["copy", "encode"]
    sound: Literal["copy", "encode", "none"]
    width: int
    height: int
    max_fps: float
    video_bits: int
    audio_bits: int

    def encoded(self) -> FitPlan:
        """The same copy with nothing taken over unchanged."""
        sound: Literal["encode", "none"] = "none" if self.sound == "none" else "encode"
        return FitPlan(
            "encode",
            sound,
            self.width,
            self.height,
            self.max_fps,
            self.video_bits,
            AUDIO_BITS if sound == "encode" else 0,
        )


def plan_fit(facts: MediaFacts, limits: MediaLimits) -> FitPlan:
    """Decide between repacking (no loss, a second) and encoding again (minutes).

    Raises:
        CannotFitError: It is too long, and nothing is ever cut (B-43).
    """
    for violation in check_limits(facts, limits):
        if not violation.fixable_by_fit:
            raise CannotFitError(
                violation.code, violation.sentence, measured=str(violation.measured)
            )
    width, height = fit_inside((facts.width, facts.height), limits.long_side, limits.short_side)
    sound: Literal["copy", "encode", "none"] = "none"
    if facts.audio_codec is not None:
        sound = "copy" if facts.audio_codec == "aac" and _repackable(facts) else "encode"
    audio_bits = 0 if sound == "none" else AUDIO_BITS
    seconds = max(1.0, facts.duration_ms / 1000)
    room = int(limits.target_bytes * 8 * _SAFETY / seconds) - audio_bits
    return FitPlan(
        picture="copy" if _picture_is_fine(facts, limits) else "encode",
        sound=sound,
        width=max(2, width // 2 * 2),
        height=max(2, height // 2 * 2),
        max_fps=limits.max_fps,
        video_bits=min(MOST_VIDEO_BITS, max(LEAST_VIDEO_BITS, room)),
        audio_bits=audio_bits,
    )


def _picture_is_fine(facts: MediaFacts, limits: MediaLimits) -> bool:
    return (
        facts.video_codec == "h264"
        and facts.pixel_format in ORDINARY_PIXELS
        and _repackable(facts)
        and facts.size_bytes <= limits.target_bytes
        and max(facts.width, facts.height) <= limits.long_side
        and min(facts.width, facts.height) <= limits.short_side
        and (facts.fps is None or facts.fps <= limits.max_fps + FPS_TOLERANCE)
    )


def _repackable(facts: MediaFacts) -> bool:
    return facts.container in _COPIED_FROM
