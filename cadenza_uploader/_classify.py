"""What an answer, or its absence, means for a take: one table, read top to bottom.

Classified by cause, never by status class alone (70-upload-clients §0.4): S3 answers 400 to
things worth retrying and 403 to things a fresh URL cures. Whatever the table does not name is
retried with back-off and stays visible; `failed` comes only from a row of the table. The same
rows are exported as `cadenza_conformance/decisions/classify.json` for other implementations and
a test holds the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from cadenza_uploader._states import FailCode, Hold, Stage

Party = Literal["api", "storage", "local"]
Step = Literal["create", "urls", "video", "thumbnail", "confirm"]


class Action(StrEnum):
    """What to do with the take."""

    #: Count an attempt and come back after a back-off.
    RETRY = "retry"
    #: Fetch a fresh URL and try again at once; costs nothing, bounded per claim.
    REFRESH = "refresh"
    #: Skip to confirm: the object is there already.
    CONFIRM = "confirm"
    #: The server says an earlier stage is not done: go back to it.
    REDO = "redo"
    #: Put back without an attempt, and wait for the world to change.
    HOLD = "hold"
    #: Failed, with a code; the file is kept.
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one step.

    Attributes:
        party: who answered, or should have; `local` is this device's own disk.
        step: which step was tried.
        status: HTTP status, when there was an answer.
        code: the API's error code, the store's S3 `Code`, or our own word for a missing answer
            (`offline`, `certificate`, `lost`, `portal`, `malformed`, …).
        seen: how often this step already failed with this code since it last succeeded, or since
            the take was given up and tried again.
    """

    party: Party
    step: Step
    status: int | None = None
    code: str | None = None
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows. Only the field that belongs to the action is set."""

    action: Action
    hold: Hold | None = None
    fail: FailCode | None = None
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: empty fields match anything; after `limit` repetitions `then` applies.

    `unanswered` rows speak only of answers without an HTTP status: a server must not be able to
    say one of our own words (`offline`, `portal`, …) in its error code.
    """

    why: str
    decision: Decision
    party: Party | None = None
    unanswered: bool = False
    steps: tuple[Step, ...] = ()
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    limit: int | None = None
    then: Decision | None = None

    def matches(self, answer: Answer) -> bool:
        """Whether this row speaks of the answer."""
        return (
            (self.party is None or self.party == answer.party)
            and (not self.unanswered or answer.status is None)
            and (not self.steps or answer.step in self.steps)
            and (not self.statuses or answer.status in self.statuses)
            and (not self.codes or answer.code in self.codes)
        )

    def decide(self, answer: Answer) -> Decision:
        """The row's decision for this repetition."""
        if self.limit is not None and self.then is not None and answer.seen >= self.limit:
            return self.then
        return self.decision


def _fail(code: FailCode) -> Decision:
    return Decision(Action.FAIL, fail=code)


def _hold(hold: Hold) -> Decision:
    return Decision(Action.HOLD, hold=hold)


def _redo(stage: Stage) -> Decision:
    return Decision(Action.REDO, stage=stage)


_RETRY = Decision(Action.RETRY)
_REFRESH = Decision(Action.REFRESH)
_CONFIRM = Decision(Action.CONFIRM)
_UPLOAD: tuple[Step, ...] = ("video", "thumbnail")

