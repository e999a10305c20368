"""The judge: a pure function of a scenario and a trace (§3.6)."""

from __future__ import annotations

from cadenza_conformance._judge._expectations import check_expectations
from cadenza_conformance._judge._failure import Failure, Judgement, Verdict
from cadenza_conformance._judge._invariants import INVARIANTS, check_invariants
from cadenza_conformance.scenario import Scenario
from cadenza_conformance.trace import Trace

__all__ = ["INVARIANTS", "Failure", "Judgement", "Verdict", "judge"]


def judge(scenario: Scenario, trace: Trace) -> Judgement:
    """The verdict on one run.

    A client that could not even be met proves nothing. Otherwise FAIL beats INCONCLUSIVE: a
    client that broke a rule broke it, whatever else was not reached. A scenario whose faults
    were not all reached is never a PASS (§3.1.4).
    """
    unmet = next((note for note in trace.notes if note.step < 0 and not note.ok), None)
    if unmet is not None:
        return Judgement("INCONCLUSIVE", reason=f"{unmet.name}: {unmet.seen}")
    missing = sorted(set(scenario.requires) - set(trace.capabilities))
    if missing:
        return Judgement("SKIP", reason=f"the client lacks: {', '.join(missing)}")
    failures = _driver_failures(scenario, trace)
    failures += check_invariants(scenario, trace)
    failures += check_expectations(scenario, trace)
    if failures:
        return Judgement("FAIL", tuple(failures))
    if trace.unused_rules:
        faults = ", ".join(
            f"#{index + 1} on {scenario.script[index].on.op}" for index in trace.unused_rules
        )
        return Judgement("INCONCLUSIVE", reason=f"scripted faults were never reached: {faults}")
    return Judgement("PASS")


def _driver_failures(scenario: Scenario, trace: Trace) -> list[Failure]:
    return [
        Failure(
            scenario.requirements[0],
            f"step {note.step + 1} ({note.name}): {note.expected}",
            note.seen,
        )
        for note in trace.notes
        if not note.ok
    ]
