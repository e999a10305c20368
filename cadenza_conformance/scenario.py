"""A scenario as data: what is given, which faults are played, what is done, what must follow.

The JSON files under `scenarios/` are normative and these models are their reader; the published
JSON Schema is exported from here and a test holds the two equal. Unknown keys are refused, so a
misspelt expectation can never pass silently.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cadenza_conformance._content import Content, is_content_name

__all__ = [
    "Await",
    "Capability",
    "Check",
    "ClientFacts",
    "Corrupt",
    "Do",
    "Expect",
    "Gap",
    "Given",
    "HeaderRules",
    "Level",
    "On",
    "Op",
    "Outage",
    "Profile",
    "Range",
    "Recording",
    "Rule",
    "Scenario",
    "ServerFacts",
    "Slice",
    "Step",
]

SCHEMA = "cadenza-conformance/1.0"

Op = Literal[
    "health",
    "sign_in",
    "dev_sign_in",
    "current_user",
    "create_submission",
    "list_submissions",
    "get_submission",
    "get_upload_url",
    "confirm",
    "get_playback",
    "delete_submission",
    "put_video",
    "put_thumbnail",
    "get_object",
]
OpPattern = Literal[Op, "any_api", "any_storage", "any"]
Level = Literal["must", "should", "may"]
Profile = Literal["fast", "real"]
State = Literal["pending", "uploading", "uploaded", "failed"]
HoldName = Literal["auth", "network", "constraint", "disk", "user"]
Capability = Literal[
    "enqueue",
    "status",
    "start_stop",
    "kill",
    "local_file",
    "relocate_state",
    "second_instance",
    "sign_in",
    "set_env",
    "logs",
    "state_dir",
    "process",
    "wall_clock",
    "suspend",
    "thumbnail",
    "tls",
    "v1_server",
    "background_transfer",
    "disk_control",
    "multipart",
    "resumable",
]
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_AT = re.compile(r"headers|after_body|after_bytes:[0-9]{1,12}")
_CORRUPT = re.compile(r"(flip|truncate)@[0-9]{1,12}")


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# ── given ──────────────────────────────────────────────────────────────────────────────────────


class Recording(_Data):
    """One recording the client is handed: its bytes follow from the seed."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{0,7}$")]
    size: Annotated[int, Field(ge=0, le=2_000_000_000)]
    content: str
    content_type: str = "video/mp4"
    thumbnail_size: Annotated[int, Field(ge=1, le=2_000_000)] | None = None
    duration_seconds: Annotated[int, Field(ge=1, le=180)] = 5

    @field_validator("content")
    @classmethod
    def _is_prng(cls, value: str) -> str:
        if not is_content_name(value):
            raise ValueError("content is prng:SEED")
        return value

    @property
    def video(self) -> Content:
        """The video's bytes."""
        return Content(self.content, self.size)

    @property
    def thumbnail(self) -> Content | None:
        """The thumbnail's bytes, when it has one."""
        if self.thumbnail_size is None:
            return None
        return Content(f"{self.content}-t", self.thumbnail_size)


class ServerGiven(_Data):
    """What kind of server the client meets."""

    speaks: Literal["v1", "v2"] = "v2"
    url_ttl_seconds: Annotated[float, Field(gt=0, le=604_800)] = 3600
    clock_skew_seconds: int = 0
    tls: Literal["expired", "wrong_host", "self_signed", "good"] | None = None
    issues_upload_headers: bool = True


class Given(_Data):
    """The world before the first step."""

    recordings: Annotated[tuple[Recording, ...], Field(min_length=1)]
    profile: Profile = "fast"
    env: dict[str, Any] = {}
    server: ServerGiven = ServerGiven()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [recording.id for recording in self.recordings]
        if len(set(ids)) != len(ids):
            raise ValueError("two recordings have the same id")
        return self


# ── faults ─────────────────────────────────────────────────────────────────────────────────────


class On(_Data):
    """Which requests a rule is about: an operation, and which of its occurrences."""

    op: OpPattern
    recording: str | None = None
    nth: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] | None = None
    every: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _chance_is_repeatable(self) -> Self:
        if (self.probability is None) != (self.seed is None):
            raise ValueError("probability and seed belong together")
        return self


class Slice(_Data):
    """An answer that dribbles in."""

    size: Annotated[int, Field(ge=1)]
    delay_ms: Annotated[int, Field(ge=0, le=60_000)]


