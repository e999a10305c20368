"""What one scenario expects beside the invariants."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from statistics import fmean

from cadenza_conformance._binding import operations
from cadenza_conformance._judge._failure import Failure
from cadenza_conformance.scenario import ClientFacts, Expect, Scenario
from cadenza_conformance.trace import Event, Trace

_NEVER = -1


def check_expectations(scenario: Scenario, trace: Trace) -> list[Failure]:
    """Every expectation of the scenario, with the overlays of the client's capabilities."""
    expect = scenario.expect_for(frozenset(trace.capabilities))
    judge = _Expectations(scenario.requirements[0], expect, trace)
    return [failure for check in judge.checks() for failure in check]


class _Expectations:
    def __init__(self, clause: str, expect: Expect, trace: Trace) -> None:
        self._clause = clause
        self._expect = expect
        self._trace = trace

    def checks(self) -> Iterator[Iterator[Failure]]:
        yield self._counts()
        yield self._distinct()
        yield self._order()
        yield self._gaps()
        yield self._growth()
        yield self._headers()
        yield self._parallel()
        yield self._submissions()
        yield self._server()
        yield self._client()
        yield self._secrets()

    def _fail(self, expected: str, seen: str) -> Failure:
        return Failure(self._clause, expected, seen)

    def _counts(self) -> Iterator[Failure]:
        for op, wanted in self._expect.counts.items():
            count = sum(1 for event in self._trace.events if _is_about(op, event.op))
            if not wanted.holds(count):
                yield self._fail(f"{wanted} {op} requests", f"{count}")

    def _distinct(self) -> Iterator[Failure]:
        for rule in self._expect.distinct:
            kind, _, name = rule.field.partition(":")
            values = {
                str(event.headers.get(name.lower()) if kind == "header" else event.body.get(name))
                for event in self._of(rule.op)
            }
            if len(values) != rule.eq:
                yield self._fail(f"{rule.eq} different {rule.field} in {rule.op}", f"{len(values)}")

    def _order(self) -> Iterator[Failure]:
        for first, second in self._expect.order:
            at = (self._position(first), self._position(second))
            if _NEVER in at or at[0] >= at[1]:
                missing = [n for n, a in zip((first, second), at, strict=True) if a == _NEVER]
                seen = f"no {' and no '.join(missing)}" if missing else "the other way round"
                yield self._fail(f"{first} before {second}", seen)

    def _position(self, reference: str) -> int:
        name, _, which = reference.partition("#")
        op, _, recording = name.partition("@")
        found = [
            index
            for index, event in enumerate(self._trace.events)
            if event.op == op and (not recording or event.recording == recording)
        ]
        if which == "last":
            return found[-1] if found else _NEVER
        return found[int(which) - 1] if 0 < int(which) <= len(found) else _NEVER

    def _gaps(self) -> Iterator[Failure]:
        for gap in self._expect.gaps:
            events = self._of(gap.op)
            first, second = gap.between
            if len(events) < second:
                yield self._fail(f"{second} {gap.op} requests", f"{len(events)}")
                continue
            waited_ms = (events[second - 1].t - events[first - 1].ended) * 1000
            if gap.min_ms is not None and waited_ms < gap.min_ms:
                expected = f"at least {gap.min_ms} ms between {gap.op} #{first} and #{second}"
                yield self._fail(expected, f"{waited_ms:.0f} ms")
            if gap.max_ms is not None and waited_ms > gap.max_ms:
                expected = f"at most {gap.max_ms} ms between {gap.op} #{first} and #{second}"
                yield self._fail(expected, f"{waited_ms:.0f} ms")

    def _growth(self) -> Iterator[Failure]:
        for rule in self._expect.growth:
            each = self._of_each_recording(rule.op)
            fewest = min(len(events) for events in each)
            if fewest < rule.at_least:
                yield self._fail(f"at least {rule.at_least} {rule.op} requests", f"{fewest}")
                continue
            early, late = list[float](), list[float]()
            for events in each:
                gaps = [after.t - before.ended for before, after in pairwise(events)]
                half = len(gaps) // 2
                early += gaps[:half]
                late += gaps[-half:]
            # Sums, not single gaps: with full jitter any one of them may be short, and of a
            # single recording now and then most of them.
            if sum(late) < sum(early) * rule.factor:
                yield self._fail(
                    f"pauses between {rule.op} requests that grow {rule.factor} times",
                    f"{fmean(early) * 1000:.0f} ms, later {fmean(late) * 1000:.0f} ms",
                )

    def _of_each_recording(self, op: str) -> Collection[list[Event]]:
        found: dict[str | None, list[Event]] = {}
        for event in self._of(op):
            found.setdefault(event.recording, []).append(event)
        return found.values() or [[]]

    def _headers(self) -> Iterator[Failure]:
        for op, rules in self._expect.headers.items():
            for event in self._of(op):
                for name, value in rules.required.items():
                    sent = event.headers.get(name.lower())
                    if sent is None or (value is not None and sent != value):
                        wanted = f"{name}: {value or 'any value'}"
                        yield self._fail(f"{wanted} on every {op}", f"{sent!r} on #{event.n}")
                for name in rules.forbidden:
                    if name.lower() in event.headers:
                        yield self._fail(f"no {name} on {op}", f"one on #{event.n}")

    def _parallel(self) -> Iterator[Failure]:
        for op, most in self._expect.max_parallel.items():
            moments = [(event.t, 1) for event in self._of(op)]
            moments += [(event.ended, -1) for event in self._of(op)]
            now = highest = 0
            for _, change in sorted(moments):
                now += change
                highest = max(highest, now)
            if highest > most:
                yield self._fail(f"at most {most} {op} at a time", f"{highest}")

    def _submissions(self) -> Iterator[Failure]:
        wanted = self._expect.submissions
        if wanted is not None and not wanted.holds(len(self._trace.submissions)):
            yield self._fail(
                f"{wanted} submissions on the server", f"{len(self._trace.submissions)}"
            )

    def _server(self) -> Iterator[Failure]:
        for recording, wanted in self._expect.server.items():
            hashes = self._trace.sha256, self._trace.thumbnail_sha256
            asked = (("video", wanted.object), ("thumbnail", wanted.thumbnail))
            for (kind, state), known in zip(asked, hashes, strict=True):
                stored = [
                    found.sha256
                    for found in self._trace.objects
                    if found.kind == kind and found.recording == recording
                ]
                if state == "identical" and known.get(recording) not in stored:
                    seen = "other bytes" if stored else "nothing"
                    yield self._fail(f"the {kind} of {recording} in the store", seen)
                if state == "absent" and stored:
                    yield self._fail(f"no {kind} of {recording} in the store", "there is one")
            if wanted.confirmed is not None:
                confirmed = any(
                    s.recording == recording and s.confirmed for s in self._trace.submissions
                )
                if confirmed != wanted.confirmed:
                    yield self._fail(
                        f"{recording} {'confirmed' if wanted.confirmed else 'not confirmed'}",
                        "confirmed" if confirmed else "not confirmed",
                    )

    def _client(self) -> Iterator[Failure]:
        for recording, wanted in self._expect.client.items():
            view = self._trace.final.get(recording)
            if view is None:
                yield self._fail(f"a state for {recording}", "the client knows none")
                continue
            states = wanted.state if isinstance(wanted.state, tuple) else (wanted.state,)
            if view.state not in states:
                yield self._fail(f"{recording} {' or '.join(states)}", view.state)
            yield from self._client_details(recording, wanted, view.model_dump())

    def _client_details(
        self, recording: str, wanted: ClientFacts, view: dict[str, object]
    ) -> Iterator[Failure]:
        files = {wanted.local_file, "unknown"}
        if wanted.local_file != "any" and view["local_file"] not in files:
            yield self._fail(f"the local file of {recording} {wanted.local_file}", "it is not")
        if wanted.hold is not None and view["hold"] != wanted.hold:
            yield self._fail(f"{recording} held for {wanted.hold}", f"{view['hold']}")
        if wanted.fail_code is not None:
            codes = wanted.fail_code
            codes = codes if isinstance(codes, tuple) else (codes,)
            if view["fail_code"] not in codes:
                yield self._fail(
                    f"{recording} failed as {' or '.join(codes)}", f"{view['fail_code']}"
                )
        most, attempt = wanted.max_attempt, view["attempt"]
        if most is not None and isinstance(attempt, int) and attempt > most:
            yield self._fail(f"at most {most} counted attempts for {recording}", f"{attempt}")

    def _secrets(self) -> Iterator[Failure]:
        for where in self._expect.secrets_absent_in:
            if where not in self._trace.searched:
                yield self._fail(f"the {where} could be searched for secrets", "they were not")

    def _of(self, op: str) -> list[Event]:
        return [event for event in self._trace.events if event.op == op]


def _is_about(pattern: str, op: str) -> bool:
    if pattern in ("any", op):
        return True
    operation = operations().get(op)
    role = operation.role if operation else ""
    return (pattern, role) in {("any_api", "api"), ("any_storage", "storage")}
