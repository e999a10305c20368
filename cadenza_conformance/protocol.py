"""The adapter protocol as models: every command with its fields, every reply with its own (§3.5).

One JSON object each way; the same objects over exec, http and pull. A command an adapter does not
know is answered `{"ok": false, "error": …}`. New fields may appear: adapters ignore what they do
not know.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cadenza_conformance.scenario import Capability, HoldName, State

__all__ = [
    "Configure",
    "Enqueue",
    "Enqueued",
    "Exchanges",
    "Hello",
    "Logs",
    "MoveClock",
    "Plain",
    "RecordingStatus",
    "Reply",
    "SetEnv",
    "SignIn",
    "Start",
    "Status",
    "Stop",
    "Welcome",
]


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow")


class Hello(_Message):
    """First, and after every start of the client."""

    cmd: Literal["hello"]
    schema_: Literal["cadenza-conformance/1.0"] = Field(alias="schema")


class Welcome(_Message):
    """Who the client is, and what it can do."""

    ok: bool
    client: str
    version: str
    capabilities: list[Capability]


class Account(_Message):
    """Who is signed in on the device."""

    user_id: int
    email: str


class Configure(_Message):
    """Where everything is; before anything else but `hello`."""

    cmd: Literal["configure"]
    api: str
    storage_hosts: list[str]
    token: str
    account: Account
    state_dir: str
    profile: Literal["fast", "real"]
    env: dict[str, Any]
    ca_file: str | None = None


class Enqueue(_Message):
    """A recording is handed over; it is durable when the client answers."""

    cmd: Literal["enqueue"]
    recording: str
    path: str
    content_type: str
    take_id: str
    piece_id: str
    notes: str
    duration_seconds: int
    width: int
    height: int
    captured_at: str
    thumbnail_path: str | None = None


class Enqueued(_Message):
    """Accepted. `local_path` is the client's own copy, relative to `state_dir` or absolute."""

    ok: bool
    local_id: str | None = None
    local_path: str | None = None
    error: str | None = None


class Start(_Message):
    """Begin to upload in the background; refused when another uploader owns the state."""

    cmd: Literal["start"]


class Stop(_Message):
    """Stop, and put back what is in hand; answered when it has."""

    cmd: Literal["stop"]
    mode: Literal["graceful"]


class Status(_Message):
    """How is every recording?"""

    cmd: Literal["status"]


class RecordingStatus(_Message):
    """One recording, as the client knows it."""

    state: State
    stage: Literal["recorded", "registered", "stored", "confirmed", "cleaned"] | None = None
    attempt: int | None = None
    hold: HoldName | None = None
    fail_code: str | None = None
    local_file: Literal["present", "absent", "unknown"] = "unknown"


class Statuses(_Message):
    """Every recording the client was ever handed in this state directory."""

    ok: bool
    recordings: dict[str, RecordingStatus]


class SignIn(_Message):
    """Somebody signs in on the device; from now on this token is the newest."""

    cmd: Literal["sign_in"]
    token: str
    account: Account


class SetEnv(_Message):
    """The device's world changes."""

    cmd: Literal["set_env"]
    network: Literal["none", "wifi", "cellular"] | None = None


class MoveClock(_Message):
    """The device's wall clock jumps by so many seconds."""

    cmd: Literal["move_clock"]
    seconds: float


class Plain(_Message):
    """A command without fields: `sign_out`, `logs`, `reset`."""

    cmd: Literal["sign_out", "logs", "reset"]


class Logs(_Message):
    """What the client has logged, at its most talkative level."""

    ok: bool
    text: str


class Reply(_Message):
    """Any other reply."""

    ok: bool
    error: str | None = None


class Exchanges(BaseModel):
    """The protocol: commands, each with its reply."""

    hello: tuple[Hello, Welcome]
    configure: tuple[Configure, Reply]
    enqueue: tuple[Enqueue, Enqueued]
    start: tuple[Start, Reply]
    stop: tuple[Stop, Reply]
    status: tuple[Status, Statuses]
    sign_in: tuple[SignIn, Reply]
    set_env: tuple[SetEnv, Reply]
    move_clock: tuple[MoveClock, Reply]
    plain: tuple[Plain, Reply]
    logs: tuple[Plain, Logs]
