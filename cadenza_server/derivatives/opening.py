"""Opening a stranger's video, and the facts of it. Runs in the child process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

#: Only files, only containers we take: without this a text file may name other files to open.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,matroska,webm",
    "max_pixels": str(4096 * 4096),
}
DAMAGE = (av.error.FFmpegError, ValueError, MemoryError, UnicodeDecodeError)


class UnusableError(Exception):
    """This video can't be worked on, and never will be; the message is an error code."""


@dataclass(frozen=True)
class Facts:
    """What a video is.

    Attributes:
        duration_ms: of the longest track.
        width: as shown, with rotation and the shape of pixels applied.
        height: the same.
        rotation: of the stored picture, counter-clockwise degrees.
        fps: mean.
        video_codec: FFmpeg's name.
        audio_codec: the same; None without sound.
        origin: seconds; the first moment of any track.
        keyframes: seconds after the origin.
    """

    duration_ms: int
    width: int
    height: int
    rotation: int
    fps: float | None
    video_codec: str
    audio_codec: str | None
    origin: float = 0.0
    keyframes: list[float] = field(default_factory=list)

    @property
    def wire(self) -> dict[str, Any]:
        """What the asset's row keeps."""
        return {
            "duration_ms": self.duration_ms,
            "width": self.width,
            "height": self.height,
            "rotation": self.rotation,
            "fps": self.fps,
            "video_codec": self.video_codec,
            "audio_codec": self.audio_codec,
        }


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The container.

    Raises:
        UnusableError: `not_a_video`.
    """
    try:
        container = av.open(str(path.absolute()), options=_OPTIONS, metadata_errors="replace")
    except DAMAGE as error:
        raise UnusableError("not_a_video") from error
    with container:
        for stream in container.streams:
            if stream.codec_context is not None:
                # A second time: what the container is opened with does not reach the decoders.
                stream.codec_context.options = {"max_pixels": _OPTIONS["max_pixels"]}
        yield container


def picture_of(container: InputContainer) -> VideoStream:
    """The video, and no cover picture.

    Raises:
        UnusableError: `no_picture`, or `codec_unsupported`.
    """
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise UnusableError("no_picture")
    if streams[0].codec_context is None:
        raise UnusableError("codec_unsupported")
    return streams[0]


def decoded(container: InputContainer, *streams: Any) -> Iterator[Any]:
    """Frames, in order; a packet that can't be decoded is left out, and the rest is not."""
    packets = container.demux(*streams)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except DAMAGE:
            continue
        yield from frames


def read_facts(path: Path) -> Facts:
    """Look at every packet, and at the first picture.

    Headers lie and live recordings have no duration in them, so time is counted from what is
    there.

    Raises:
        UnusableError: see `opened`, `picture_of`; `damaged` when no picture can be decoded.
    """
    with opened(path) as container:
        stream = picture_of(container)
        starts: list[float] = []
        end, keyframes, pictures = 0.0, [], 0
        try:
            for packet in container.demux():
                if packet.pts is None or packet.time_base is None:
                    continue
                moment = float(packet.pts * packet.time_base)
                starts.append(moment)
                end = max(end, moment + float((packet.duration or 0) * packet.time_base))
                if packet.stream_index == stream.index:
                    pictures += 1
                    if packet.is_keyframe:
                        keyframes.append(moment)
        except DAMAGE:
            pass  # what came before the damage is still a video
    if not starts or not pictures:
        raise UnusableError("damaged")
    with opened(path) as container:
        stream = picture_of(container)
        # In an MP4 zero is where players begin, whatever is stored before or after it; a WebM
        # begins with what it has. What is before zero is there for the decoder, not to be heard.
        is_mp4 = "mp4" in container.format.name
        origin = 0.0 if is_mp4 else max(0.0, min(starts))
        width, height, rotation = _display(container, stream)
        codec = stream.codec_context.codec.canonical_name
        # MP4 with an edit list says what is shown; the packets say what is stored.
        told = container.duration / 1e6 if container.duration else 0.0
        counted = end - origin
        seconds = told if is_mp4 and 0 < told <= counted + 1 else counted
        audio = container.streams.audio[0] if container.streams.audio else None
        audio_codec = _codec_name(audio) if audio is not None else None
        rate = stream.average_rate
    fps = float(rate) if rate else pictures / seconds if seconds else None
    return Facts(
        duration_ms=max(1, round(seconds * 1000)),
        width=width,
        height=height,
        rotation=rotation,
        fps=round(fps, 3) if fps else None,
        video_codec=codec,
        audio_codec=audio_codec,
        origin=origin,
        keyframes=sorted(moment - origin for moment in keyframes),
    )


def _codec_name(stream: AudioStream) -> str | None:
    # Typed as never None, but it is where FFmpeg has no decoder.
    context: Any = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else None


def _display(container: InputContainer, stream: VideoStream) -> tuple[int, int, int]:
    try:
        frame: VideoFrame = next(decoded(container, stream))
    except StopIteration:
        raise UnusableError("damaged") from None
    rotation = round(frame.rotation / 90) * 90 % 360
    width, height = frame.width, frame.height
    width = round(width * pixel_shape(stream))
    return (height, width, rotation) if rotation in (90, 270) else (width, height, rotation)


def pixel_shape(stream: VideoStream) -> Fraction:
    """Width of a pixel to its height, within reason."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    return ratio if Fraction(1, 4) <= ratio <= 4 else Fraction(1)
