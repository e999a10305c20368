"""The work of `fit` in its own process: copy what is fine, encode what is not, measure the copy."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any, BinaryIO

from ._errors import CannotFitError, MediaError
from ._facts import MediaFacts, facts_to_wire
from ._fit_plan import FitPlan, plan_fit
from ._inspect_job import error_record
from ._limits import MediaLimits
from ._packer import PackingError
from ._probe import look, probe
from ._reader import reading
from ._source import examine
from ._transcode import Progress, transcode

_DESCRIPTORS = 32
# A copy that differs more from its source in length has lost something.
_LENGTH_SLACK_MS = 500
_TOLD_STEP = 0.01


def fit_for(order: dict[str, Any], out: BinaryIO) -> int:
    """Make the copy the order asks for, telling the finished part as it grows."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    os.nice(10)  # the take that is playing or uploading goes first
    told = -1.0

    def tell(part: float) -> None:
        nonlocal told
        # Back to nothing when a second way is tried.
        if part >= told + _TOLD_STEP or part == 0.0:
            told = part
            _write(out, {"part": part})

    try:
        made = fit_fd(order["fd"], Path(order["part"]), MediaLimits(**order["limits"]), tell)
    except MediaError as error:
        _write(out, error_record(error))
    except OSError as error:
        _write(out, {"errno": error.errno or 5})
    else:
        _write(out, {"facts": facts_to_wire(made)})
    return 0


def fit_fd(fd: int, part: Path, limits: MediaLimits, tell: Progress) -> MediaFacts:
    """Copy an open file into `part` and measure what came out.

    Raises:
        CannotFitError: Too long, or the copy differs from its source.
        MediaError: The source cannot be read.
        OSError: The copy cannot be written.
    """
    source = examine(fd)
    with reading(source) as media:
        facts = look(media)[0]
    plan = plan_fit(facts, limits)
    made = _try(fd, part, facts, plan, tell)
    if made is None and plan != plan.encoded():
        # Edit lists and odd time stamps do not always survive repacking.
        made = _try(fd, part, facts, plan.encoded(), tell)
    if made is None:
        raise CannotFitError(
            "fit_failed", "The copy came out shorter or longer than the take; it was thrown away."
        )
    return made


def _try(
    fd: int, part: Path, facts: MediaFacts, plan: FitPlan, tell: Progress
) -> MediaFacts | None:
    """One way of copying; None when the copy is not as long as its source."""
    try:
        transcode(examine(fd), part, facts, plan, tell)
    except PackingError:
        return None
    try:
        made = probe(part)
    except MediaError:
        return None
    if abs(made.duration_ms - facts.duration_ms) > _LENGTH_SLACK_MS:
        return None
    return made


def _write(out: BinaryIO, record: dict[str, Any]) -> None:
    out.write(json.dumps(record).encode() + b"\n")
    out.flush()
