"""What can go wrong on this device, one class per decision a caller makes.

::

    UploaderError
      TakeRefusedError        the file is outside the limits; nothing was queued
      NotATakeError           not a video this product can send; nothing was queued
      NotFinishedError        still being written, or cut short; try again when it is closed
      SpoolFullError          no room for a safe copy; nothing was queued
      SourceChangedError      the file changed while it was being copied; nothing was queued
      TakeNotFoundError       no take with that id
      AmbiguousTakeError      several takes begin with that id
      IllegalStepError        the queue refused a transition that is not in the table
      StaleLeaseError         another worker owns the take now; this outcome was not written
      QueueBusyError          another uploader owns this queue
      QueueDamagedError       the database cannot be used
      QueueUnavailableError   the disk is full, read-only or failing; nothing is lost
      QueueTooNewError        a newer version wrote it
      CredentialsError        the stored sign-in cannot be used safely
      FitFailedError          the 720p copy could not be made

The network's own errors are `cadenza_client.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

__all__ = [
    "AmbiguousTakeError",
    "CredentialsError",
    "FitFailedError",
    "IllegalStepError",
    "NotATakeError",
    "NotFinishedError",
    "QueueBusyError",
    "QueueDamagedError",
    "QueueTooNewError",
    "QueueUnavailableError",
    "SourceChangedError",
    "SpoolFullError",
    "StaleLeaseError",
    "TakeNotFoundError",
    "TakeRefusedError",
    "UploaderError",
]


class UploaderError(Exception):
    """Base of everything this package raises on purpose.

    Attributes:
        code: stable machine-readable word.
        retryable: whether the same call may succeed later without the user changing anything.
    """

    code: ClassVar[str] = "uploader_error"
    retryable: ClassVar[bool] = False


class TakeRefusedError(UploaderError):
    """The file is outside the limits of F000-20; nothing was queued and nothing was changed.

    Attributes:
        violations: sentences with the measured value and the limit.
        codes: one machine-readable code per violation.
        fixable_by_fit: whether `--fit` would make an acceptable copy.
    """

    code = "limit_exceeded"

    def __init__(
        self, path: Path, violations: Sequence[str], codes: Sequence[str], *, fixable_by_fit: bool
    ) -> None:
        self.path = path
        self.violations = tuple(violations)
        self.codes = tuple(codes)
        self.fixable_by_fit = fixable_by_fit
        advice = " Try again with --fit to send a 720p copy." if fixable_by_fit else ""
        super().__init__(f"{path.name} was not queued: {' '.join(self.violations)}{advice}")


class NotATakeError(UploaderError):
    """The file is not a video that can be read; nothing was queued."""

    code = "probe_failed"


class NotFinishedError(UploaderError):
    """The recording is still being written or was cut short (complaint C41)."""

    code = "not_finalised"
    retryable = True


class SpoolFullError(UploaderError):
    """There is no room for a safe copy; nothing was queued and no part of it was left behind."""

    code = "spool_full"
    retryable = True


class SourceChangedError(UploaderError):
    """The file changed while it was being copied into the spool; nothing was queued."""

    code = "local_file_changed"
    retryable = True


class TakeNotFoundError(UploaderError):
    """No take of this queue has that id."""

    code = "take_not_found"


class AmbiguousTakeError(UploaderError):
    """Several takes begin with that id."""

    code = "take_ambiguous"


class IllegalStepError(UploaderError):
    """A transition outside the table was asked for: a bug, or a command at the wrong time."""

    code = "illegal_step"


class StaleLeaseError(UploaderError):
    """The take was reclaimed by another worker; this outcome was dropped (I6)."""

    code = "stale_lease"


class QueueBusyError(UploaderError):
    """Another uploader owns this queue (I14).

    Attributes:
        pid: process id of the owner, if it could be read.
    """

    code = "already_running"
    retryable = True

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        super().__init__(
            f"Another uploader is already running for this queue (pid {pid or 'unknown'})."
        )


class QueueDamagedError(UploaderError):
    """The queue's database cannot be read or written."""

    code = "queue_damaged"


class QueueUnavailableError(UploaderError):
    """The disk does not let the queue be opened: full, read-only, or reporting errors."""

    code = "queue_unavailable"
    retryable = True


class QueueTooNewError(UploaderError):
    """A newer version of Cadenza wrote this queue; it was left untouched (P13)."""

    code = "queue_too_new"


class CredentialsError(UploaderError):
    """The stored sign-in is readable by others or cannot be read (SEC-11)."""

    code = "credentials_unsafe"


class FitFailedError(UploaderError):
    """The 720p copy could not be made; the original is untouched."""

    code = "fit_failed"
