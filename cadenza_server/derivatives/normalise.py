"""An MP4 every browser plays, of what a browser recorded (a WebM). Runs in the child.

H.264 and AAC, at most 1280 × 720 and 30 pictures a second, its index first. Every picture keeps
the moment it was taken: a marker must mean the same moment before and after (B-54).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av import AudioFifo, AudioFrame, AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cadenza_server.derivatives.opening import (
    Facts,
    UnusableError,
    decoded,
    opened,
    picture_of,
)

LONG_SIDE, SHORT_SIDE = 1280, 720
MAX_FPS = 30
#: Three minutes, and what a browser takes to stop.
MAX_MS = 182_000
_CLOCK = Fraction(1, 90_000)
_RATE = 48_000
_VIDEO_OPTIONS = {
    "preset": "veryfast",
    "crf": "23",
    "maxrate": "2M",
    "bufsize": "4M",
    # A key frame each second or so: seeking to a marker, and the storyboard, are quick.
    "g": "30",
    "bf": "2",
}


def normalise(source: Path, destination: Path, facts: Facts) -> None:
    """Write the MP4.

    Raises:
        UnusableError: `too_long`; `damaged` when nothing can be decoded.
    """
    if facts.duration_ms > MAX_MS:
        raise UnusableError("too_long")
    with (
        opened(source) as container,
        av.open(str(destination), "w", format="mp4", options={"movflags": "+faststart"}) as output,
    ):
        stream = picture_of(container)
        stream.thread_type = "AUTO"
        picture = _Picture(output, facts)
        sources: list[VideoStream | AudioStream] = [stream]
        sound = None
        if facts.audio_codec is not None:
            sources.append(container.streams.audio[0])
            sound = _Sound(output, facts)
        for frame in decoded(container, *sources):
            if isinstance(frame, VideoFrame):
                picture.add(frame)
            elif sound is not None and isinstance(frame, AudioFrame):
                sound.add(frame)
        if not picture.count:
            raise UnusableError("damaged")
        picture.close()
        if sound is not None:
            sound.close()


def target_size(width: int, height: int) -> tuple[int, int]:
    """Even, within 720p either way up, never larger than it was."""
    scale = min(1.0, LONG_SIDE / max(width, height), SHORT_SIDE / min(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


class _Picture:
    def __init__(self, output: OutputContainer, facts: Facts) -> None:
        self._output = output
        self._origin = facts.origin
        self.count = 0
        self._next = 0.0
        self._last = -1
        stream = output.add_stream("libx264", rate=MAX_FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = target_size(facts.width, facts.height)
        stream.pix_fmt = "yuv420p"
        stream.options = dict(_VIDEO_OPTIONS)
        stream.codec_context.time_base = _CLOCK
        self._stream = stream

    def add(self, frame: VideoFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            return
        seconds = float(frame.pts * frame.time_base) - self._origin
        # A little early is in time: cameras do not keep their rate to the millisecond.
        if seconds < self._next - 0.25 / MAX_FPS:
            return
        self._next = max(self._next, seconds - 0.5 / MAX_FPS) + 1 / MAX_FPS
        moment = max(round(seconds / _CLOCK), self._last + 1)
        self._last = moment
        small = frame.reformat(
            width=self._stream.width, height=self._stream.height, format="yuv420p"
        )
        small.pts, small.time_base = moment, _CLOCK
        small.pict_type = av.video.frame.PictureType.NONE
        self.count += 1
        self._output.mux(self._stream.encode(small))

    def close(self) -> None:
        self._output.mux(self._stream.encode(None))


class _Sound:
    """Sound in step with the picture: what is missing in between is silence."""

    def __init__(self, output: OutputContainer, facts: Facts) -> None:
        self._output = output
        self._origin = facts.origin
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=_RATE)
        self._fifo = AudioFifo()
        self._written = 0
        self._encoded = 0
        stream = output.add_stream("aac", rate=_RATE)
        assert isinstance(stream, AudioStream)
        stream.layout = "stereo"
        stream.bit_rate = 128_000
        self._stream = stream

    def add(self, frame: AudioFrame) -> None:
        if frame.pts is not None and frame.time_base is not None:
            due = round((float(frame.pts * frame.time_base) - self._origin) * _RATE)
            if due - self._written > _RATE // 20:
                self._silence(min(due, MAX_MS * _RATE // 1000) - self._written)
        frame.pts = None
        for part in self._resampler.resample(frame):
            self._write(part)

    def _silence(self, samples: int) -> None:
        for start in range(0, samples, _RATE):
            length = min(_RATE, samples - start)
            quiet = AudioFrame(format="fltp", layout="stereo", samples=length)
            for plane in quiet.planes:
                plane.update(bytes(plane.buffer_size))
            quiet.sample_rate = _RATE
            self._write(quiet)

    def _write(self, frame: AudioFrame) -> None:
        frame.pts = None
        self._written += frame.samples
        self._fifo.write(frame)
        size = self._stream.codec_context.frame_size or 1024
        while (full := self._fifo.read(size)) is not None:
            self._encode(full)

    def _encode(self, frame: AudioFrame | None) -> None:
        if frame is not None:
            frame.pts, frame.time_base = self._encoded, Fraction(1, _RATE)
            self._encoded += frame.samples
        self._output.mux(self._stream.encode(frame))

    def close(self) -> None:
        if (rest := self._fifo.read(0, partial=True)) is not None:
            self._encode(rest)
        self._encode(None)
