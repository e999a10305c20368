"""The two axes of a take's life, and every legal step along them.

*Status* is what people and other clients see: four words, exactly (F000-16). *Stage* is how far
the world has changed: it only grows, except on server evidence (I8). *Hold* says why a pending
take is not tried. The tables here are the ones the database triggers enforce and the
specification prints, so there is one source for all three.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Status(StrEnum):
    """Upload status of a take, local to this device and never sent to the server (F000-15)."""

    #: Durable on this device, waiting for its turn, its time or the end of a hold.
    PENDING = "pending"
    #: A worker holds the lease and is moving it through the stages.
    UPLOADING = "uploading"
    #: The server confirmed it and its receipt is stored. Final.
    UPLOADED = "uploaded"
    #: Needs the user, or used up its quick attempts and is retried at the slow pace (I6).
    FAILED = "failed"


class Stage(IntEnum):
    """How far a take has come; a finished stage is never repeated (I9)."""

    #: File and row are durable here; the server may know nothing of it.
    RECORDED = 0
    #: The server has the submission and its id is stored here.
    REGISTERED = 1
    #: The store accepted every required object.
    STORED = 2
    #: The server verified the object and its receipt is stored here.
    CONFIRMED = 3
    #: The spool copies are gone.
    CLEANED = 4

    @property
    def word(self) -> str:
        """The stage's name in lower case, as shown and exported."""
        return self.name.lower()


class Hold(StrEnum):
    """Why a pending take, or the whole queue, is not being tried. Costs no attempt (I7)."""

    AUTH = "auth"
    NETWORK = "network"
    CONSTRAINT = "constraint"
    DISK = "disk"
    USER = "user"


class FailCode(StrEnum):
    """The closed list of reasons for `failed`. No file is ever deleted on any of them."""

    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    BAD_REQUEST = "bad_request"
    BAD_UPLOAD_URL = "bad_upload_url"
    CLIENT_TOO_OLD = "client_too_old"
    FILE_UNREADABLE = "file_unreadable"
    FORBIDDEN = "forbidden"
    ID_CONFLICT = "id_conflict"
    LEGAL = "legal"
    LIMIT_EXCEEDED = "limit_exceeded"
    LOCAL_FILE_CHANGED = "local_file_changed"
    LOCAL_FILE_MISSING = "local_file_missing"
    POISON = "poison"
    QUOTA_EXCEEDED = "quota_exceeded"
    STORAGE_FORBIDDEN = "storage_forbidden"
    STORAGE_REJECTS = "storage_rejects"
    SUBMISSION_DELETED = "submission_deleted"
    SUBMISSION_GONE = "submission_gone"
    TOO_LARGE = "too_large"
    UNSAFE_PATH = "unsafe_path"
    UNSUPPORTED_MEDIA = "unsupported_media"

    @property
    def needs_user(self) -> bool:
        """Whether only the user can change the outcome; the others heal at the slow pace."""
        return self not in _HEALS_BY_ITSELF


_HEALS_BY_ITSELF = frozenset(
    {FailCode.ATTEMPTS_EXHAUSTED, FailCode.STORAGE_FORBIDDEN, FailCode.STORAGE_REJECTS}
)

#: status → statuses it may become (60-reliability T0–T15). `uploaded` is final.
LEGAL_STATUS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.UPLOADING, Status.FAILED, Status.UPLOADED}),
    Status.UPLOADING: frozenset({Status.PENDING, Status.UPLOADED, Status.FAILED}),
    Status.UPLOADED: frozenset(),
    Status.FAILED: frozenset({Status.PENDING}),
}

#: The only steps back a stage may take, and only on server evidence (T13).
LEGAL_DEMOTION: frozenset[tuple[Stage, Stage]] = frozenset(
    {
        (Stage.STORED, Stage.RECORDED),
        (Stage.STORED, Stage.REGISTERED),
        (Stage.REGISTERED, Stage.RECORDED),
    }
)


def is_legal(before: tuple[Status, Stage], after: tuple[Status, Stage]) -> bool:
    """Whether a take may go from one (status, stage) to another in one transaction."""
    (status, stage), (next_status, next_stage) = before, after
    if (next_status is Status.UPLOADED) != (next_stage >= Stage.CONFIRMED):
        return False
    if next_status is not status and next_status not in LEGAL_STATUS[status]:
        return False
    return next_stage >= stage or (stage, next_stage) in LEGAL_DEMOTION
