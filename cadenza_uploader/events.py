"""What the uploader tells an observer, as it happens. Nothing here prints or logs.

An observer is called from the thread that does the work; it must return quickly and must not
raise. Byte counts may go down when an attempt starts over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cadenza_uploader.take import AssetKind, Hold, Stage, Take

__all__ = [
    "BytesSent",
    "Event",
    "FitProgress",
    "IntakeProgress",
    "Observer",
    "QueueHeld",
    "QueueReleased",
    "Silent",
    "StageReached",
    "TakeClaimed",
    "TakeCleaned",
    "TakeDelayed",
    "TakeFailed",
    "TakeQueued",
    "TakeRecovered",
    "TakeReleased",
    "TakeUploaded",
    "UploaderIdle",
    "UploaderStarted",
    "UploaderStopping",
]


@dataclass(frozen=True, slots=True)
class IntakeProgress:
    """Bytes copied into the spool and hashed so far."""

    path: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class FitProgress:
    """Share of the 720p copy that is made, 0.0–1.0."""

    path: str
    share: float


@dataclass(frozen=True, slots=True)
class TakeQueued:
    """The take survives power loss from here on (I1)."""

    take: Take


@dataclass(frozen=True, slots=True)
class TakeRecovered:
    """Start-up recovery changed this take; `what` is one of reclaimed, adopted, cleaned."""

    take_id: str
    what: str


@dataclass(frozen=True, slots=True)
class TakeClaimed:
    """A worker begins to move the take."""

    take: Take


@dataclass(frozen=True, slots=True)
class StageReached:
    """The take's stage is durable."""

    take_id: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class BytesSent:
    """Bytes of one asset handed to the network in this attempt."""

    take_id: str
    asset: AssetKind
    sent_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class TakeDelayed:
    """A counted attempt failed; the take is tried again at `due_at`."""

    take_id: str
    code: str
    sentence: str
    attempts: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class TakeReleased:
    """The take went back to pending without spending an attempt."""

    take_id: str
    hold: Hold | None
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class TakeFailed:
    """The take is `failed`: `code` says why; its files are kept."""

    take_id: str
    code: str
    sentence: str
    needs_user: bool


@dataclass(frozen=True, slots=True)
class TakeUploaded:
    """The server confirmed the take and its receipt is stored."""

    take: Take


@dataclass(frozen=True, slots=True)
class TakeCleaned:
    """The spool copies are gone."""

    take_id: str


@dataclass(frozen=True, slots=True)
class QueueHeld:
    """The whole queue waits: no network, no sign-in, no disk, or the user's pause."""

    hold: Hold
    sentence: str


@dataclass(frozen=True, slots=True)
class QueueReleased:
    """The hold is over."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class UploaderStarted:
    """The uploader owns the queue and recovery is done."""

    pid: int
    recovered: int


@dataclass(frozen=True, slots=True)
class UploaderIdle:
    """Nothing can be tried before `wake_at` (None: until something changes)."""

    wake_at: datetime | None


@dataclass(frozen=True, slots=True)
class UploaderStopping:
    """A stop was asked for; work in hand is put back."""

    reason: str


Event = (
    IntakeProgress
    | FitProgress
    | TakeQueued
    | TakeRecovered
    | TakeClaimed
    | StageReached
    | BytesSent
    | TakeDelayed
    | TakeReleased
    | TakeFailed
    | TakeUploaded
    | TakeCleaned
    | QueueHeld
    | QueueReleased
    | UploaderStarted
    | UploaderIdle
    | UploaderStopping
)


class Observer(Protocol):
    """Anything callable with one event."""

    def __call__(self, event: Event, /) -> None:
        """Take note of the event; return quickly, never raise."""


class Silent:
    """The observer that is not interested."""

    def __call__(self, event: Event, /) -> None:
        """Ignore the event."""
