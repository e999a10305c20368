"""What the queue says about a take: frozen records, no behaviour of their own.

Times are aware UTC datetimes, sizes are bytes, durations carry their unit in the name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from cadenza_uploader._states import FailCode, Hold, Stage, Status

__all__ = [
    "Account",
    "Asset",
    "AssetKind",
    "Attempt",
    "FailCode",
    "Hold",
    "NewTake",
    "QueueCounts",
    "QueueHold",
    "Stage",
    "Status",
    "Take",
    "TakeContext",
    "TakeEvent",
    "TakeKind",
]

AssetKind = Literal["video", "thumbnail"]
#: A take of the student's own, or a reply in a submission's thread.
TakeKind = Literal["submission", "message"]


@dataclass(frozen=True, slots=True)
class Account:
    """Whose take it is: it is never sent as anybody else (A05, A06).

    `user_id` is None until the first sign-in on this device; the take is then bound to
    the first account of `server_url` that carries it.
    """

    server_url: str
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class TakeContext:
    """What the take is about (F000-42, F001-12). The server wants at least one id (B-20).

    With `parent_submission_id` it is a reply in that submission's thread, by teacher or student,
    and `notes` are the text it says; piece, exercise and session are then the submission's own.
    """

    piece_id: str | None = None
    exercise_id: str | None = None
    session_id: str | None = None
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    notes: str | None = None
    parent_submission_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a take: its bytes are frozen at intake (I12).

    `name` is relative to the spool (B-06); `modified_ns` and `inode` only trigger a re-hash,
    the hash decides (complaint C20).
    """

    kind: AssetKind
    name: PurePosixPath
    size_bytes: int
    sha256: str
    content_type: str
    inode: int
    modified_ns: int
    stored: bool = False
    etag: str | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class NewTake:
    """Everything intake knows when it writes the row (T0)."""

    id: str
    account: Account
    context: TakeContext
    assets: tuple[Asset, ...]
    duration_ms: int
    duration_seconds: int
    width: int
    height: int
    captured_at: datetime
    source_path: str | None = None
    delete_source: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """One local recording and its row in the queue.

    Attributes:
        attempts: counted attempts; offline, holds and expired URLs cost none (I7).
        claims: claims that ended without the worker writing an outcome (poison counter, P10).
        due_at: earliest time of the next try; None when it may be tried now.
        last_error_code: machine-readable cause of the last setback.
        last_error: the same as a sentence, with no URL, token or header in it (SEC-02).
        receipt: the server's receipt as it was received; the licence to delete (I2).
    """

    id: str
    account: Account
    context: TakeContext
    video: Asset
    thumbnail: Asset | None
    duration_ms: int
    duration_seconds: int
    width: int
    height: int
    captured_at: datetime
    source_path: str | None
    delete_source: bool
    status: Status
    stage: Stage
    hold: Hold | None
    server_id: str | None
    create_sent: bool
    attempts: int
    claims: int
    demotions: int
    due_at: datetime | None
    lease_epoch: int
    fail_code: FailCode | None
    last_error_code: str | None
    last_error: str | None
    receipt: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime

    @property
    def kind(self) -> TakeKind:
        """Whether it becomes a submission or a message in a thread."""
        return "submission" if self.context.parent_submission_id is None else "message"

    @property
    def short_id(self) -> str:
        """The first eight characters: enough to name a take at a terminal."""
        return self.id[:8]

    @property
    def size_bytes(self) -> int:
        """Bytes of all its assets."""
        return self.video.size_bytes + (self.thumbnail.size_bytes if self.thumbnail else 0)


@dataclass(frozen=True, slots=True)
class TakeEvent:
    """One immutable line of a take's history in this queue."""

    take_id: str
    at: datetime
    epoch: int
    from_status: Status | None
    to_status: Status
    from_stage: Stage | None
    to_stage: Stage
    hold: Hold | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one step, as it ended. Carries request ids, never URLs (SEC-01)."""

    take_id: str
    step: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    code: str | None
    status_code: int | None
    request_id: str | None
    bytes_sent: int
    counted: bool


@dataclass(frozen=True, slots=True)
class QueueHold:
    """A hold on the whole queue: the reason, since when, and the sentence for people."""

    hold: Hold
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many takes are where, and how long the oldest unsent one has waited."""

    pending: int = 0
    uploading: int = 0
    uploaded: int = 0
    failed: int = 0
    unsent_bytes: int = 0
    oldest_unsent_at: datetime | None = None
    holds: tuple[QueueHold, ...] = field(default=())

    @property
    def unsent(self) -> int:
        """Takes the teacher cannot see yet."""
        return self.pending + self.uploading + self.failed
