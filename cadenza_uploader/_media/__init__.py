"""Media: measuring takes safely, judging them, fitting them, recording one.

The only folder that imports av and PIL, and it does so only in the probe process or inside the
functions that need them: importing this package costs nothing.
"""

from __future__ import annotations

import os

from ._errors import (
    CameraError,
    CannotFitError,
    DamagedMediaError,
    FitCancelledError,
    MediaError,
    NotAVideoError,
    NotFinalisedError,
    ProbeCrashedError,
    ProbeTimeoutError,
    ProbeUnavailableError,
    UnreadableFileError,
    UnsupportedMediaError,
)
from ._facts import Inspection, MediaFacts, MediaWarning
from ._fit import fit
from ._inspect import inspect, inspect_many
from ._limits import LimitViolation, MediaLimits, check_limits
from ._record import record


def probe_in_process(path: str | os.PathLike[str]) -> MediaFacts:
    """Measure one file in this very process, without thumbnail or sound check.

    For files of our own making and for benchmarks; `inspect` isolates what others made.

    Raises:
        MediaError: As `inspect`.
    """
    from ._probe import probe

    return probe(path)


__all__ = [
    "CameraError",
    "CannotFitError",
    "DamagedMediaError",
    "FitCancelledError",
    "Inspection",
    "LimitViolation",
    "MediaError",
    "MediaFacts",
    "MediaLimits",
    "MediaWarning",
    "NotAVideoError",
    "NotFinalisedError",
    "ProbeCrashedError",
    "ProbeTimeoutError",
    "ProbeUnavailableError",
    "UnreadableFileError",
    "UnsupportedMediaError",
    "check_limits",
    "fit",
    "inspect",
    "inspect_many",
    "probe_in_process",
    "record",
]