RULES: tuple[Rule, ...] = (
    # No answer at all.
    Rule(
        "no host is reachable: wait for the network (I7)",
        _hold(Hold.NETWORK),
        unanswered=True,
        codes=("offline",),
    ),
    Rule(
        "never send past a bad certificate (N18)",
        _hold(Hold.NETWORK),
        unanswered=True,
        codes=("certificate",),
    ),
    Rule(
        "a login page is not success (N15)",
        _hold(Hold.NETWORK),
        unanswered=True,
        codes=("portal",),
    ),
    Rule(
        "the connection died or fell silent (N05, N08)",
        _RETRY,
        unanswered=True,
        codes=("lost", "timeout"),
    ),
    Rule(
        "the API is there and the store is not (N02)",
        _RETRY,
        unanswered=True,
        codes=("unreachable",),
    ),
    Rule(
        "an answer that makes no sense is never success (S12)",
        _RETRY,
        unanswered=True,
        codes=("malformed",),
    ),
    # This device.
    Rule(
        "the bytes are not those that were queued (F02)",
        _fail(FailCode.LOCAL_FILE_CHANGED),
        party="local",
        codes=("local_file_changed",),
    ),
    Rule(
        "the file is gone (B-05)",
        _fail(FailCode.LOCAL_FILE_MISSING),
        party="local",
        codes=("local_file_missing",),
    ),
    Rule(
        "a link in the spool (F06)",
        _fail(FailCode.UNSAFE_PATH),
        party="local",
        codes=("unsafe_path",),
    ),
    Rule(
        "the disk may recover (D04)",
        _RETRY,
        party="local",
        codes=("file_unreadable",),
        limit=3,
        then=_fail(FailCode.FILE_UNREADABLE),
    ),
    Rule(
        "this device is short of something for the moment (P14)",
        _RETRY,
        party="local",
        codes=("device_busy",),
    ),
    Rule(
        "no header can carry this token: sign in again",
        _hold(Hold.AUTH),
        party="local",
        codes=("unusable_sign_in",),
    ),
    Rule(
        "bytes go only to hosts we allow (SEC-09, O14)",
        _fail(FailCode.BAD_UPLOAD_URL),
        party="local",
        codes=("unsafe_upload_url",),
    ),
    # The API.
    Rule("sign in first; nothing is spent (S06)", _hold(Hold.AUTH), party="api", statuses=(401,)),
    Rule(
        "the studio's quota is used up",
        _fail(FailCode.QUOTA_EXCEEDED),
        party="api",
        codes=("quota_exceeded",),
    ),
    Rule("not allowed", _fail(FailCode.FORBIDDEN), party="api", statuses=(403,)),
    Rule(
        "deleted on purpose: do not bring it back (30-peers §3.3.8)",
        _fail(FailCode.SUBMISSION_DELETED),
        party="api",
        statuses=(410,),
    ),
    Rule(
        "what the take is about does not exist (B-21)",
        _fail(FailCode.BAD_REQUEST),
        party="api",
        codes=("context_not_found",),
    ),
    Rule(
        "the server forgot the submission: create it once more, same id (S07)",
        _redo(Stage.RECORDED),
        party="api",
        steps=("urls", "confirm"),
        statuses=(404,),
        limit=1,
        then=_fail(FailCode.SUBMISSION_GONE),
    ),
    Rule(
        "no such route for a create",
        _fail(FailCode.CLIENT_TOO_OLD),
        party="api",
        statuses=(404, 405, 426, 428, 501),
    ),
    Rule("withheld for legal reasons", _fail(FailCode.LEGAL), party="api", statuses=(451,)),
    Rule(
        "this id names something else (B-19)",
        _fail(FailCode.ID_CONFLICT),
        party="api",
        codes=("id_conflict",),
    ),
    Rule(
        "the object is there already (B-24)",
        _CONFIRM,
        party="api",
        steps=("urls",),
        codes=("already_uploaded", "already_reviewed"),
    ),
    Rule(
        "the object is not there: send it again (S08)",
        _redo(Stage.REGISTERED),
        party="api",
        steps=("confirm",),
        codes=("not_uploaded_yet",),
        limit=2,
        then=_fail(FailCode.STORAGE_REJECTS),
    ),
    Rule(
        "other bytes arrived: send ours again (S09, O09)",
        _redo(Stage.REGISTERED),
        party="api",
        steps=("confirm",),
        codes=("size_mismatch", "checksum_mismatch"),
        limit=2,
        then=_fail(FailCode.STORAGE_REJECTS),
    ),
    Rule("too many bytes", _fail(FailCode.TOO_LARGE), party="api", statuses=(413,)),
    Rule("not a video", _fail(FailCode.UNSUPPORTED_MEDIA), party="api", statuses=(415,)),
    Rule(
        "outside the server's limits",
        _fail(FailCode.LIMIT_EXCEEDED),
        party="api",
        codes=("duration_out_of_range", "resolution_exceeded"),
    ),
    Rule(
        "the server refuses the data", _fail(FailCode.BAD_REQUEST), party="api", statuses=(400, 422)
    ),
    # The store.
    Rule(
        "the URL is no longer good: a fresh one, at once (O01–O03)",
        _REFRESH,
        party="storage",
        statuses=(401, 403),
        limit=5,
        then=_fail(FailCode.STORAGE_FORBIDDEN),
    ),
    Rule(
        "the signer's credentials rotated (C3)", _REFRESH, party="storage", codes=("ExpiredToken",)
    ),
    Rule(
        "no such bucket behind this URL",
        _REFRESH,
        party="storage",
        statuses=(404, 410),
        limit=1,
        then=_RETRY,
    ),
    Rule("the object is there: ask the API (O11)", _CONFIRM, party="storage", statuses=(412,)),
    Rule(
        "we were too slow for the store (O06)", _RETRY, party="storage", codes=("RequestTimeout",)
    ),
    Rule(
        "too large for the store (O07)",
        _fail(FailCode.TOO_LARGE),
        party="storage",
        codes=("EntityTooLarge", "EntityTooSmall"),
    ),
    Rule("too large for the store", _fail(FailCode.TOO_LARGE), party="storage", statuses=(413,)),
    Rule(
        "bytes were damaged on the way; ours are intact (O08)",
        _RETRY,
        party="storage",
        codes=("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"),
        limit=3,
        then=_fail(FailCode.STORAGE_REJECTS),
    ),
    Rule(
        "a contract bug between signer and store",
        _fail(FailCode.STORAGE_REJECTS),
        party="storage",
        statuses=(405, 411, 501),
    ),
    Rule(
        "the store refuses, and does not say why",
        _RETRY,
        party="storage",
        statuses=(400,),
        limit=5,
        then=_fail(FailCode.STORAGE_REJECTS),
    ),
)


def classify(answer: Answer) -> Decision:
    """What to do after this answer; anything unknown is retried, visibly."""
    return next((rule.decide(answer) for rule in RULES if rule.matches(answer)), _RETRY)
