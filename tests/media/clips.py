"""Clips for tests, made here with PyAV alone.

`make_take` gives any test a normal take in a fraction of a second. The odd and the hostile ones
are in `cases.py`. One group of pictures is encoded and its packets are written again and again,
so three minutes cost no more than a second of encoding.
"""

import heapq
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints a banner otherwise

AAC_FRAME = 1024
SAMPLE_RATE = 48_000
FASTSTART = {"movflags": "+faststart"}
FRAGMENTED = {"movflags": "+frag_keyframe+empty_moov+default_base_moof"}
_X264 = {"preset": "ultrafast", "threads": "1", "bf": "0", "sc_threshold": "0", "crf": "38"}
_FAST = {
    "libx264": _X264,
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "log-level=none:pools=none:frame-threads=1",
    },
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libsvtav1": {"preset": "11", "svtav1-params": "lp=1"},
}

Extra = Callable[[Any], list[Iterator[Any]]]


@dataclass(frozen=True)
class Stored:
    """An encoded packet without its stream."""

    data: bytes
    pts: int
    dts: int
    duration: int
    key: bool
    time_base: Fraction


def make_take(
    path: Path,
    seconds: float = 3.0,
    *,
    width: int = 1280,
    height: int = 720,
    fps: Fraction | int = 30,
    audio: bool = True,
    picture: str = "testsrc2",
    metadata: dict[str, str] | None = None,
) -> Path:
    """A normal take: H.264 and AAC in an MP4 with its index first."""
    write(
        path,
        width=width,
        height=height,
        fps=fps,
        frames=max(1, round(seconds * fps)),
        audio="aac" if audio else None,
        picture=picture,
        metadata=metadata,
    )
    return path


def write(
    path: Path,
    container: str = "mp4",
    *,
    width: int = 320,
    height: int = 180,
    fps: Fraction | int = 30,
    frames: int = 60,
    gop: int = 30,
    codec: str | None = "libx264",
    pixels: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    picture: str = "testsrc2",
    pictures: Iterable[Any] | None = None,
    audio: str | None = "aac",
    sound: str = "sine=frequency=440",
    seconds: float | None = None,
    silence: tuple[float, float] | None = None,
    rotate: float | None = None,
    mirror: bool = False,
    aspect: str | None = None,
    colour: tuple[int, int, int, int] | None = None,
    tag: str | None = None,
    muxer: dict[str, str] | None = None,
    unseekable: bool = False,
    extra: Extra | None = None,
    metadata: dict[str, str] | None = None,
    clock: Fraction | None = None,
) -> None:
    """Write one clip.

    `pictures` replaces the repeated group of `picture` frames; `silence` leaves out the packets
    of the sound between two times.
    """
    fps = Fraction(fps)
    length = Fraction(frames) / fps if seconds is None else Fraction(seconds)
    sink = Unseekable()
    options = {"fflags": "+bitexact", **(FASTSTART if muxer is None else muxer)}
    with av.open(sink if unseekable else str(path), "w", format=container, options=options) as out:
        out.metadata.update(metadata or {})
        flows: list[Iterator[Any]] = []
        if codec is not None:
            video: Any = out.add_stream(
                codec,
                rate=fps,
                options={**_FAST.get(codec, {}), "g": str(gop), **(codec_options or {})},
            )
            video.width, video.height, video.pix_fmt = width, height, pixels
            context = video.codec_context
            context.flags |= Flags.bitexact
            context.thread_count = 1
            if clock:
                context.time_base = clock
            if aspect:
                context.sample_aspect_ratio = Fraction(aspect)
            if tag:
                context.codec_tag = tag
            if colour:
                (
                    context.color_primaries,
                    context.color_trc,
                    context.colorspace,
                    context.color_range,
                ) = colour
            if rotate is not None:
                video.set_display_rotation(rotate, hflip=mirror)
        if audio is not None:
            sounds: Any = out.add_stream(audio, rate=SAMPLE_RATE)
            sounds.bit_rate = 64_000
            sounds.codec_context.flags |= Flags.bitexact
        flows += extra(out) if extra else []
        if codec is not None:
            if pictures is None:
                group = list(_pictures(picture, width, height, fps, min(gop, frames), pixels))
            else:
                group = list(pictures)
            flows.append(repeated(video, encoded(video, group), len(group), frames))
        if audio is not None:
            packets = encoded(sounds, _sounds(sound))
            step = AAC_FRAME if audio == "aac" else packets[1].duration
            played = _repeated_sound(sounds, packets, length, step)
            gap = silence or (0.0, 0.0)
            flows.append(each for each in played if not gap[0] <= each[0] < gap[1])
        for _, _, packet in heapq.merge(*flows, key=lambda item: item[:2]):
            out.mux(packet)
    if unseekable:
        path.write_bytes(bytes(sink.written))


