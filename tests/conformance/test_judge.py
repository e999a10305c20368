"""The judge's own cases: another judge, in another language, has to agree with them."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cadenza_conformance import Trace, judge, read_scenario
from cadenza_conformance._judge import INVARIANTS

CASES = Path(str(resources.files("cadenza_conformance"))) / "runner-tests"
PASSING = sorted((CASES / "valid-pass").glob("*.json"))
FAILING = sorted((CASES / "valid-fail").glob("*.json"))


def _case(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return case


@pytest.mark.parametrize("path", PASSING, ids=lambda path: path.stem)
def test_the_judge_lets_it_pass(path: Path) -> None:
    case = _case(path)
    judgement = judge(read_scenario(json.dumps(case["scenario"])), Trace(**case["trace"]))
    assert judgement.verdict == case["verdict"], judgement.failures
    assert judgement.verdict == "PASS" or judgement.reason


@pytest.mark.parametrize("path", FAILING, ids=lambda path: path.stem)
def test_the_judge_names_the_clause(path: Path) -> None:
    case = _case(path)
    judgement = judge(read_scenario(json.dumps(case["scenario"])), Trace(**case["trace"]))
    assert judgement.verdict == "FAIL"
    assert set(case["clauses"]) <= {failure.clause for failure in judgement.failures}
    for failure in judgement.failures:
        assert failure.expected
        assert failure.seen
        assert failure.clause in str(failure)


def test_every_invariant_has_a_case_that_breaks_it() -> None:
    broken = {clause for path in FAILING for clause in _case(path)["clauses"]}
    assert {clause for clause, _ in INVARIANTS} <= broken


def test_a_failure_outweighs_a_fault_that_was_not_reached() -> None:
    case = _case(CASES / "valid-fail" / "token-at-the-storage.json")
    trace = Trace(**{**case["trace"], "unused_rules": [0]})
    scenario = {**case["scenario"], "script": [{"on": {"op": "confirm"}, "do": {"respond": 500}}]}
    assert judge(read_scenario(json.dumps(scenario)), trace).verdict == "FAIL"


def test_a_waived_invariant_is_not_asked() -> None:
    case = _case(CASES / "valid-fail" / "header-nobody-signed.json")
    scenario = {**case["scenario"], "waives": ["PUT-3"]}
    assert judge(read_scenario(json.dumps(scenario)), Trace(**case["trace"])).verdict == "PASS"


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        # Taken together, B's first pauses would be the late ones.
        ({"A": (0, 1, 2, 4, 8), "B": (20, 21, 22, 24, 28)}, None),
        ({"A": (0, 1, 2, 4, 8), "B": (1, 2, 3, 4, 20)}, None),  # one by chance, the other surely
        ({"A": (0, 1, 2, 3, 4), "B": (20, 21, 22, 23, 24)}, "pauses between confirm requests"),
        ({"A": (0, 1, 2, 4, 8), "B": (20, 21, 30)}, "at least 5 confirm requests"),
    ],
)
def test_pauses_grow_between_the_requests_of_each_recording(
    times: dict[str, tuple[int, ...]], complaint: str | None
) -> None:
    case = _case(CASES / "valid-fail" / "pauses-do-not-grow.json")
    some = next(event for event in case["trace"]["events"] if event["op"] == "confirm")
    events = [
        {**some, "recording": name, "t": at, "ended": at + 0.001}
        for name, moments in times.items()
        for at in moments
    ]
    scenario = read_scenario(json.dumps(case["scenario"]))
    judgement = judge(scenario, Trace(**{**case["trace"], "events": events}))

    found = [f.expected for f in judgement.failures if "confirm requests" in f.expected]
    assert [each[: len(complaint or "")] for each in found] == ([complaint] if complaint else [])
