"""What a run of the kit reports: one JSON document, from which JUnit and HTML are made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from cadenza_conformance._judge import Failure, Judgement
from cadenza_conformance.scenario import Level, Profile, Scenario
from cadenza_conformance.trace import Trace

__all__ = ["Finding", "Report", "Result", "Summary", "VerdictName", "differences"]

VerdictName = Literal["PASS", "FAIL", "INCONCLUSIVE", "SKIP", "XFAIL", "XPASS"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Data):
    """A clause that was broken: what was expected, and what was seen."""

    clause: str
    expected: str
    seen: str


class Result(_Data):
    """One scenario's outcome."""

    scenario: str
    level: Level
    title: str
    requirements: tuple[str, ...]
    verdict: VerdictName
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    requests: int = 0
    trace: tuple[str, ...] = ()


class Summary(_Data):
    """How many of each verdict."""

    passed: int
    failed: int
    inconclusive: int
    skipped: int
    expected_failures: int
    unexpected_passes: int


class Report(_Data):
    """One client's run."""

    schema_version: Literal["cadenza-conformance/1.0"] = "cadenza-conformance/1.0"
    kit: str
    client: str
    version: str
    capabilities: tuple[str, ...]
    profile: Profile
    results: tuple[Result, ...]
    summary: Summary
    seconds: float
    uncovered_clauses: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all that must pass passed; 1 failures; 2 inconclusive (§3.7)."""
        if self.summary.failed or self.summary.unexpected_passes:
            return 1
        return 2 if self.summary.inconclusive else 0


def result_of(scenario: Scenario, judgement: Judgement, trace: Trace | None) -> Result:
    """One result; a bad one carries its trace, secrets masked."""
    return Result(
        scenario=scenario.id,
        level=scenario.level,
        title=scenario.title,
        requirements=scenario.requirements,
        verdict=judgement.verdict,
        findings=tuple(_finding(failure) for failure in judgement.failures),
        reason=judgement.reason,
        seconds=round(trace.seconds, 2) if trace else 0.0,
        requests=len(trace.events) if trace else 0,
        trace=() if trace is None or judgement.verdict in ("PASS", "SKIP") else told(trace),
    )


def _finding(failure: Failure) -> Finding:
    return Finding(clause=failure.clause, expected=failure.expected, seen=failure.seen)


def told(trace: Trace) -> tuple[str, ...]:
    """The trace as lines for a person: time, request, bytes, answer; the driver's steps between."""
    lines: list[tuple[float, str]] = []
    for event in trace.events:
        answer = event.status if event.status is not None else event.ending
        played = "" if event.rule is None else f" [fault {event.rule + 1}]"
        about = event.recording or event.id or ""
        size = f" {event.received} B" if event.received else ""
        line = f"{event.op} #{event.n} {about}{size} → {answer}{played}"
        lines.append((event.t, line))
    for note in trace.notes:
        mark = "ok" if note.ok else f"NOT OK: {note.seen}"
        lines.append((note.t, f"  step {note.step + 1} {note.name}: {mark}"))
    for sighting in trace.sightings:
        view = sighting.view
        facts = [view.state, view.stage, view.hold, view.fail_code]
        said = " ".join(str(fact) for fact in facts if fact)
        lines.append((sighting.t, f"  client says {sighting.recording}: {said}"))
    lines.sort(key=lambda pair: pair[0])
    return tuple(f"{moment:8.3f} s  {line}" for moment, line in lines)


def summary_of(results: tuple[Result, ...]) -> Summary:
    """Count the verdicts."""
    verdicts = [result.verdict for result in results]
    return Summary(
        passed=verdicts.count("PASS"),
        failed=verdicts.count("FAIL"),
        inconclusive=verdicts.count("INCONCLUSIVE"),
        skipped=verdicts.count("SKIP"),
        expected_failures=verdicts.count("XFAIL"),
        unexpected_passes=verdicts.count("XPASS"),
    )


def differences(first: Report, second: Report) -> list[tuple[str, str, str]]:
    """Scenarios in which two clients behave differently: (scenario, verdict, verdict)."""
    left = {result.scenario: result for result in first.results}
    right = {result.scenario: result for result in second.results}
    found: list[tuple[str, str, str]] = []
    for name in sorted(left.keys() | right.keys()):
        one = left[name].verdict if name in left else "absent"
        other = right[name].verdict if name in right else "absent"
        if one != other:
            found.append((name, one, other))
    return found
