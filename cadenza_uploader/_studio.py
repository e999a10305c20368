"""Recording a take: the public door to the recorder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadenza_uploader._media import MediaFacts


def record_take(
    destination: Path,
    *,
    seconds: float = 180.0,
    pattern: str = "clock",
    tone_hz: float = 440.0,
    audio: bool = True,
    camera: str | None = None,
    realtime: bool = False,
    on_second: Callable[[float, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> MediaFacts:
    """Record a take that is within every limit: 720p H.264/AAC, at most 180 s (F000-22).

    Args:
        destination: the finished file; it appears there only when it is whole.
        seconds: wanted length; 180 s at most.
        pattern: what a synthetic take shows.
        tone_hz: what it sounds like.
        audio: False records without sound.
        camera: a device name of the operating system; None makes a synthetic take.
        realtime: let a synthetic take last as long as it plays.
        on_second: called as it goes with (elapsed, remaining) seconds.
        stop: polled; True ends the recording early, keeping what there is.

    Raises:
        MediaError: there is no such camera, or it cannot be recorded from.
    """
    from cadenza_uploader import _media

    length = min(seconds, 180.0)

    def tell(elapsed: float) -> None:
        if on_second is not None:
            on_second(elapsed, max(0.0, length - elapsed))

    return _media.record(
        destination,
        seconds=seconds,
        pattern=pattern,
        tone_hz=tone_hz,
        audio=audio,
        camera=camera,
        realtime=realtime,
        progress=tell,
        stop=stop,
    )
