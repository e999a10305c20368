"""One container opened by FFmpeg, with everything it does not need turned off.

Only this folder imports `av`, and the parent process does not: these modules run in the probe
process (`_child.py`), under its limits.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import av

# PyAV imports these when it meets the first stream of a file; by then the probe process may not
# open any file.
import av.subtitles.stream  # pyright: ignore[reportUnusedImport]
from av.error import FFmpegError
from av.stream import Disposition

from ._errors import DamagedMediaError, NotAVideoError, UnsupportedMediaError
from ._sniff import DEMUXERS
from ._source import Source

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

# 4K passes, for `fit` can make it smaller; a header that claims 16240×16240 would cost 730 MB.
MAX_PIXELS = 4096 * 2304
_NOT_MOVING = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


@dataclass(frozen=True, slots=True)
class Media:
    """An open container and the tracks that count. Use it only while it is open."""

    source: Source
    container: InputContainer
    video: VideoStream
    audio: AudioStream | None
    tracks: tuple[VideoStream | AudioStream, ...]
    """Everything that is shown or heard: the longest of them is the length of the take."""

    video_tracks: int


@contextmanager
def reading(source: Source, *, threads: int = 1) -> Generator[Media]:
    """Open the file with the one demuxer its first bytes ask for.

    Raises:
        NotAVideoError: No moving picture in it.
        UnsupportedMediaError: No decoder, encrypted, or absurdly large.
        DamagedMediaError: FFmpeg cannot make sense of it.
    """
    with damage_reported(), _container(source, threads) as container:
        yield _choose_tracks(source, container, threads)


@contextmanager
def _container(source: Source, threads: int) -> Generator[InputContainer]:
    demuxer = DEMUXERS[source.container]
    os.lseek(source.fd, 0, os.SEEK_SET)
    # `fd:` reads the descriptor we hold: no name is ever parsed as a URL, and the bytes measured
    # are those of the file that was opened (85-media §5.2, TOCTOU).
    with av.open(
        "fd:",
        "r",
        format=demuxer,
        # Titles in Latin-1 would raise UnicodeDecodeError.
        metadata_errors="replace",
        options={
            "fd": str(source.fd),
            "format_whitelist": demuxer,
            "protocol_whitelist": "fd",
            "max_pixels": str(MAX_PIXELS),
            "threads": str(threads),
        },
    ) as container:
        yield container


def _choose_tracks(source: Source, container: InputContainer, threads: int) -> Media:
    moving = [each for each in container.streams.video if not each.disposition & _NOT_MOVING]
    if not moving:
        raise NotAVideoError(
            "no_video_track", "There is no moving picture in this file.", measured="no video track"
        )
    # A stream without decoder has no codec context, whatever the stubs say.
    decodable = [each for each in moving if _has_decoder(each)]
    if not decodable:
        raise UnsupportedMediaError(
            "no_decoder", "The picture is coded in a way that cannot be decoded here."
        )
    # The largest track counts: the first may be a preview (85-media §2.1, two_video_small_first).
    video = max(decodable, key=lambda each: each.codec_context.width * each.codec_context.height)
    if video.codec_context.width * video.codec_context.height > MAX_PIXELS:
        raise absurd_size(f"{video.codec_context.width}x{video.codec_context.height}")
    # Once more: the options of `open` do not reach the decoder that we use.
    video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    video.codec_context.thread_count = threads
    sounds = [each for each in container.streams.audio if _has_decoder(each)]
    audio = sounds[0] if sounds else None
    return Media(source, container, video, audio, (*decodable, *sounds), len(moving))


def _has_decoder(stream: VideoStream | AudioStream) -> bool:
    return cast("object", stream.codec_context) is not None


@contextmanager
def damage_reported() -> Generator[None]:
    """Turn whatever damaged input makes libav and PyAV raise into one error."""
    try:
        yield
    except (FFmpegError, UnicodeError, ValueError, OverflowError, ArithmeticError) as error:
        raise DamagedMediaError(
            "damaged",
            "The file is damaged: it cannot be read as a video.",
            measured=type(error).__name__,
        ) from error
    except MemoryError:
        raise absurd_size("more memory than any take needs") from None


def absurd_size(measured: str) -> UnsupportedMediaError:
    """A picture no camera makes (M03)."""
    return UnsupportedMediaError(
        "too_many_pixels", "The picture is too large to be looked at.", measured=measured
    )