class Unseekable(io.RawIOBase):
    """What a pipe, or a browser's MediaRecorder, looks like to a muxer."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def encoded(stream: Any, frames: Iterable[Any]) -> list[Stored]:
    """Encode frames and flush."""
    return [
        Stored(bytes(each), each.pts, each.dts, each.duration, each.is_keyframe, each.time_base)
        for frame in [*frames, None]
        for each in stream.encode(frame)
    ]


def repeated(
    stream: Any, packets: Sequence[Stored], group: int, frames: int
) -> Iterator[tuple[Fraction, int, Any]]:
    """The packets again and again, until there are `frames` of them."""
    for done in range(0, frames, group):
        for packet in packets[: frames - done]:
            yield packet_at(stream, packet, done)


def packet_at(stream: Any, stored: Stored, shift: int) -> tuple[Fraction, int, Any]:
    """A packet `shift` time units later, with what orders it among others."""
    packet = av.Packet(stored.data)
    packet.stream, packet.time_base = stream, stored.time_base
    packet.pts, packet.dts = stored.pts + shift, stored.dts + shift
    packet.duration, packet.is_keyframe = stored.duration, stored.key
    return (stored.dts + shift) * stored.time_base, stream.index, packet


def frames_of(source: str, count: int, pixels: str = "yuv420p") -> list[Any]:
    """The first frames of an FFmpeg source, numbered from 0."""
    frames: list[Any] = []
    with av.open(f"{source},format={pixels}", format="lavfi") as container:
        for frame in container.decode(video=0):
            if len(frames) == count:
                break
            frame.pts, frame.pict_type = len(frames), 0
            frames.append(frame)
    return frames


def _pictures(
    source: str, width: int, height: int, fps: Fraction, count: int, pixels: str
) -> list[Any]:
    if "=" not in source:
        source = f"{source}=size={width}x{height}:rate={fps.numerator}/{fps.denominator}"
    frames = frames_of(source, count, pixels)
    for frame in frames:
        frame.time_base = 1 / fps
    return frames


def _sounds(source: str) -> list[Any]:
    graph = source if "," in source or "sample_rate" in source else f"{source}:sample_rate=48000"
    frames: list[Any] = []
    with av.open(f"{graph},atrim=duration=2", format="lavfi") as container:
        frames.extend(container.decode(audio=0))
    return frames


def _repeated_sound(
    stream: Any, packets: Sequence[Stored], seconds: Fraction, samples: int
) -> Iterator[tuple[Fraction, int, Any]]:
    # What a recorder writes: one priming packet, then whole frames up to and past the end.
    whole = -(-seconds * SAMPLE_RATE // samples)
    body = packets[:-1]
    for number in range(int(whole) + 1):
        source = body[number] if number < 2 else body[1 + (number - 1) % (len(body) - 1)]
        at = (number - 1) * samples
        yield packet_at(
            stream, Stored(source.data, at, at, samples, key=True, time_base=source.time_base), 0
        )
