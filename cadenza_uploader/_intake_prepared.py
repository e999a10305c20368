"""Into the queue without a look inside: for callers that know what they have (conformance kit).

`enqueue` probes; this takes the caller's word for duration and picture size. Everything after that
is the same: copy, hash, sync, publish, row, and no network (I1).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cadenza_uploader import _spool
from cadenza_uploader._description import describe
from cadenza_uploader._intake import THUMBNAIL_NAME, VIDEO_NAME, require_ids, storable
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._spool import Copied, UnsafePathError
from cadenza_uploader.errors import NotATakeError
from cadenza_uploader.take import Account, NewTake, Take, TakeContext


@dataclass(frozen=True, slots=True)
class PreparedFacts:
    """What the caller knows of the recording.

    Attributes:
        duration_ms: length in milliseconds.
        width: pixels as shown. height: likewise.
        captured_at: when it was recorded, aware.
    """

    duration_ms: int
    width: int
    height: int
    captured_at: datetime


def enqueue_prepared(
    queue: TakeQueue,
    video: Path,
    thumbnail: Path | None,
    context: TakeContext,
    *,
    account: Account,
    facts: PreparedFacts,
) -> Take:
    """Put files into the queue without probing them; durable when this returns (I1).

    Args:
        queue: where to.
        video: copied, never changed (I10).
        thumbnail: a JPEG, likewise; None for a take without one.
        context: what the take is about.
        account: whose it is.
        facts: what a probe would have found.

    Raises:
        NotATakeError: not a regular file, or empty.
        SourceChangedError: changed while it was being copied.
        SpoolFullError: no room.
        OSError: a file cannot be read.
        ValueError: the context names something by what is not an id.
    """
    require_ids(context)
    take_id = str(uuid.uuid4())
    queue.home.prepare()
    with _spool.part(queue.home.spool, take_id) as part:
        copied = _bring(video, part / VIDEO_NAME)
        assets = [_spool.asset("video", take_id, VIDEO_NAME, copied)]
        if thumbnail is not None:
            kept = _bring(thumbnail, part / THUMBNAIL_NAME)
            assets.append(_spool.asset("thumbnail", take_id, THUMBNAIL_NAME, kept))
        new = NewTake(
            id=take_id,
            account=account,
            context=context,
            assets=tuple(assets),
            duration_ms=facts.duration_ms,
            duration_seconds=max(1, int(facts.duration_ms / 1000 + 0.5)),
            width=facts.width,
            height=facts.height,
            captured_at=facts.captured_at,
            source_path=storable(video),
        )
        _spool.describe_in(part, describe(new))
        _spool.publish(part, queue.home.spool, take_id)
    return queue.add(new)


def _bring(path: Path, destination: Path) -> Copied:
    try:
        source = _spool.open_source(path)
    except UnsafePathError as error:
        raise NotATakeError(f"{error} Only recordings can be queued.") from None
    with source:
        copied = _spool.copy_in(source, destination, progress=lambda _done, _total: None)
    if copied.size_bytes == 0:
        raise NotATakeError(f"{path.name} is empty; nothing was queued.")
    return copied
