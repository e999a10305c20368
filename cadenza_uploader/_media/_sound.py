"""Is there anything to hear, and is it overdriven? Runs in the probe process.

A few seconds spread over the take are decoded; only when all of them are silent is the rest
listened to as well, within a budget, so that a student who begins late is not called silent.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (the stubs of PyAV and Pillow are partial)
from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError

from ._facts import MediaFacts, MediaWarning
from ._reader import Media

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet

WINDOWS = 6
WINDOW_SECONDS = 1.5
# Processor seconds for the whole take, when the windows were silent: some 200 s of AAC.
FULL_LISTEN_SECONDS = 1.0
# −60 dB of full scale, in 16-bit samples: below the noise of any open microphone.
SILENT_PEAK = 33
# This part of all samples lying in flat tops is heard as distortion.
CLIPPED_PART = 0.001
_FLAT_TOPS = (b"\xff\x7f" * 3, b"\x00\x80" * 3)


@dataclass(slots=True)
class Heard:
    """What was found in the samples listened to so far."""

    samples: int = 0
    silent: bool = True
    flat_samples: int = 0

    def add(self, channel: bytes) -> None:
        """Take in 16-bit samples of one channel (little-endian, as every machine we run on)."""
        self.samples += len(channel) // 2
        # Counting bytes is done in C; looking at each number in Python took 40 ms of a probe.
        self.flat_samples += sum(3 * channel.count(top) for top in _FLAT_TOPS)
        if self.silent:
            self.silent = _is_silent(channel)

    @property
    def clipped(self) -> bool:
        """Whether the sound was recorded too loud."""
        return self.samples > 0 and self.flat_samples >= CLIPPED_PART * self.samples


def _is_silent(channel: bytes) -> bool:
    if channel[1::2].strip(b"\0\xff"):
        return False  # a sample beyond ±256
    numbers = memoryview(channel).cast("h")
    return not numbers or max(max(numbers), -min(numbers)) < SILENT_PEAK


def listen(media: Media, facts: MediaFacts) -> tuple[MediaWarning, ...]:
    """The warnings about sound; none when there is no audio track (that has its own)."""
    if media.audio is None:
        return ()
    heard = Heard()
    seconds = facts.duration_ms / 1000
    for number in range(WINDOWS):
        start = max(0.0, seconds * (number + 0.5) / WINDOWS - WINDOW_SECONDS / 2)
        for channel in _samples(media, media.audio, start, WINDOW_SECONDS):
            heard.add(channel)
    if heard.silent:
        stop_at = time.process_time() + FULL_LISTEN_SECONDS
        for channel in _samples(media, media.audio, 0.0, seconds + 1.0):
            heard.add(channel)
            if not heard.silent or time.process_time() > stop_at:
                break
    if not heard.samples:
        return ()  # damaged sound cannot be judged
    if heard.silent:
        return (
            MediaWarning("silent", "There is nothing to hear: was the microphone off or covered?"),
        )
    if heard.clipped:
        return (
            MediaWarning(
                "clipped",
                "The sound is overdriven: move the microphone away or turn it down.",
            ),
        )
    return ()


def _samples(
    media: Media, audio: AudioStream, start_seconds: float, length_seconds: float
) -> Iterator[bytes]:
    """16-bit samples, channel by channel, from `start_seconds` on; ends early at damage."""
    unit = audio.time_base or Fraction(1)
    resampler = av.AudioResampler(format="s16p")
    try:
        target = int(start_seconds / unit) + (audio.start_time or 0)
        media.container.seek(target, stream=audio, backward=True)
        got_seconds = 0.0
        for packet in media.container.demux(audio):
            for frame in _decoded(audio, packet):
                for plain in resampler.resample(frame):
                    for plane in plain.planes:
                        yield bytes(plane)[: plain.samples * 2]
                    got_seconds += plain.samples / plain.sample_rate
            if got_seconds >= length_seconds:
                return
    except (FFmpegError, OverflowError):
        return


def _decoded(audio: AudioStream, packet: Packet[AudioStream]) -> list[AudioFrame]:
    try:
        return audio.codec_context.decode(packet)
    except FFmpegError:
        return []  # a damaged packet
