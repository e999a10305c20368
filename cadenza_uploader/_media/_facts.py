"""What was measured in a file, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class MediaWarning:
    """Something the student may want to know; it never stops a take.

    Codes: ``no_audio``, ``silent``, ``clipped``, ``black``, ``very_short``, ``over_target_size``,
    ``several_video_streams``, ``header_lies``, ``location_inside``, ``odd_rotation``,
    ``odd_pixel_shape``, ``rare_pixel_format``, ``no_thumbnail``.
    """

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """The measured facts of one video.

    `width` and `height` are what a player shows: sample aspect ratio and rotation applied.
    `rotation` is clockwise, in degrees (0, 90, 180, 270), and is applied after `mirrored`.
    `duration_ms` is the whole presentation, sound included, measured and not taken from headers.
    """

    container: str
    size_bytes: int
    duration_ms: int
    width: int
    height: int
    rotation: int
    mirrored: bool
    fps: float | None
    video_codec: str
    audio_codec: str | None
    hdr: str | None
    interlaced: bool
    faststart: bool
    pixel_format: str | None = None
    warnings: tuple[MediaWarning, ...] = ()

    @property
    def duration_seconds(self) -> int:
        """Whole seconds for the server: floor(d + 0.5), at least 1 (B-29)."""
        return max(1, (self.duration_ms + 500) // 1000)

    def warned(self, *more: MediaWarning) -> MediaFacts:
        """The same facts with more warnings, each code once."""
        known = {warning.code for warning in self.warnings}
        fresh = tuple(warning for warning in more if warning.code not in known)
        return replace(self, warnings=self.warnings + fresh)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A probed file: its facts and, unless it could not be made, a small JPEG."""

    facts: MediaFacts
    thumbnail_jpeg: bytes | None = None


def facts_to_wire(facts: MediaFacts) -> dict[str, Any]:
    """A JSON-ready mapping of the facts."""
    return asdict(facts)


def facts_from_wire(wire: dict[str, Any]) -> MediaFacts:
    """The facts a probe process wrote.

    Raises:
        TypeError: A field is missing, unknown or of the wrong type.
    """
    plain = dict(wire)
    plain["warnings"] = tuple(MediaWarning(**each) for each in plain.get("warnings", ()))
    for name in ("size_bytes", "duration_ms", "width", "height", "rotation"):
        if not isinstance(plain.get(name), int):
            raise TypeError(f"{name} is not a whole number")
    return MediaFacts(**plain)