class Do(_Data):
    """What the fault server does instead of, or besides, answering (§3.4).

    Attributes:
        respond: a status of the kit's own choosing; the effect does not happen unless `store`.
        headers: extra response headers.
        body: `s3:NAME`, `html:NAME`, `json:CODE`, `{"json": …}` or `{"base64": …}`.
        retry_after: seconds, `date+N` (an HTTP-date N seconds ahead) or any text.
        store: whether the effect happens; default: only when the answer is the real one.
        store_corrupt: `flip@N` or `truncate@N`: other bytes than those sent are kept.
        forget_object: the object is gone right after it was stored.
        then: how it ends: `reply`; `reply_close`, where the connection ends after the answer
            without a word; `reset` (RST), `close` (FIN) or `hang` (silence) without an answer.
        at: when all this happens: `headers`, `after_bytes:N` of the body, or `after_body`.
        early: answer before the body is read; `drain` says whether the rest is then read.
        stall_ms: think before answering. throttle_bps: read the body slowly.
        slice: send the answer in small pieces. reply_partial: only its first bytes.
        raw: base64 of bytes sent as they are. redirect: to whom a 307 points.
        status_of_redirect: another status than 307.
        hold: park the answer until the driver's `release`.
        signal_driver: tell the driver that this point was reached.
        expire_urls: every URL issued so far is void. revoke_token: the token is void.
        clock_skew_s: the server's clock, as told from now on, is wrong by so much.
        merge: fields put over the real JSON answer; null is a value. omit: fields left out of it.
        upload_url: the URL handed out is a hostile one: `other_host`, `userinfo`, `file`,
            `other_submission`.
    """

    respond: Annotated[int, Field(ge=100, le=599)] | None = None
    headers: dict[str, str] = {}
    body: str | dict[str, Any] | None = None
    retry_after: int | str | None = None
    store: bool | None = None
    store_corrupt: str | None = None
    forget_object: bool = False
    then: Literal["reply", "reply_close", "reset", "close", "hang"] = "reply"
    at: str = "after_body"
    early: bool = False
    drain: bool = False
    stall_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    throttle_bps: Annotated[int, Field(ge=1)] | None = None
    slice: Slice | None = None
    reply_partial: Annotated[int, Field(ge=0)] | None = None
    raw: str | None = None
    redirect: Literal["other_host", "storage", "api"] | None = None
    status_of_redirect: Literal[301, 302, 303, 307, 308] = 307
    hold: str | None = None
    signal_driver: str | None = None
    expire_urls: bool = False
    revoke_token: bool = False
    clock_skew_s: int | None = None
    merge: dict[str, Any] = {}
    omit: tuple[str, ...] = ()
    upload_url: Literal["other_host", "userinfo", "file", "other_submission"] | None = None

    @field_validator("at")
    @classmethod
    def _is_a_moment(cls, value: str) -> str:
        if not _AT.fullmatch(value):
            raise ValueError("at is headers, after_body or after_bytes:N")
        return value

    @field_validator("store_corrupt")
    @classmethod
    def _is_a_damage(cls, value: str | None) -> str | None:
        if value is not None and not _CORRUPT.fullmatch(value):
            raise ValueError("store_corrupt is flip@N or truncate@N")
        return value

    @field_validator("raw")
    @classmethod
    def _is_base64(cls, value: str | None) -> str | None:
        try:
            base64.b64decode(value or "", validate=True)
        except binascii.Error:
            raise ValueError("raw is base64") from None
        return value

    @property
    def answers(self) -> bool:
        """Whether a whole answer is sent."""
        return self.then in ("reply", "reply_close")

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets another answer than the real one, or none."""
        own = (self.respond, self.raw, self.redirect)
        return not self.answers or any(value is not None for value in own)

    @property
    def has_effect(self) -> bool:
        """Whether the request does what it asks for."""
        return not self.replaces_answer if self.store is None else self.store


class Rule(_Data):
    """A fault and the requests it is played on. The first live match wins."""

    on: On
    do: Do
    times: Annotated[int, Field(ge=1)] | None = None
    optional: bool = False


# ── steps ──────────────────────────────────────────────────────────────────────────────────────


class Stop(_Data):
    """How to stop."""

    mode: Literal["graceful"] = "graceful"


class Await(_Data):
    """Wait until the client says so."""

    recording: str
    state: State | tuple[State, ...]
    hold: HoldName | None = None
    fail_code: str | tuple[str, ...] | None = None
    within_ms: Annotated[int, Field(ge=1)]


class Signal(_Data):
    """Wait until the fault server has reached a point."""

    name: str
    within_ms: Annotated[int, Field(ge=1)]


class Requests(_Data):
    """Wait until so many requests of an operation have come."""

    op: OpPattern
    count: Annotated[int, Field(ge=1)]
    within_ms: Annotated[int, Field(ge=1)]


class Quiet(_Data):
    """Wait until no request has come for `ms`."""

    ms: Annotated[int, Field(ge=1)]
    within_ms: Annotated[int, Field(ge=1)] = 30_000


class Check(_Data):
    """Look now."""

    recording: str
    local_file: Literal["present", "absent"] | None = None
    state: State | tuple[State, ...] | None = None


class Corrupt(_Data):
    """Do something to the client's copy behind its back."""

    recording: str
    how: Literal["truncate", "grow", "replace", "unlink"]


