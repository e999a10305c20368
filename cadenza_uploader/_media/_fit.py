"""`fit`: an acceptable copy of a file that is not, made in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ._errors import CannotFitError, FitCancelledError, ProbeTimeoutError
from ._facts import MediaFacts, facts_from_wire
from ._files import replace_durably
from ._fit_plan import plan_fit
from ._isolation import Budget, Child, nonsense
from ._limits import MediaLimits, advice, check_limits
from ._source import examine, opened

# Encoding 4K HEVC with tone conversion runs at a quarter of real time on two slow cores.
_CPU_SECONDS_PER_SECOND = 40
_CPU_SECONDS_AT_LEAST = 120
_MEMORY_BYTES = 3 << 30
_POLL_SECONDS = 0.2
_FILE_SLACK_BYTES = 16 << 20


def fit(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    facts: MediaFacts | None = None,
    limits: MediaLimits | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    stall_seconds: float = 120.0,
    monotonic: Callable[[], float] = time.monotonic,
) -> MediaFacts:
    """Write an H.264/AAC MP4 within the limits, with its index first, near the target size.

    Never cuts (B-43). Repacks without loss when only the container, the place of the index or
    the sound is wrong; otherwise encodes. Rotation, mirroring and pixel shape are applied when
    encoding and kept when repacking; place and device names are left out either way (M08).

    Args:
        source: What was recorded; it is only read.
        destination: Appears, complete and synced to disk, when all is done.
        facts: What `inspect` found, to refuse at once what cannot be helped.
        limits: What to fit into.
        progress: Called with the finished part, 0.0 to 1.0; may go back to 0 once.
        cancel: Asked about five times a second; True stops and leaves nothing behind.
        stall_seconds: Without progress for so long, it is given up.
        monotonic: The clock of `stall_seconds`.

    Returns:
        The measured facts of the copy.

    Raises:
        CannotFitError: Too long, or the copy did not come out right.
        FitCancelledError: `cancel` said so.
        MediaError: The source cannot be read, as with `inspect`.
        OSError: The disk is full.
    """
    limits = limits or MediaLimits()
    if facts is not None:
        plan_fit(facts, limits)
    target = Path(destination)
    part = target.with_name(target.name + ".part")
    seconds = limits.max_seconds + limits.grace_seconds
    budget = Budget(
        memory_bytes=_MEMORY_BYTES,
        cpu_seconds=_CPU_SECONDS_AT_LEAST + round(_CPU_SECONDS_PER_SECOND * seconds),
        file_bytes=limits.max_bytes + _FILE_SLACK_BYTES,
    )
    with opened(source) as fd:
        examine(fd)
        order = {
            "job": "fit",
            "fd": fd,
            "part": str(part.absolute()),
            "limits": asdict(limits),
        }
        try:
            with Child(order, fds=[fd], budget=budget, monotonic=monotonic) as child:
                made = _follow(child, progress, cancel, stall_seconds, monotonic)
            for violation in check_limits(made, limits):
                raise CannotFitError(
                    "fit_failed",
                    f"The copy did not come out right. {violation.sentence}",
                    measured=str(violation.measured),
                )
            replace_durably(part, target)
        finally:
            part.unlink(missing_ok=True)
    return made.warned(*advice(made, limits))


def _follow(
    child: Child,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
    stall_seconds: float,
    monotonic: Callable[[], float],
) -> MediaFacts:
    deadline = monotonic() + stall_seconds
    while True:
        if cancel is not None and cancel():
            raise FitCancelledError("fit_cancelled", "Making the smaller copy was stopped.")
        if child.waits(_POLL_SECONDS):
            if monotonic() > deadline:
                raise ProbeTimeoutError(
                    "fit_stalled", "Making the smaller copy does not get on.", measured="wall time"
                )
            continue
        record = child.record(deadline)
        deadline = monotonic() + stall_seconds
        if "errno" in record:
            raise OSError(record["errno"], os.strerror(record["errno"]))
        try:
            if "facts" in record:
                return facts_from_wire(record["facts"])
            part = float(record["part"])
        except (KeyError, TypeError, ValueError) as error:
            raise nonsense() from error
        if progress is not None:
            progress(min(1.0, max(0.0, part)))
