"""The user's own removals: cancel a take, forget what is long done, and see what lies around."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cadenza_client.errors import GoneError, NotFoundError
from cadenza_uploader import _spool
from cadenza_uploader._desk import desk_for
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.errors import IllegalStepError

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What a garbage collection found, and removed when it was told to.

    Attributes:
        rows: done takes older than asked for.
        parts: interrupted intakes; their sources were never touched.
        strays: spool entries that belong to no take; named, never removed.
        bytes: size of the interrupted intakes.
        applied: whether anything was removed.
    """

    rows: int
    parts: tuple[str, ...]
    strays: tuple[str, ...]
    bytes: int
    applied: bool


def cancel(queue: TakeQueue, take_id: str, *, client: CadenzaClient | None) -> None:
    """Remove an unsent take everywhere: server first, then files, then the row (T14).

    The order makes a crash harmless: whatever is left can be cancelled again.

    Args:
        queue: the queue.
        take_id: the take; it must wait or have failed.
        client: needed when the server knows of the take already.

    Raises:
        TakeNotFoundError: no such take.
        IllegalStepError: it is being sent, or is uploaded, or the server may know of it and there
            is no client to tell it.
        CadenzaError: the server could not be told; nothing was removed here.
    """
    take = queue.get(take_id)
    # Of a create whose answer was lost the server knows by our own id.
    known_as = take.server_id or (take.id if take.create_sent else None)
    if known_as is not None and client is None:
        raise IllegalStepError(
            f"The server may know of take {take.short_id}; it can be cancelled when you are "
            "signed in and online."
        )
    take = queue.mark_for_removal(take.id)
    if known_as is not None and client is not None:
        # Not there is what was asked for.
        with contextlib.suppress(NotFoundError, GoneError):
            desk_for(client, take).delete(known_as)
    _spool.remove_take(queue.home.spool, take.id)
    queue.forget(take.id)


def collect_garbage(
    queue: TakeQueue,
    *,
    older_than_days: float = 30.0,
    part_age_days: float = 1.0,
    apply: bool = False,
    clock: Callable[[], float] = time.time,
) -> GarbageReport:
    """Forget takes that are done, and remove intakes that were interrupted.

    Only what is uploaded *and* cleaned is forgotten; receipts go with their rows, so the default
    keeps them a month. A stray file is never removed: it may be the only copy of something.

    Args:
        queue: the queue.
        older_than_days: age of the last change of a done take.
        part_age_days: age of an interrupted intake.
        apply: False only reports.
        clock: seconds since the epoch.
    """
    now = datetime.fromtimestamp(clock(), UTC)
    done = queue.cleaned_before(now - timedelta(days=older_than_days))
    oldest = clock() - part_age_days * 86_400
    parts = [
        path for path in _spool.abandoned_parts(queue.home.spool) if path.stat().st_mtime < oldest
    ]
    known = queue.ids_on_disk()
    strays = [
        path.name
        for path in sorted(queue.home.spool.iterdir())
        if path.name not in known and not path.name.startswith(".")
    ]
    size = sum(_size(path) for path in parts)
    if apply:
        for take in done:
            queue.forget(take.id)
        for path in parts:
            shutil.rmtree(path, ignore_errors=True)
    return GarbageReport(len(done), tuple(p.name for p in parts), tuple(strays), size, apply)


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