class Outage(_Data):
    """Close a host's port, or open it again."""

    role: Literal["api", "storage", "all"]
    state: Literal["down", "up"]


class Memory(_Data):
    """The most memory the client's process may have used so far."""

    max_mb: Annotated[int, Field(ge=1)]


_STEP_NAMES = (
    "start",
    "stop",
    "kill",
    "suspend",
    "resume",
    "relocate_state",
    "second_instance",
    "sign_in",
    "sign_out",
    "set_env",
    "move_clock_s",
    "corrupt",
    "outage",
    "await",
    "await_signal",
    "await_requests",
    "wait_quiet",
    "sleep_ms",
    "check",
    "check_memory",
    "release",
    "enqueue",
)


class Step(_Data):
    """One action of the driver; exactly one key is set (and `may_refuse` beside `enqueue`)."""

    names: ClassVar[tuple[str, ...]] = _STEP_NAMES

    enqueue: str | None = None
    may_refuse: bool = False
    start: dict[str, Any] | None = None
    stop: Stop | None = None
    kill: dict[str, Any] | None = None
    suspend: dict[str, Any] | None = None
    resume: dict[str, Any] | None = None
    relocate_state: dict[str, Any] | None = None
    second_instance: Literal["refused"] | None = None
    sign_in: Literal["fresh", "other_user"] | None = None
    sign_out: dict[str, Any] | None = None
    set_env: dict[str, Any] | None = None
    move_clock_s: int | None = None
    corrupt: Corrupt | None = None
    outage: Outage | None = None
    await_: Await | None = Field(default=None, alias="await")
    await_signal: Signal | None = None
    await_requests: Requests | None = None
    wait_quiet: Quiet | None = None
    sleep_ms: Annotated[int, Field(ge=1, le=120_000)] | None = None
    check: Check | None = None
    check_memory: Memory | None = None
    release: str | None = None

    @model_validator(mode="after")
    def _one_thing_at_a_time(self) -> Self:
        if len(self._set()) != 1:
            raise ValueError("a step has exactly one action")
        return self

    def _set(self) -> list[str]:
        return [name for name in _STEP_NAMES if getattr(self, _attribute(name)) is not None]

    @property
    def name(self) -> str:
        """The action's name."""
        return self._set()[0]


def _attribute(name: str) -> str:
    return "await_" if name == "await" else name


# ── expectations ───────────────────────────────────────────────────────────────────────────────


class Range(_Data):
    """A count, exact or between bounds: platforms retry by themselves (§3.1.9)."""

    eq: Annotated[int, Field(ge=0)] | None = None
    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.eq is None and self.min is None and self.max is None:
            raise ValueError("eq, min or max")
        return self

    def holds(self, count: int) -> bool:
        """Whether the count is inside."""
        if self.eq is not None and count != self.eq:
            return False
        if self.min is not None and count < self.min:
            return False
        return self.max is None or count <= self.max

    def __str__(self) -> str:
        if self.eq is not None:
            return f"exactly {self.eq}"
        parts = [f"at least {self.min}" if self.min else "", f"at most {self.max}"]
        return " and ".join(part for part in parts if part and "None" not in part)


class Gap(_Data):
    """The time between two requests of one operation, from the end of one to the next's begin."""

    op: Op
    between: tuple[int, int]
    min_ms: Annotated[int, Field(ge=0)] | None = None
    max_ms: Annotated[int, Field(ge=0)] | None = None


class Growth(_Data):
    """The later gaps of an operation are on the whole longer than its first ones.

    Taken between the requests of each recording, `at_least` of them, and summed over all.
    """

    op: Op
    factor: Annotated[float, Field(gt=1)]
    at_least: Annotated[int, Field(ge=4)] = 6


