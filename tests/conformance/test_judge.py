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
