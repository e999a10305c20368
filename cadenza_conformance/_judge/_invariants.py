"""What holds in every scenario, so that none has to list it (§3.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from cadenza_conformance._binding import operations
from cadenza_conformance._judge._failure import Failure
from cadenza_conformance.scenario import Scenario
from cadenza_conformance.trace import Event, Trace

_STATES = ("pending", "uploading", "uploaded", "failed")
_STAGES = ("recorded", "registered", "stored", "confirmed", "cleaned")
#: Requests of one operation for one recording within a second: more is a loop, not persistence.
#: The fast profile's pauses are some forty times shorter than real ones.
_MOST_PER_SECOND = {"fast": 20, "real": 10}
#: What a client may add to a signed request by itself; everything else must have been signed.
_SIGNABLE = re.compile(r"(x-amz-|x-goog-|if-|content-(?!length$|type$)).*")

_OPEN = frozenset(name for name, operation in operations().items() if operation.is_open)

Invariant = Callable[[Scenario, Trace], Iterator[Failure]]


def check_invariants(scenario: Scenario, trace: Trace) -> list[Failure]:
    """Every always-on rule, but those the scenario waives by name."""
    failures: list[Failure] = []
    for clause, invariant in INVARIANTS:
        if clause not in scenario.waives:
            failures += invariant(scenario, trace)
    return failures


def _no_credentials_to_storage(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for event in trace.events:
        if event.role == "storage" and event.credential == "foreign":
            yield Failure(
                "SEC-1", "no Authorization or Cookie to the storage", f"one on {_name(event)}"
            )


def _token_only_to_the_api(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for event in trace.events:
        if event.role == "other":
            seen = "with the token" if event.credential == "foreign" else "without it"
            yield Failure("SEC-2", "no request to a host nobody named", f"{_name(event)} {seen}")


def _token_to_the_api(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for event in trace.events:
        if event.role == "api" and event.op not in _OPEN and event.credential == "none":
            yield Failure(
                "AUTH-1", "a bearer token on every API request", f"none on {_name(event)}"
            )


def _known_operations(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    unknown = sorted({f"{e.method} {e.path}" for e in trace.events if e.op == "unknown"})
    for request in unknown:
        yield Failure("WIRE-1", "only requests the contract knows", request)


def _length_is_announced(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for event in _puts(trace):
        if event.length is None or event.chunked:
            yield Failure(
                "PUT-1", "a Content-Length and no chunked body", f"none on {_name(event)}"
            )


def _signed_headers(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for event in _puts(trace):
        for name, value in (event.signed or {}).items():
            sent = event.headers.get(name)
            if sent != value:
                yield Failure("PUT-2", f"{name}: {value}, as signed", f"{sent!r} on {_name(event)}")


def _nothing_else(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for event in _puts(trace):
        for name in event.headers:
            if _SIGNABLE.fullmatch(name) and name not in (event.signed or {}):
                yield Failure("PUT-3", "no header that was not signed", f"{name} on {_name(event)}")


def _in_order(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording in trace.sha256:
        created = stored = False
        for event in _of(trace, recording):
            if event.op == "create_submission" and event.effect:
                created = True
            elif event.op == "put_video":
                if not created:
                    yield Failure("ORD-1", "create before put", _name(event))
                stored = stored or event.effect or event.status == 412
            elif event.op == "confirm" and not stored and not _may_ask(event, trace, recording):
                yield Failure("ORD-1", "put before confirm", _name(event))
                break


def _may_ask(event: Event, trace: Trace, recording: str) -> bool:
    """A client that has lost its file, or was told that it is stored, asks instead of sending."""
    return event.local_file == "absent" or _store_lied(trace, recording)


def _store_lied(trace: Trace, recording: str) -> bool:
    """Whether the store told of success, or told nothing, without keeping the object."""
    return any(
        event.op == "put_video"
        and not event.effect
        and (event.status is None or event.status < 300)
        for event in _of(trace, recording)
    )


def _one_id(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    owners: dict[str, str] = {}
    for recording in trace.sha256:
        ids = {
            str(event.body["id"])
            for event in _of(trace, recording)
            if event.op == "create_submission" and event.body.get("id")
        }
        if len(ids) > 1:
            yield Failure("IDEM-1", f"one id for recording {recording}", f"{len(ids)} ids")
        for name in ids:
            if owners.setdefault(name, recording) != recording:
                seen = f"{owners[name]} and {recording} share {name}"
                yield Failure("IDEM-1", "an id of its own for each recording", seen)


def _no_duplicates(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording in trace.sha256:
        held = [s for s in trace.submissions if s.recording == recording]
        if len(held) > 1:
            yield Failure("IDEM-2", f"one submission of recording {recording}", f"{len(held)}")


def _same_bytes(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for submission in trace.submissions:
        recording = submission.recording
        if not submission.confirmed or recording is None:
            continue
        stored = [o for o in trace.objects if o.submission == submission.id and o.kind == "video"]
        expected = trace.sha256.get(recording)
        if expected and any(o.sha256 != expected for o in stored):
            yield Failure(
                "REC-3", f"the bytes of recording {recording} in the store", "confirmed other bytes"
            )


def _file_until_confirmed(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording in trace.sha256:
        tampered = _was_removed(_scenario, recording)
        answered: float | None = None
        for event in _of(trace, recording):
            proof = event.op in ("confirm", "get_object") and event.effect
            if event.local_file == "absent" and answered is None and not tampered:
                # The arrival barrier: sampling from outside misses a file that goes too early.
                yield Failure(
                    "DEL-1",
                    "the local file is kept until the server has confirmed it",
                    f"it was gone when {_name(event)} arrived",
                )
                break
            if proof and event.status is not None and event.status < 300 and answered is None:
                answered = event.ended
        confirmed = any(s.recording == recording and s.confirmed for s in trace.submissions)
        final = trace.final.get(recording)
        if final and final.local_file == "absent" and not confirmed and not tampered:
            yield Failure("DEL-1", "an unconfirmed recording keeps its file", "it is gone")


def _was_removed(scenario: Scenario, recording: str) -> bool:
    return any(
        step.corrupt and step.corrupt.recording == recording and step.corrupt.how == "unlink"
        for step in scenario.steps
    )


def _file_goes(scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording, view in trace.final.items():
        expected = scenario.expect.client.get(recording)
        wanted = expected.local_file if expected else "any"
        if view.state == "uploaded" and view.local_file == "present" and wanted != "present":
            yield Failure(
                "DEL-2", f"the local copy of {recording} goes once it is confirmed", "still there"
            )


def _source_stays(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording, untouched in trace.sources_untouched.items():
        if not untouched:
            yield Failure("REC-4", f"the user's own file of {recording} is untouched", "it is not")


def _four_words(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    said = {s.view.state for s in trace.sightings} | {v.state for v in trace.final.values()}
    for state in sorted(said - set(_STATES)):
        yield Failure("STATE-1", f"one of {', '.join(_STATES)}", state)
    stages = {s.view.stage for s in trace.sightings if s.view.stage}
    for stage in sorted(stages - set(_STAGES)):
        yield Failure("STATE-1", f"one of {', '.join(_STAGES)}", stage)


def _uploaded_is_final_and_true(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording in trace.sha256:
        seen = [s for s in trace.sightings if s.recording == recording]
        for before, after in pairwise(seen):
            if before.view.state == "uploaded" and after.view.state != "uploaded":
                yield Failure(
                    "STATE-2", "uploaded is final", f"{recording} became {after.view.state}"
                )
        early = next((s for s in seen if s.view.state == "uploaded" and not s.confirmed), None)
        if early is not None:
            yield Failure(
                "STATE-2",
                f"{recording} is uploaded only after the server confirmed it",
                f"it said so at {early.t:.2f} s, unconfirmed",
            )


def _never_given_up(scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    """Where a recording may not end as failed, nothing on the way was a reason to fail it."""
    for recording, facts in scenario.expect.client.items():
        if facts.state == "failed" or "failed" in facts.state:
            continue
        seen = (s for s in trace.sightings if s.recording == recording)
        failed = next((s for s in seen if s.view.state == "failed"), None)
        if failed is not None:
            why = failed.view.fail_code or "without a reason"
            yield Failure(
                "STATE-4",
                f"{recording} stays pending until it can be sent",
                f"failed ({why}) at {failed.t:.2f} s",
            )


def _reasons(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for recording, view in trace.final.items():
        if view.state == "failed" and not view.fail_code:
            yield Failure("STATE-3", f"a reason for the failed {recording}", "none")


def _no_hammering(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    most = _MOST_PER_SECOND[trace.profile]
    groups: dict[tuple[str, str], list[float]] = {}
    for event in trace.events:
        if event.recording is not None:
            groups.setdefault((event.op, event.recording), []).append(event.t)
    for (op, recording), times in groups.items():
        for begin, end in zip(times, times[most:], strict=False):
            if end - begin < 1.0:
                yield Failure(
                    "RETRY-6",
                    f"at most {most} {op} requests a second for {recording}",
                    f"{most + 1} within {end - begin:.2f} s",
                )
                break


def _no_leaks(_scenario: Scenario, trace: Trace) -> Iterator[Failure]:
    for leak in trace.leaks:
        clause = "URL-1" if (leak.secret, leak.where) == ("signature", "state_dir") else "SEC-3"
        yield Failure(clause, f"no {leak.secret} in the {leak.where}", f"one in {leak.place}")


INVARIANTS: tuple[tuple[str, Invariant], ...] = (
    ("SEC-1", _no_credentials_to_storage),
    ("SEC-2", _token_only_to_the_api),
    ("AUTH-1", _token_to_the_api),
    ("WIRE-1", _known_operations),
    ("PUT-1", _length_is_announced),
    ("PUT-2", _signed_headers),
    ("PUT-3", _nothing_else),
    ("ORD-1", _in_order),
    ("IDEM-1", _one_id),
    ("IDEM-2", _no_duplicates),
    ("REC-3", _same_bytes),
    ("DEL-1", _file_until_confirmed),
    ("DEL-2", _file_goes),
    ("REC-4", _source_stays),
    ("STATE-1", _four_words),
    ("STATE-2", _uploaded_is_final_and_true),
    ("STATE-3", _reasons),
    ("STATE-4", _never_given_up),
    ("RETRY-6", _no_hammering),
    ("SEC-3", _no_leaks),
)
"""clause → the rule that is checked in every run."""


def _puts(trace: Trace) -> Iterator[Event]:
    # A request the kit answered before it looked at the URL is judged all the same.
    return (event for event in trace.events if event.op in ("put_video", "put_thumbnail"))


def _of(trace: Trace, recording: str) -> Iterator[Event]:
    return (event for event in trace.events if event.recording == recording)


def _name(event: Event) -> str:
    about = f" of {event.recording}" if event.recording else ""
    return f"{event.op} #{event.n}{about}"