class HeaderRules(_Data):
    """What requests of an operation must carry and must not."""

    required: dict[str, str | None] = {}
    forbidden: tuple[str, ...] = ()


class Distinct(_Data):
    """How many different values a header or body field has over the requests of an operation."""

    op: Op
    field: Annotated[str, Field(pattern=r"^(header|body):[A-Za-z0-9_-]+$")]
    eq: Annotated[int, Field(ge=0)]


class ServerFacts(_Data):
    """What the server ends up with for one recording."""

    object: Literal["identical", "absent", "any"] = "any"
    thumbnail: Literal["identical", "absent", "any"] = "any"
    confirmed: bool | None = None


class ClientFacts(_Data):
    """What the client ends up saying of one recording."""

    state: State | tuple[State, ...]
    local_file: Literal["present", "absent", "any"] = "any"
    hold: HoldName | None = None
    fail_code: str | tuple[str, ...] | None = None
    max_attempt: int | None = None


class Expect(_Data):
    """What must be true at the end, beside the always-on invariants."""

    counts: dict[OpPattern, Range] = {}
    distinct: tuple[Distinct, ...] = ()
    order: tuple[tuple[str, str], ...] = ()
    gaps: tuple[Gap, ...] = ()
    growth: tuple[Growth, ...] = ()
    headers: dict[Op, HeaderRules] = {}
    submissions: Range | None = None
    server: dict[str, ServerFacts] = {}
    client: dict[str, ClientFacts] = {}
    max_parallel: dict[Op, int] = {}
    secrets_absent_in: tuple[Literal["logs", "state_dir", "argv"], ...] = ()

    @field_validator("order")
    @classmethod
    def _references(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for pair in value:
            for reference in pair:
                if not re.fullmatch(r"[a-z_]+(@[A-Za-z0-9]+)?#([0-9]+|last)", reference):
                    raise ValueError(f"{reference} is not OP#N, OP#last or OP@RECORDING#N")
        return value


class Overlay(_Data):
    """What is different for a client with a capability; merged over `expect`, key by key."""

    expect: dict[str, Any]


class Scenario(_Data):
    """One behaviour, as a story with an end."""

    schema_: Literal["cadenza-conformance/1.0"] = Field(alias="schema")
    id: str
    title: str
    level: Level
    requirements: Annotated[tuple[str, ...], Field(min_length=1)]
    requires: tuple[Capability, ...]
    given: Given
    script: tuple[Rule, ...] = ()
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    expect: Expect = Expect()
    overlay: dict[Capability, Overlay] = {}
    liveness_ms: Annotated[int, Field(ge=1)] = 30_000
    profile_any: bool = False
    waives: tuple[str, ...] = ()

    @field_validator("id")
    @classmethod
    def _is_kebab(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError("an id is kebab-case")
        return value

    @model_validator(mode="after")
    def _names_only_what_is_given(self) -> Self:
        known = {recording.id for recording in self.given.recordings}
        named = set(self.expect.server) | set(self.expect.client)
        named |= {rule.on.recording for rule in self.script if rule.on.recording}
        for step in self.steps:
            named |= {step.enqueue} if step.enqueue else set[str]()
            about = step.await_ or step.check or step.corrupt
            named |= {about.recording} if about else set[str]()
        if unknown := sorted(named - known):
            raise ValueError(f"no such recording is given: {', '.join(unknown)}")
        signals = {rule.do.signal_driver for rule in self.script}
        for step in self.steps:
            if step.await_signal and step.await_signal.name not in signals:
                raise ValueError(f"no rule signals {step.await_signal.name}")
        holds = {rule.do.hold for rule in self.script}
        for step in self.steps:
            if step.release and step.release not in holds:
                raise ValueError(f"no rule holds {step.release}")
        return self

    def expect_for(self, capabilities: frozenset[str]) -> Expect:
        """The expectations for a client, with the overlays of its capabilities."""
        if not any(name in capabilities for name in self.overlay):
            return self.expect
        merged = self.expect.model_dump(by_alias=True, exclude_none=True)
        for name, overlay in self.overlay.items():
            if name in capabilities:
                merged = _merged(merged, overlay.expect)
        return Expect.model_validate(merged)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            known, new = cast("dict[str, Any]", below), cast("dict[str, Any]", value)
            # A range is replaced as a whole: half an old one and half a new one mean nothing.
            result[key] = new if known.keys() <= {"eq", "min", "max"} else _merged(known, new)
        else:
            result[key] = value
    return result
