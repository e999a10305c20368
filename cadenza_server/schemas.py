"""The wire: what requests may say and what answers look like (W1–W10)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from cadenza_server.clock import Timestamp
from cadenza_server.receipts import Receipt

MAX_SECONDS = 180
MAX_NOTES = 2000
_BIG = 2**53  # JSON's safe integers; the real limits are rules with codes of their own

MediaState = Literal["awaiting_upload", "uploaded", "ready", "invalid", "expired", "deleted"]
Source = Literal["camera", "desktop", "live", "import", "reconcile"]
ContentType = Literal["video/mp4", "video/webm"]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Flag = Annotated[bool, Field(strict=True)]
Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True),
    Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]),
]
# PostgreSQL stores no NUL in text, and nobody types one.
NO_NUL = r"^[^\x00]*$"
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_NUL),
]


class RequestBody(BaseModel):
    """A request body. Unknown fields are ignored: what a client adds is never trusted (SEC-15)."""

    model_config = ConfigDict(extra="ignore")


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(frozen=True)


# ── errors ─────────────────────────────────────────────────────────────────────


class Problem(Answer):
    """Any refusal (W6)."""

    detail: str = Field(description="a sentence for a person")
    code: str = Field(description="for programs; see the list of codes")
    request_id: str
    fields: dict[str, Any] | None = None


# ── identity ───────────────────────────────────────────────────────────────────


class Health(Answer):
    """The server is up."""

    status: Literal["ok"] = "ok"
    version: str
    time: Timestamp
    profiles: list[Literal["v1", "v2"]] = ["v1", "v2"]


class Ready(Answer):
    """The worker can do its work."""

    status: Literal["ready"] = "ready"


class Login(RequestBody):
    """Sign in with a password."""

    email: Annotated[str, StringConstraints(max_length=254, pattern=NO_NUL)] = Field(
        examples=["ada@example.org"]
    )
    password: Annotated[str, StringConstraints(max_length=1024)] = Field(repr=False)


class UserOut(Answer):
    """A person, as others in the studio see them."""

    id: int
    email: str
    full_name: str | None
    user_type: Literal["student", "teacher"] | None
    teacher_id: int | None
    created_at: Timestamp


class SignIn(Answer):
    """A bearer token and whose it is."""

    access_token: str = Field(repr=False)
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = Field(description="seconds from now")
    user: UserOut


class TeacherChosen(Answer):
    """The student's new teacher."""

    teacher: UserOut


# ── reference data ─────────────────────────────────────────────────────────────


class NewPiece(RequestBody):
    """A piece to add to one's own."""

    title: Title
    page_count: Count | None = None
    pdf_filename: Annotated[str, StringConstraints(max_length=255, pattern=NO_NUL)] | None = None
    shared_from_piece_id: UUID | None = None


class PageOut(Answer):
    """One page of a piece."""

    page_number: int
    image_url: str
    width: int
    height: int
    measure_start: int | None
    measure_end: int | None


class PieceOut(Answer):
    """A piece of music."""

    id: UUID
    owner_id: int
    title: str
    pdf_filename: str | None
    page_count: int | None
    shared_from_piece_id: UUID | None
    created_at: Timestamp
    updated_at: Timestamp
    pages: list[PageOut] | None = Field(default=None, description="only when one piece is read")


class NewRoutine(RequestBody):
    """A routine to add to one's own."""

    title: Title


class NewExercise(RequestBody):
    """An exercise to add at the end of a routine, or at a place of its own."""

    title: Title | None = None
    piece_id: UUID | None = None
    order_index: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = None
    recommended_time_seconds: Count | None = None
    intentions: Annotated[str, StringConstraints(max_length=2000, pattern=NO_NUL)] | None = None
    start_page: Count | None = None


class ExerciseOut(Answer):
    """One thing to practise."""

    id: UUID
    routine_id: UUID
    piece_id: UUID | None
    title: str | None
    order_index: int
    recommended_time_seconds: int | None
    intentions: str | None
    start_page: int | None


class RoutineOut(Answer):
    """An ordered list of exercises."""

    id: UUID
    owner_id: int
    title: str
    created_at: Timestamp
    exercises: list[ExerciseOut]


class AssignRoutine(RequestBody):
    """Which routine the student is to work through."""

    routine_id: UUID


class StartSession(RequestBody):
    """Begin to practise, with or without a routine."""

    routine_id: UUID | None = None


class CompleteSession(RequestBody):
    """Finish practising."""

    duration_seconds: Annotated[int, Field(strict=True, ge=0, le=86_400)] | None = None


class PracticeSessionOut(Answer):
    """One sitting of practice."""

    id: UUID
    user_id: int
    routine_id: UUID | None
    started_at: Timestamp
    completed_at: Timestamp | None
    duration_seconds: int | None


# ── submissions ────────────────────────────────────────────────────────────────


