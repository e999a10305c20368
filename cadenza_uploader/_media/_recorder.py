"""Frames and sound in, one H.264/AAC MP4 out that never exceeds its length."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (the stubs of PyAV and Pillow are partial)
from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av

from ._orientation import fit_inside

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.video.frame import VideoFrame

SAMPLE_RATE = 48_000
AUDIO_BITS = 128_000
# 180 s of picture and sound stay below the 50 MB target with this (B-17).
VIDEO_BITS = 2_000_000
_CLOCK = 90_000
_BT709 = 1
_AAC_FRAME = 1024
_SHORTEST_FRAME = _CLOCK // 60 - 1
_LONG_SIDE, _SHORT_SIDE = 1280, 720


def recorded_size(frame: VideoFrame) -> tuple[int, int]:
    """The size a take from such frames is recorded in: within the limits, and even (4:2:0)."""
    width, height = fit_inside((frame.width, frame.height), _LONG_SIDE, _SHORT_SIDE)
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


class Recorder:
    """Encodes one take into a file. A context manager: the index is written on the way out.

    `OutputContainer` writes a valid trailer even when an exception passes, so the file must
    carry another name until all is well (85-media §2.4).

    Args:
        path: Where to write.
        limit_seconds: No picture and no sound ends later than this.
        sound: Whether there will be an audio track.
        fps: Frames per second the encoder plans its bit rate for.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit_seconds: Fraction,
        sound: bool,
        fps: int = 30,
        width: int = 1280,
        height: int = 720,
    ) -> None:
        self._limit = limit_seconds
        self._frame_seconds = Fraction(1, fps)
        self._last_stamp = -_SHORTEST_FRAME
        self.recorded_seconds = Fraction(0)
        self._out = av.open(
            f"file:{path.absolute()}", "w", format="mp4", options={"movflags": "+faststart"}
        )
        video = self._out.add_stream(
            "libx264",
            rate=fps,
            options={
                "preset": "veryfast",
                "crf": "23",
                "maxrate": str(VIDEO_BITS),
                "bufsize": str(2 * VIDEO_BITS),
                "bf": "0",
                "g": str(2 * fps),
            },
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        context = video.codec_context
        context.time_base = Fraction(1, _CLOCK)
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = 1
        self._video = video
        self._audio: AudioStream | None = None
        self._resampler: av.AudioResampler | None = None
        self._waiting: deque[Packet[AudioStream]] = deque()
        if sound:
            self._audio = self._out.add_stream("aac", rate=SAMPLE_RATE)
            self._audio.bit_rate = AUDIO_BITS
            self._audio.codec_context.layout = "mono"
            self._resampler = av.AudioResampler(
                format="fltp", layout="mono", rate=SAMPLE_RATE, frame_size=_AAC_FRAME
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._out.mux(self._video.encode(None))
                if self._audio is not None:
                    self._waiting += self._audio.encode(None)
                    self._release_sound()
        finally:
            self._out.close()

    def add_picture(self, frame: VideoFrame, at_seconds: Fraction) -> bool:
        """Take in one picture; False when it would end after the limit."""
        if at_seconds + self._frame_seconds > self._limit:
            return False
        stamp = round(at_seconds * _CLOCK)
        if stamp < self._last_stamp + _SHORTEST_FRAME:
            return True  # a device that repeats its clock, or gives more than 60 per second
        self._last_stamp = stamp
        plain = frame.reformat(
            self._video.width,
            self._video.height,
            "yuv420p",
            dst_colorspace=_BT709,
            dst_color_range=1,
        )
        plain.pts, plain.time_base, plain.pict_type = stamp, Fraction(1, _CLOCK), 0
        self._out.mux(self._video.encode(plain))
        self.recorded_seconds = at_seconds + self._frame_seconds
        self._release_sound()
        return True

    def add_sound(self, frame: AudioFrame, at_seconds: Fraction) -> None:
        """Take in sound that begins at `at_seconds`; what outlasts the picture is left out."""
        if self._audio is None or self._resampler is None or at_seconds < 0:
            return
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(at_seconds * frame.sample_rate)
        for plain in self._resampler.resample(frame):
            self._waiting += self._audio.encode(plain)

    def _release_sound(self) -> None:
        """Write the sound that ends with the picture or before.

        The last AAC packet would end up to 21 ms later, and 180.000 s must stay 180.000 s.
        """
        while self._waiting:
            packet = self._waiting[0]
            end = ((packet.pts or 0) + (packet.duration or _AAC_FRAME)) * packet.time_base
            if end > self.recorded_seconds:
                return
            self._out.mux(self._waiting.popleft())
