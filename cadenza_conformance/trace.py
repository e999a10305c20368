"""What was seen in one run, as data: the judge's only input, so a stored trace can be judged again.

No secret is in it: credentials are told by kind, URLs without their query (SEC-31).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

__all__ = [
    "ClientView",
    "DriverNote",
    "Event",
    "FinalObject",
    "FinalSubmission",
    "Leak",
    "Sighting",
    "Trace",
]

LocalFile = Literal["present", "absent", "unknown"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Event(_Data):
    """One request as it arrived, and what became of it.

    Attributes:
        t: seconds since the run began, when the head had arrived. ended: when it was over.
        op: operation. n: its how-manieth. nth_of_recording: the same for this recording.
        id: submission's id. recording: which recording it is about, where that is known.
        role: the host that was asked. credential: `current`, `void`, `storage` (a signed URL),
            `none`, or `foreign` (the API's token where it does not belong).
        headers: the request's, lower-case; secret ones as `…`.
        signed: what the URL was signed for; the storage only.
        body: what the judge may compare, of a JSON body.
        received: bytes of the body that arrived. complete: whether all announced ones did.
        local_file: the client's copy at the moment the request arrived (the arrival barrier).
        status: of the answer; None when none was sent. ending: how the connection was left.
        real: whether the answer was the server's own. effect: whether the server acted.
        rule: index of the scenario's rule that was played.
    """

    t: float
    ended: float = 0.0
    op: str
    n: int
    nth_of_recording: int = 0
    id: str | None = None
    recording: str | None = None
    role: Literal["api", "storage", "other"]
    method: str
    path: str
    credential: Literal["current", "void", "storage", "none", "foreign"]
    headers: dict[str, str]
    signed: dict[str, str] | None = None
    body: dict[str, Any] = {}
    length: int | None = None
    chunked: bool = False
    received: int = 0
    complete: bool = True
    local_file: LocalFile = "unknown"
    status: int | None = None
    ending: Literal["reply", "reset", "close", "hang", "cut", "partial"] = "reply"
    real: bool = True
    effect: bool = False
    rule: int | None = None


class FinalSubmission(_Data):
    """One submission the server holds at the end."""

    id: str
    recording: str | None
    confirmed: bool


class FinalObject(_Data):
    """One stored object at the end."""

    kind: Literal["video", "thumbnail"]
    submission: str
    recording: str | None
    size: int
    sha256: str


class ClientView(_Data):
    """What the client says of one recording."""

    state: str
    stage: str | None = None
    attempt: int | None = None
    hold: str | None = None
    fail_code: str | None = None
    local_file: LocalFile = "unknown"


class Sighting(_Data):
    """A change in what the client said, and whether the server had confirmed by then."""

    t: float
    recording: str
    view: ClientView
    confirmed: bool


class DriverNote(_Data):
    """One step of the driver, and how it ended; step -1 is the meeting with the client."""

    t: float
    step: int
    name: str
    ok: bool
    expected: str = ""
    seen: str = ""


class Leak(_Data):
    """A secret, by kind, where it must not be."""

    secret: Literal["token", "signature"]
    where: Literal["logs", "state_dir", "argv"]
    place: str


class Trace(_Data):
    """One run of one scenario with one client."""

    schema_version: Literal["cadenza-conformance/1.0"] = "cadenza-conformance/1.0"
    scenario: str
    client: str
    version: str
    capabilities: tuple[str, ...]
    profile: Literal["fast", "real"] = "fast"
    events: list[Event] = []
    notes: list[DriverNote] = []
    sightings: list[Sighting] = []
    final: dict[str, ClientView] = {}
    submissions: list[FinalSubmission] = []
    objects: list[FinalObject] = []
    sha256: dict[str, str] = {}
    thumbnail_sha256: dict[str, str] = {}
    sources_untouched: dict[str, bool] = {}
    unused_rules: list[int] = []
    leaks: list[Leak] = []
    searched: tuple[str, ...] = ()
    seconds: float = 0.0