class NewSubmission(RequestBody):
    """A take the student wants to send. Profile v1 knows only the first five fields (W10)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11",
                    "piece_id": "b1a2c3d4-0000-4000-8000-000000000001",
                    "duration_seconds": 45,
                    "notes": "bar 17",
                    "page_number": 3,
                    "size_bytes": 8123456,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "width": 1280,
                    "height": 720,
                    "captured_at": "2026-11-20T17:04:05Z",
                }
            ]
        }
    )

    exercise_id: UUID | None = None
    piece_id: UUID | None = None
    session_id: UUID | None = None
    duration_seconds: Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)]
    notes: Annotated[str, StringConstraints(max_length=MAX_NOTES, pattern=NO_NUL)] | None = None

    id: UUID | None = Field(default=None, description="made by the client; repeats are safe (B-19)")
    size_bytes: Annotated[int, Field(strict=True, ge=1, le=_BIG)] | None = None
    sha256: Sha256 | None = None
    content_type: ContentType = Field(
        default="video/mp4", description="a WebM becomes an MP4 here before it can be watched"
    )
    width: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    height: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    captured_at: AwareDatetime | None = None
    page_number: Count | None = None
    measure_number: Count | None = None
    measure_end: Count | None = None
    thumbnail_size_bytes: Annotated[int, Field(strict=True, ge=1, le=_BIG)] | None = None

    @model_validator(mode="after")
    def _measures_in_order(self) -> Self:
        if self.measure_end is not None and (
            self.measure_number is None or self.measure_end < self.measure_number
        ):
            raise ValueError("measure_end needs a measure_number that is not after it")
        return self


class Derivative(Answer):
    """Something the server makes from a video."""

    kind: str
    state: str


class SubmissionOut(Answer):
    """A submission. New fields may appear; none disappears (W8)."""

    id: UUID
    user_id: int
    exercise_id: UUID | None
    piece_id: UUID | None
    session_id: UUID | None
    s3_key: str
    thumbnail_s3_key: str | None = Field(description="null until the thumbnail is stored (B-11)")
    duration_seconds: int
    notes: str | None
    reviewed_at: Timestamp | None
    reviewed_by_id: int | None
    created_at: Timestamp
    media_state: MediaState
    captured_at: Timestamp
    uploaded_at: Timestamp | None
    page_number: int | None
    measure_number: int | None
    measure_end: int | None
    is_mastered: bool
    mastered_at: Timestamp | None
    context_title: str | None
    thumbnail_url: str | None = Field(repr=False)
    size_bytes: int | None
    width: int | None
    height: int | None
    source: Source | None
    derivatives: list[Derivative]
    unread_count: int = Field(description="messages of the other side that the reader has not read")
    marker_count: int = Field(description="on the take and on the thread's videos")
    question_count: int = Field(description="those of them that are questions and still open")


class UploadUrls(Answer):
    """Where to PUT the bytes, and the exact headers to send. A null URL: nothing to upload."""

    upload_url: str | None = Field(repr=False)
    thumbnail_upload_url: str | None = Field(repr=False)
    expires_in: int = Field(description="seconds from now", examples=[3600])
    upload_headers: dict[str, str] | None = Field(
        examples=[{"Content-Type": "video/mp4", "Content-Length": "8123456"}]
    )
    thumbnail_upload_headers: dict[str, str] | None = Field(
        examples=[{"Content-Type": "image/jpeg"}]
    )


class SubmissionCreated(UploadUrls):
    """The submission and where its bytes go."""

    submission: SubmissionOut


class Confirm(RequestBody):
    """What the client believes it has stored; all of it is checked."""

    size_bytes: Annotated[int, Field(strict=True, ge=1, le=_BIG)] | None = None
    sha256: Sha256 | None = None
    thumbnail: Flag = False


class Confirmed(Answer):
    """The server has the video; the receipt is the licence to delete the local copy (B-01)."""

    submission: SubmissionOut
    receipt: Receipt


class Playback(Answer):
    """Where to watch it."""

    video_url: str = Field(repr=False)
    thumbnail_url: str | None = Field(repr=False)
    expires_in: int
    storyboard_url: str | None = Field(default=None, repr=False)
    waveform_url: str | None = Field(default=None, repr=False)
    derivatives: dict[str, Any] = Field(
        default_factory=dict,
        description="facts of what is ready: storyboard, waveform, loudness; fps and duration_ms",
        examples=[
            {
                "storyboard": {
                    "columns": 10,
                    "rows": 5,
                    "count": 45,
                    "tile_width": 160,
                    "tile_height": 90,
                    "interval_ms": 1000,
                },
                "waveform": {"has_audio": True, "interval_ms": 45, "count": 1000},
                "loudness": {
                    "has_audio": True,
                    "integrated_lufs": -18.4,
                    "range_lu": 6.1,
                    "peak_db": -2.3,
                    "silent_share": 0.04,
                },
                "fps": 30.0,
                "duration_ms": 45013,
            }
        ],
    )


class EventOut(Answer):
    """One line of the audit trail."""

    seq: int
    id: UUID
    at: Timestamp
    actor_id: int | None
    asset_id: UUID | None
    submission_id: UUID | None
    take_id: UUID | None
    event: str
    data: dict[str, Any]
    prev_hash: str
    hash: str


class QueueItem(Answer):
    """One take that waits for its teacher."""

    submission: SubmissionOut
    student_id: int
    student_name: str | None
    waiting_seconds: int = Field(description="since the video arrived")
    has_question: bool
    due_at: Timestamp = Field(description="48 hours after the video arrived")
