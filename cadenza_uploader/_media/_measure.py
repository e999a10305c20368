"""How long a video really is, without believing its headers (85-media §2.2, durations)."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (the stubs of PyAV and Pillow are partial)
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from av.error import FFmpegError

from ._errors import DamagedMediaError, UnsupportedMediaError
from ._reader import Media
from ._source import read_at, truncated

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# How far the samples may pass the header's end before the header is called a lie.
HEADER_SLACK_SECONDS = 0.1
# A damaged beginning is read over for this many packets before the video is called undecodable.
MAX_PACKETS_TO_FIRST_FRAME = 300
# How many samples are checked for bytes that a power cut turned into zeros.
ZERO_CHECKS = 24


@dataclass(frozen=True, slots=True)
class Extent:
    """The presentation in seconds, and the frames per second over it."""

    duration_seconds: float
    fps: float | None
    header_lies: bool
    damaged_packets: int = 0


@dataclass(slots=True)
class _Span:
    """Where one track begins and ends."""

    start: float = math.inf
    end: float = -math.inf
    packets: int = 0

    def add(self, start: float, end: float) -> None:
        self.start, self.end = min(self.start, start), max(self.end, end)
        self.packets += 1


@dataclass(slots=True)
class _Scan:
    spans: dict[int, _Span] = field(default_factory=dict[int, _Span])
    first_frame: VideoFrame | None = None
    damaged_packets: int = 0

    @property
    def has_whole_frame(self) -> bool:
        return self.first_frame is not None and not self.first_frame.is_corrupt

    def consider(self, frame: VideoFrame | None) -> None:
        """Keep the first frame, until one comes that is not damaged."""
        if frame is not None and (self.first_frame is None or not frame.is_corrupt):
            self.first_frame = frame


def measure(media: Media) -> tuple[Extent, VideoFrame]:
    """The extent of the video and its first decodable frame.

    Raises:
        DamagedMediaError: Samples are missing, zeroed or undecodable.
        UnsupportedMediaError: The samples are encrypted.
    """
    spans = _spans_of_index(media) if media.source.layout else None
    if spans is not None:
        frame = _scan(media, whole=False).first_frame
        extent = _extent(media, spans, counted=False)
    else:
        scan = _scan(media, whole=True)
        frame, extent = scan.first_frame, _extent(media, scan.spans, counted=True)
        extent = Extent(
            extent.duration_seconds, extent.fps, extent.header_lies, scan.damaged_packets
        )
    if frame is None:
        raise DamagedMediaError(
            "undecodable", "The picture cannot be decoded: the file is damaged."
        )
    return extent, frame


def _extent(media: Media, spans: dict[int, _Span], *, counted: bool) -> Extent:
    used = [span for span in spans.values() if span.packets]
    if not used:
        raise DamagedMediaError("no_samples", "There is not a single picture in this file.")
    start = max(0.0, min(span.start for span in used))
    duration = max(span.end for span in used) - start
    stated = media.container.duration
    video = spans.get(media.video.index)
    rate = media.video.average_rate
    fps = float(rate) if rate else None
    if counted and video is not None and video.end > video.start:
        fps = video.packets / (video.end - video.start)
    return Extent(
        duration_seconds=max(duration, 0.0),
        fps=fps,
        header_lies=stated is not None and abs(stated / 1_000_000 - duration) > 0.5,
    )


# ── MP4 and QuickTime: the demuxer holds the whole sample table, nothing is read ──────────────


def _spans_of_index(media: Media) -> dict[int, _Span] | None:
    spans: dict[int, _Span] = {}
    for stream in media.tracks:
        entries = stream.index_entries
        if not len(entries):
            continue
        last = entries[-1]
        if last.pos + last.size > media.source.size_bytes:
            raise truncated(media.source.size_bytes)
        spans[stream.index] = _span_of_index(stream, _shown_end(stream))
    if media.video.index not in spans:
        return None
    _refuse_zeros(media)
    return spans


def _shown_end(stream: VideoStream | AudioStream) -> float:
    """The end of the last sample an edit list does not hide."""
    entries = stream.index_entries
    tail = [entries[-position] for position in range(1, min(len(entries), 60) + 1)]
    last = next((each for each in tail if not each.is_discard), tail[0])
    return last.timestamp * _unit(stream) + _step(stream)


def _span_of_index(stream: VideoStream | AudioStream, sample_end: float) -> _Span:
    start = max(0.0, (stream.start_time or 0) * _unit(stream))
    header_end = ((stream.start_time or 0) + (stream.duration or 0)) * _unit(stream)
    # FFmpeg never lets the header exceed the sample durations, so a later end is true (a long
    # last frame, reordered frames); an earlier one is exact only when the samples agree.
    slack = max(HEADER_SLACK_SECONDS, 1.5 * _step(stream))
    end = header_end if header_end >= sample_end - slack else sample_end
    return _Span(start, end, len(stream.index_entries))


def _refuse_zeros(media: Media) -> None:
    """Refuse media that a power cut left as zeros inside a file of the right length."""
    entries = media.video.index_entries
    count = len(entries)
    for number in {round(each * (count - 1) / ZERO_CHECKS) for each in range(ZERO_CHECKS + 1)}:
        entry = entries[number]
        sample = read_at(media.source.fd, min(entry.size, 64), entry.pos)
        if sample and not sample.strip(b"\0"):
            raise DamagedMediaError(
                "zero_filled",
                "Parts of the file hold only zero bytes: its content was lost by the disk it was "
                "on. Copy it again from the device that recorded it.",
                measured=f"zeros at byte {entry.pos}",
            )


# ── everything else: every packet is looked at, none trusted blindly ──────────────────────────


def _scan(media: Media, *, whole: bool) -> _Scan:
    """Read packets: all of them, or only as far as the first frame."""
    scan = _Scan()
    tracks = media.tracks if whole else (media.video,)
    for number, packet in enumerate(media.container.demux(*tracks)):
        if not packet.size:
            continue
        if packet.has_sidedata("encryption_info"):
            raise UnsupportedMediaError("encrypted", "The video is encrypted (copy protection).")
        if packet.is_corrupt:
            scan.damaged_packets += 1
            continue
        if whole and not packet.is_discard:
            _note(packet, scan, media)
        if packet.stream_index == media.video.index and not scan.has_whole_frame:
            scan.consider(_decoded(media, packet))
        if not whole and (scan.has_whole_frame or number >= MAX_PACKETS_TO_FIRST_FRAME):
            break
    if scan.first_frame is None:
        scan.consider(_decoded(media, None))
    return scan


def _note(packet: Packet[Stream], scan: _Scan, media: Media) -> None:
    stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is None:
        return
    unit = float(packet.time_base)
    length = (packet.duration or 0) * unit
    if not length and packet.stream_index == media.video.index:
        length = _step(media.video)
    span = scan.spans.setdefault(packet.stream_index, _Span())
    span.add(stamp * unit, stamp * unit + length)


def _decoded(media: Media, packet: Packet[Stream] | None) -> VideoFrame | None:
    """The first frame of a packet (or of what the decoder still holds); None if damaged."""
    try:
        return next(iter(media.video.codec_context.decode(packet)), None)
    except FFmpegError:
        return None  # a damaged packet; the next key frame may be whole


def _unit(stream: VideoStream | AudioStream) -> float:
    return float(stream.time_base or 0)


def _step(stream: VideoStream | AudioStream) -> float:
    """The length of one sample in seconds, nominally."""
    if stream.type == "video":
        rate = stream.average_rate or stream.base_rate
        return float(1 / rate) if rate else 0.0
    context = stream.codec_context
    return (context.frame_size or 1024) / (context.sample_rate or 48_000)
