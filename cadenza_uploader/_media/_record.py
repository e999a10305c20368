"""Record a take: synthetic by default, from a camera when asked."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import CameraError
from ._facts import MediaFacts
from ._files import replace_durably
from ._picture import FPS, HEIGHT, WIDTH
from ._tone import SAMPLE_RATE, Tone

if TYPE_CHECKING:
    from ._camera import Captured
    from ._scene import Scene

MAX_SECONDS = 180
_PROGRESS_EVERY = Fraction(1, 5)


def record(
    destination: str | os.PathLike[str],
    *,
    seconds: float,
    pattern: str = "clock",
    tone_hz: float = 440.0,
    audio: bool = True,
    camera: str | None = None,
    microphone: str = "default",
    realtime: bool = False,
    progress: Callable[[float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> MediaFacts:
    """Record 720p H.264/AAC into `destination`, which appears only when it is complete.

    Nothing is recorded beyond 180 seconds, sound included (F000 limits): that is where it stops.

    Args:
        destination: The new file. It must not exist: a recording is never overwritten.
        seconds: How long to record; more than 180 means 180.
        pattern: The synthetic picture: ``clock``, ``bars``, ``noise`` or ``black``.
        tone_hz: Pitch of the synthetic tone; there is a click on every beat. 0: clicks only.
        audio: Whether to record sound.
        camera: Record this camera instead: ``default``, ``/dev/video0`` or ``format:device``.
        microphone: The microphone that goes with `camera`.
        realtime: Take as long as the take lasts (a camera always does).
        progress: Called about five times per recorded second with the seconds recorded.
        stop: Asked before each frame; True ends the take there and keeps it.
        sleep: Waits between frames of a realtime recording.
        monotonic: The clock of a realtime recording.

    Returns:
        The measured facts of the file.

    Raises:
        FileExistsError: There is a file of that name.
        CameraError: The camera or microphone cannot be opened.
        ValueError: A length of zero, an unknown pattern or an impossible pitch.
        OSError: The disk is full or the folder missing; no partial file stays.
    """
    if not seconds > 0:
        raise ValueError("a recording lasts longer than 0 seconds")
    target = Path(destination)
    if target.exists():
        raise FileExistsError(f"{target.name} exists already; a recording is never overwritten")
    limit = max(Fraction(1, FPS), Fraction(min(seconds, MAX_SECONDS)).limit_denominator(1000))
    part = target.with_name(target.name + ".part")
    frames: AbstractContextManager[Iterator[Captured]]
    if camera is None:
        pace = _Pace(sleep, monotonic) if realtime else None
        from ._scene import scene

        tone = Tone(tone_hz) if audio else None
        frames = closing(_synthetic(scene(pattern), tone, limit, pace))
    else:
        from ._camera import captured

        frames = captured(camera, microphone if audio else None, monotonic=monotonic)
    try:
        with frames as arriving:
            _encode(part, arriving, limit, audio, progress, stop)
        replace_durably(part, target)
    finally:
        part.unlink(missing_ok=True)
    from ._limits import advice
    from ._probe import probe

    facts = probe(target)
    return facts.warned(*advice(facts))


def _encode(
    part: Path,
    arriving: Iterator[Captured],
    limit: Fraction,
    audio: bool,
    progress: Callable[[float], None] | None,
    stop: Callable[[], bool] | None,
) -> None:
    from av.video.frame import VideoFrame

    from ._recorder import Recorder, recorded_size

    recorder: Recorder | None = None
    began, told = Fraction(0), Fraction(0)
    with ExitStack() as stack:
        for frame, at_seconds in arriving:
            if not isinstance(frame, VideoFrame):
                if recorder is not None:
                    recorder.add_sound(frame, at_seconds - began)
                continue
            if recorder is None:
                # What a microphone hears while the camera warms up is not part of the take.
                began = at_seconds
                width, height = recorded_size(frame)
                recorder = stack.enter_context(
                    Recorder(part, limit_seconds=limit, sound=audio, width=width, height=height)
                )
            elif stop is not None and stop():
                break
            if not recorder.add_picture(frame, at_seconds - began):
                break
            if progress is not None and recorder.recorded_seconds >= told + _PROGRESS_EVERY:
                told = recorder.recorded_seconds
                progress(float(told))
    if recorder is None:
        raise CameraError("no_picture", "The camera gave no picture.")


class _Pace:
    """Lets recorded time pass no faster than real time."""

    def __init__(self, sleep: Callable[[float], None], monotonic: Callable[[], float]) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._began: float | None = None

    def wait_until(self, seconds: float) -> None:
        now = self._monotonic()
        if self._began is None:
            self._began = now
        ahead = seconds - (now - self._began)
        if ahead > 0:
            self._sleep(ahead)


def _synthetic(
    paint: Scene, tone: Tone | None, limit: Fraction, pace: _Pace | None
) -> Generator[Captured]:
    """Pictures and sound of a take that nobody played, in step."""
    from av.audio.frame import AudioFrame
    from av.video.frame import VideoFrame

    samples_each = SAMPLE_RATE // FPS
    for number in range(max(1, math.floor(limit * FPS))):
        at_seconds = Fraction(number, FPS)
        if pace is not None:
            pace.wait_until(float(at_seconds))
        picture = VideoFrame(WIDTH, HEIGHT, "rgb24")
        picture.planes[0].update(paint(number))
        yield picture, at_seconds
        if tone is not None:
            sound = AudioFrame(format="s16", layout="mono", samples=samples_each)
            sound.sample_rate = SAMPLE_RATE
            sound.planes[0].update(tone.samples(number * samples_each, samples_each))
            yield sound, at_seconds
