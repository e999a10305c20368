"""What an interrupted intake left behind may still be a whole recording: offer it again (C1)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cadenza_uploader import _media, _spool
from cadenza_uploader._intake import VIDEO_NAME, Intake, enqueue
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import TakeNotFoundError
from cadenza_uploader.take import Account, TakeContext


@dataclass(frozen=True, slots=True)
class Remnant:
    """One interrupted intake.

    Attributes:
        name: how to name it when salvaging.
        size_bytes: of its recording; 0 when there is none.
        verdict: what can be said of it, as a sentence.
        whole: whether it can be queued.
    """

    name: str
    size_bytes: int
    verdict: str
    whole: bool


def remnants(queue: TakeQueue) -> list[Remnant]:
    """Every interrupted intake of this home, looked at but not touched."""
    return [_look(directory) for directory in _spool.abandoned_parts(queue.home.spool)]


def salvage(
    queue: TakeQueue, name: str, context: TakeContext, *, account: Account, settings: Settings
) -> Intake:
    """Queue what an interrupted intake holds, then remove the remnant.

    Raises:
        TakeNotFoundError: no such remnant.
        UploaderError: it cannot be queued; the remnant stays.
    """
    directory = next(
        (path for path in _spool.abandoned_parts(queue.home.spool) if path.name == name), None
    )
    if directory is None:
        raise TakeNotFoundError(f"There is no interrupted intake {name}.")
    intake = enqueue(queue, directory / VIDEO_NAME, context, account=account, settings=settings)
    shutil.rmtree(directory)
    return intake


def _look(directory: Path) -> Remnant:
    video = directory / VIDEO_NAME
    if not video.is_file():
        return Remnant(directory.name, 0, "It holds no recording yet.", whole=False)
    size_bytes = video.stat().st_size
    try:
        facts = _media.inspect(video, thumbnail=False, sound_check=False).facts
    except (_media.MediaError, OSError) as error:
        sentence = getattr(error, "sentence", str(error))
        return Remnant(directory.name, size_bytes, f"It is cut short: {sentence}", whole=False)
    seconds = facts.duration_seconds
    verdict = f"It holds a whole recording of {seconds} s."
    return Remnant(directory.name, size_bytes, verdict, whole=True)
