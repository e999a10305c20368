"""The work of the probe process: one answer per descriptor, whatever the files hold."""

from __future__ import annotations

import json
import math
import os
import resource
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from ._errors import MediaError
from ._facts import MediaFacts, MediaWarning, facts_to_wire
from ._probe import look
from ._reader import Media, damage_reported, reading
from ._source import examine

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def inspect_for(order: dict[str, Any], out: BinaryIO) -> int:
    """Answer for every descriptor of the order, in its order."""
    thumbnail, sound_check = bool(order["thumbnail"]), bool(order["sound_check"])
    import_all(thumbnail=thumbnail, sound_check=sound_check)
    if order["seal"]:
        seal()
    for fd in order["fds"]:
        allow_cpu(order["cpu_seconds"])
        try:
            for record, jpeg in answers(fd, thumbnail=thumbnail, sound_check=sound_check):
                _write(out, record, jpeg)
        except MediaError as error:
            _write(out, error_record(error))
    return 0


def answers(
    fd: int, *, thumbnail: bool, sound_check: bool
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Two records about one open file: the facts, and what may fail without harm.

    The facts are told first, so that a decoder that dies over a thumbnail takes only the
    thumbnail with it (M07).

    Raises:
        MediaError: It is no usable video.
    """
    with reading(examine(fd)) as media:
        facts, frame = look(media)
        yield {"facts": facts_to_wire(facts)}, b""
        warnings: tuple[MediaWarning, ...] = ()
        jpeg = b""
        if thumbnail:
            jpeg, warnings = _thumbnail(media, facts, frame)
        if sound_check:
            warnings += _sound(media, facts)
        record = {"warnings": [[each.code, each.sentence] for each in warnings]}
        yield {**record, "jpeg_bytes": len(jpeg)}, jpeg


def error_record(error: MediaError) -> dict[str, Any]:
    """A media error as the parent reads it."""
    return {
        "error": type(error).__name__,
        "code": error.code,
        "sentence": error.sentence,
        "measured": error.measured,
    }


def import_all(*, thumbnail: bool, sound_check: bool) -> None:
    """Import now what is needed later: after `seal` no module can be read."""
    if thumbnail:
        from . import _thumbnail  # noqa: F401 # pyright: ignore[reportUnusedImport]
    if sound_check:
        from . import _sound  # noqa: F401 # pyright: ignore[reportUnusedImport]


def seal() -> None:
    """Leave exactly one free descriptor, the one libav duplicates ours into.

    From here on no file and no socket can be opened, whatever a playlist or a bug asks for (M04).
    """
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, free + 1))


def allow_cpu(seconds: int) -> None:
    """Give the next file its own processor seconds, within the hard limit of the process."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard), hard))


def _thumbnail(
    media: Media, facts: MediaFacts, frame: VideoFrame
) -> tuple[bytes, tuple[MediaWarning, ...]]:
    from ._thumbnail import thumbnail

    try:
        with damage_reported():
            jpeg, black = thumbnail(media, facts, frame)
    except (MediaError, OSError):
        return b"", (MediaWarning("no_thumbnail", "No preview picture could be made."),)
    if not black:
        return jpeg, ()
    return jpeg, (MediaWarning("black", "There is nothing to see: was the lens covered?"),)


def _sound(media: Media, facts: MediaFacts) -> tuple[MediaWarning, ...]:
    from ._sound import listen

    try:
        with damage_reported():
            return listen(media, facts)
    except MediaError:
        return ()  # a sound that cannot be judged is not worth a warning of its own


def _write(out: BinaryIO, record: dict[str, Any], jpeg: bytes = b"") -> None:
    out.write(json.dumps(record).encode() + b"\n" + jpeg)
    out.flush()
