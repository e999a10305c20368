"""Packets of one file into another: copied, or decoded, filtered and encoded again."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (the stubs of PyAV are partial)
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from av.error import FFmpegError

from ._facts import MediaFacts
from ._filters import PictureFilter, SoundFilter
from ._fit_plan import FitPlan
from ._limits import FPS_TOLERANCE
from ._packer import Packer
from ._reader import Media, reading
from ._source import Source

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Progress = Callable[[float], None]

_CLOCK = 90_000
_BT709 = 1
_KEY_FRAME_SECONDS = 2


def transcode(
    source: Source, destination: Path, facts: MediaFacts, plan: FitPlan, tell: Progress
) -> None:
    """Carry out a plan.

    Args:
        source: An examined file.
        destination: Written anew; a failure leaves it half written.
        facts: What was measured in the source.
        plan: What to do.
        tell: Called with the finished part, rising from 0.0 to 1.0.

    Raises:
        MediaError: The source cannot be read.
        PackingError: An MP4 does not take these packets.
        OSError: The destination cannot be written.
    """
    tell(0.0)
    reached = 0.0
    threads = 0 if plan.picture == "encode" else 1
    with reading(source, threads=threads) as media, Packer(destination) as out:
        # One origin for both tracks, or they drift apart when one begins later.
        begin = Fraction(media.container.start_time or 0, 1_000_000)
        tracks: dict[int, _Track] = {media.video.index: _picture(media, out, facts, plan, begin)}
        if media.audio is not None and plan.sound != "none":
            tracks[media.audio.index] = _sound(media.audio, out, plan, begin)
        streams = [media.video, media.audio] if len(tracks) == 2 else [media.video]
        seconds = max(facts.duration_ms / 1000, 0.001)
        for packet in media.container.demux(*[each for each in streams if each is not None]):
            # Not `stream_index`: the empty packets at the end, which flush, all say 0 there.
            tracks[packet.stream.index].take(packet)
            if packet.pts is not None:
                done = float(packet.pts * packet.time_base - begin) / seconds
                reached = max(reached, min(0.99, done))
                tell(reached)
        for track in tracks.values():
            track.finish()
    tell(1.0)


class _Track(Protocol):
    def take(self, packet: Packet[Stream]) -> None: ...

    def finish(self) -> None: ...


def _picture(
    media: Media, out: Packer, facts: MediaFacts, plan: FitPlan, begin: Fraction
) -> _Track:
    if plan.picture == "copy":
        return _Copied(media.video, out, begin)
    return _EncodedPicture(media, out, facts, plan, begin)


def _sound(audio: AudioStream, out: Packer, plan: FitPlan, begin: Fraction) -> _Track:
    return (
        _Copied(audio, out, begin)
        if plan.sound == "copy"
        else _EncodedSound(audio, out, plan, begin)
    )


class _Copied:
    """A track whose packets are taken over unchanged."""

    def __init__(self, stream: VideoStream | AudioStream, out: Packer, begin: Fraction) -> None:
        self._out = out
        # `opaque` copies the parameters without opening a codec.
        self._stream = out.container.add_stream_from_template(stream, opaque=True)
        self._shift = round(begin / (stream.time_base or Fraction(1)))

    def take(self, packet: Packet[Stream]) -> None:
        if packet.dts is None or not packet.size:
            return
        packet.pts = (packet.dts if packet.pts is None else packet.pts) - self._shift
        packet.dts -= self._shift
        packet.stream = self._stream
        self._out.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _EncodedPicture:
    """A track decoded, made upright and small enough, and encoded as H.264."""

    def __init__(
        self,
        media: Media,
        out: Packer,
        facts: MediaFacts,
        plan: FitPlan,
        begin: Fraction,
    ) -> None:
        self._out = out
        self._begin = begin
        # Frames are left out only of a picture that has too many: ordinary ones jitter.
        too_many = facts.fps is not None and facts.fps > plan.max_fps + FPS_TOLERANCE
        self._shortest = int(_CLOCK / plan.max_fps) - 1 if too_many else 1
        self._last_stamp: int | None = None
        self._decoder = media.video.codec_context
        # AVI knows no presentation times; what FFmpeg makes of B-frames there runs backwards.
        self._order_by_dts = facts.container == "avi"
        self._filter = PictureFilter(media.video, facts, plan)
        rate = min(media.video.average_rate or Fraction(30), Fraction(round(plan.max_fps)))
        stream = out.container.add_stream(
            "libx264",
            rate=rate,
            options={
                "preset": "veryfast",
                "crf": "23",
                "maxrate": str(plan.video_bits),
                "bufsize": str(plan.video_bits),
                "g": str(max(1, round(rate * _KEY_FRAME_SECONDS))),
            },
        )
        stream.width, stream.height, stream.pix_fmt = plan.width, plan.height, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, _CLOCK)
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = 1
        self._stream = stream

    def take(self, packet: Packet[Stream]) -> None:
        try:
            frames = self._decoder.decode(packet if packet.size else None)
        except FFmpegError:
            return  # a damaged packet; the picture freezes for its moment
        for frame in frames:
            if self._order_by_dts or frame.pts is None:
                frame.pts = frame.dts
            for ready in self._filter.pushed(frame):
                self._encode(ready)

    def finish(self) -> None:
        for ready in self._filter.flushed():
            self._encode(ready)
        self._out.mux(self._stream.encode(None))

    def _encode(self, frame: VideoFrame) -> None:
        at_seconds = (frame.pts or 0) * (frame.time_base or Fraction(1)) - self._begin
        stamp = max(0, round(at_seconds * _CLOCK))
        if self._last_stamp is not None and stamp < self._last_stamp + self._shortest:
            return  # more frames per second than allowed
        self._last_stamp = stamp
        frame.pts, frame.time_base, frame.pict_type = stamp, Fraction(1, _CLOCK), 0
        self._out.mux(self._stream.encode(frame))


class _EncodedSound:
    """A track decoded, its gaps filled, and encoded as AAC."""

    def __init__(self, audio: AudioStream, out: Packer, plan: FitPlan, begin: Fraction) -> None:
        self._out = out
        self._decoder = audio.codec_context
        self._filter = SoundFilter(audio, begin)
        self._stream = out.container.add_stream("aac", rate=self._filter.rate)
        self._stream.bit_rate = plan.audio_bits
        self._stream.codec_context.layout = self._filter.layout

    def take(self, packet: Packet[Stream]) -> None:
        try:
            frames = self._decoder.decode(packet if packet.size else None)
        except FFmpegError:
            return  # a damaged packet; silence takes its place
        for frame in frames:
            for ready in self._filter.pushed(frame):
                self._out.mux(self._stream.encode(ready))

    def finish(self) -> None:
        for ready in self._filter.flushed():
            self._out.mux(self._stream.encode(ready))
        self._out.mux(self._stream.encode(None))
