"""What one run's server knows: tokens, submissions, objects, issued URLs, and who is who."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from cadenza_conformance.scenario import Recording, Scenario
from cadenza_conformance.trace import Event, FinalObject, FinalSubmission, LocalFile

USER_ID = 7
OTHER_USER_ID = 8
KEY_PREFIX = "dev/"
_PIECES = UUID("6b1d0f6e-4f0a-4a42-9d4c-7f1c5a5f0c11")
#: Every URL's signature and every token carries one of these words, so that a leak is findable.
TOKEN_CANARY = "canarytoken"  # noqa: S105 - a word to search for
SIGNATURE_CANARY = "canarysignature"

Barrier = Callable[[str], Awaitable[LocalFile]]


async def _nobody_knows(_recording: str) -> LocalFile:
    return "unknown"


def piece_of(recording_id: str) -> str:
    """The piece a recording is about: how the server recognises it in a create."""
    return str(uuid5(_PIECES, recording_id))


def take_of(run: str, recording_id: str) -> str:
    """A stable id the driver offers to clients that want one."""
    return str(uuid5(_PIECES, f"{run}/{recording_id}"))


@dataclass
class Submission:
    """A submission the server holds."""

    id: str
    body: dict[str, Any]
    key: str
    thumbnail_key: str
    created_at: datetime
    recording: str | None
    confirmed_at: datetime | None = None
    refused: bool = False
    has_thumbnail: bool = False


@dataclass
class StoredObject:
    """An object in the store; small ones with their bytes."""

    size: int
    sha256: str
    md5: str
    content_type: str
    start: bytes


@dataclass
class Grant:
    """A URL the API issued: for which request, with which headers, until when."""

    method: str
    key: str
    headers: dict[str, str]
    issued_at: float
    ttl_seconds: float
    query: str
    void: bool = False


@dataclass
class World:
    """The state behind one base path.

    Attributes:
        barrier: tells whether the client's copy of a recording is there, at this very moment.
    """

    run: str
    scenario: Scenario
    monotonic: Callable[[], float] = time.monotonic
    barrier: Barrier = _nobody_knows
    events: list[Event] = field(default_factory=list[Event])
    submissions: dict[str, Submission] = field(default_factory=dict[str, Submission])
    objects: dict[str, StoredObject] = field(default_factory=dict[str, StoredObject])
    grants: dict[str, Grant] = field(default_factory=dict[str, Grant])
    counts: Counter[str] = field(default_factory=Counter[str])
    #: Those of them for which it is known by which rule they are played.
    begun: Counter[str] = field(default_factory=Counter[str])
    rule_uses: Counter[int] = field(default_factory=Counter[int])
    signals: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    gates: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    skew_seconds: int = 0
    is_over: bool = False

    def __post_init__(self) -> None:
        """Start the run's clock and make its secrets."""
        self.started = self.monotonic()
        self.skew_seconds = self.scenario.given.server.clock_skew_seconds
        self.tokens: dict[str, int] = {}
        self.void_tokens: set[str] = set()
        self.token = self.new_token()
        self.active = 0

    # ── time ───────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self.monotonic() - self.started

    @property
    def told_time(self) -> datetime:
        """The time this server tells, right or wrong."""
        return datetime.now(UTC) + timedelta(seconds=self.skew_seconds)

    # ── secrets ────────────────────────────────────────────────────────────────────────────

    def new_token(self, user_id: int = USER_ID) -> str:
        """A token that is accepted."""
        token = f"{TOKEN_CANARY}.{secrets.token_hex(12)}"
        self.tokens[token] = user_id
        return token

    def revoke_tokens(self) -> None:
        """Void every token but the newest; the first one too, while there is no other."""
        issued = list(self.tokens)
        self.void_tokens.update(issued[:-1] if len(issued) > 1 else issued)

    def user_of(self, token: str | None) -> int | None:
        """Whose the token is; None when it is not accepted."""
        if token is None or token in self.void_tokens:
            return None
        return self.tokens.get(token)

    def expire_urls(self) -> None:
        """Void every URL issued so far."""
        for grant in self.grants.values():
            grant.void = True

    # ── who is who ─────────────────────────────────────────────────────────────────────────

    def recording(self, recording_id: str) -> Recording | None:
        """A given recording."""
        return next((r for r in self.scenario.given.recordings if r.id == recording_id), None)

    def recording_of_body(self, body: dict[str, Any]) -> str | None:
        """Which recording a create request announces: by its piece, else by its hash or size."""
        recordings = self.scenario.given.recordings
        for recording in recordings:
            if str(body.get("piece_id", "")).lower() == piece_of(recording.id):
                return recording.id
        for recording in recordings:
            if body.get("sha256") == recording.video.sha256:
                return recording.id
        return recordings[0].id if len(recordings) == 1 else None

    def submission_of_key(self, key: str) -> Submission | None:
        """The submission an object's key belongs to."""
        for submission in self.submissions.values():
            if key in (submission.key, submission.thumbnail_key):
                return submission
        return None

    # ── rules ──────────────────────────────────────────────────────────────────────────────

    def signal(self, name: str) -> asyncio.Event:
        """The event the driver waits for."""
        return self.signals.setdefault(name, asyncio.Event())

    def gate(self, name: str) -> asyncio.Event:
        """The event a parked answer waits for."""
        return self.gates.setdefault(name, asyncio.Event())

    def unused_rules(self) -> list[int]:
        """Faults that were never reached: with any left, a run proves nothing (§3.1.4)."""
        return [
            index
            for index, rule in enumerate(self.scenario.script)
            if self.rule_uses[index] == 0 and not rule.optional
        ]

    async def note_change(self) -> None:
        """Wake whoever waits for requests."""
        async with self.changed:
            self.changed.notify_all()

    # ── the end ────────────────────────────────────────────────────────────────────────────

    def final_submissions(self) -> list[FinalSubmission]:
        """What the server holds."""
        return [
            FinalSubmission(
                id=submission.id,
                recording=submission.recording,
                confirmed=submission.confirmed_at is not None,
            )
            for submission in self.submissions.values()
        ]

    def final_objects(self) -> list[FinalObject]:
        """What the store holds."""
        found: list[FinalObject] = []
        for key, stored in self.objects.items():
            submission = self.submission_of_key(key)
            kind: Literal["video", "thumbnail"] = "video" if key.endswith(".mp4") else "thumbnail"
            found.append(
                FinalObject(
                    kind=kind,
                    submission=submission.id if submission else "",
                    recording=submission.recording if submission else None,
                    size=stored.size,
                    sha256=stored.sha256,
                )
            )
        return found

    def has_confirmed(self, recording_id: str) -> bool:
        """Whether the server has confirmed a submission of this recording."""
        return any(
            submission.recording == recording_id and submission.confirmed_at is not None
            for submission in self.submissions.values()
        )
