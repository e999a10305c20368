"""Two clients that share no code pass the specification, and broken ones do not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cadenza_conformance import Options, Report, load_scenarios, run_suite, select
from cadenza_conformance.transports import AdapterFactory
from tests.conformance.matrix import MATRIX, declared, play
from tests.conformance.mutants import MUTANTS

MUST = load_scenarios(["must"])
#: Sixteen megabytes against a second of silence: played alone, or the others' work is the silence.
AT_SPEED = ["slow-uplink"]
#: One defect of each kind; `--full` plays every pair.
QUICK = (
    "401-is-fatal",
    "4xx-is-fatal",
    "already-uploaded-is-fatal",
    "any-200-is-stored",
    "any-upload-url",
    "chunked-put",
    "deletes-before-confirm",
    "enqueue-asks-the-server",
    "forgets-thumbnails",
    "logs-urls",
    "never-reclaims",
    "new-id-each-time",
    "no-instance-lock",
    "queue-in-memory",
    "skips-confirm",
    "storage-403-is-fatal",
    "strict-decoder",
    "token-to-storage",
)


def _complaints(report: Report) -> list[str]:
    return [
        f"{result.scenario}: {result.verdict} {result.reason} "
        + "; ".join(f"{f.clause}: {f.expected}, seen {f.seen}" for f in result.findings)
        + "\n"
        + "\n".join(result.trace)
        for result in report.results
        if result.verdict not in ("PASS", "SKIP")
    ]


def _play_every_must(factory: AdapterFactory) -> tuple[Report, Report]:
    alone = select(MUST, AT_SPEED)
    others = [scenario for scenario in MUST if scenario not in alone]
    options = Options(patience=2.0)
    return (
        asyncio.run(run_suite(factory, others, options)),
        asyncio.run(run_suite(factory, alone, options)),
    )


def test_the_reference_client_passes_every_must(reference: AdapterFactory) -> None:
    reports = _play_every_must(reference)
    assert [complaint for report in reports for complaint in _complaints(report)] == []
    assert sum(report.summary.skipped for report in reports) == 0
    assert sum(report.summary.passed for report in reports) == len(MUST)


def test_the_reference_client_passes_what_it_should(reference: AdapterFactory) -> None:
    scenarios = load_scenarios(["should", "may"])
    report = asyncio.run(run_suite(reference, scenarios, Options(patience=2.0)))
    assert _complaints(report) == []
    skipped = {result.scenario for result in report.results if result.verdict == "SKIP"}
    # What nobody claims to do: a full disk of one's own, parts, resumable uploads.
    assert skipped == {"disk-full-progress", "multipart-resume", "resumable-upload-rufh"}


def test_the_node_client_passes_every_must_it_can_play(node: AdapterFactory) -> None:
    reports = _play_every_must(node)
    assert [complaint for report in reports for complaint in _complaints(report)] == []
    assert {report.client for report in reports} == {"cadenza-node"}
    assert sum(report.summary.passed for report in reports) >= 80


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_client_is_noticed(name: str) -> None:
    pair = (name, MUTANTS[name].killed_by[0])
    result = play([pair])[pair]
    assert result.verdict == "FAIL", result.reason
    assert result.findings


@pytest.mark.full
def test_every_broken_client_is_noticed_by_each_scenario_it_names() -> None:
    results = play(declared())
    survived = [pair for pair, result in results.items() if result.verdict != "FAIL"]
    assert survived == []


def test_every_scenario_kills_a_broken_client() -> None:
    """The matrix is what `python -m tests.conformance.matrix` saw; the docs print it."""
    seen = json.loads(MATRIX.read_text("utf-8"))
    assert {name: tuple(entry) for name, entry in seen.items()} == {
        name: mutant.killed_by for name, mutant in MUTANTS.items()
    }
    killers = {scenario for entry in seen.values() for scenario in entry}
    # Nobody claims the capabilities of these, so no mutant of the reference can fail them.
    unplayed = {"disk-full-progress", "multipart-resume", "resumable-upload-rufh"}
    assert {scenario.id for scenario in load_scenarios()} - killers == unplayed
    assert len(MUTANTS) >= 15


def test_a_capability_that_is_missing_is_a_skip(node: AdapterFactory) -> None:
    report = asyncio.run(run_suite(node, select(MUST, ["tls-good"])))
    assert report.results[0].verdict == "SKIP"
    assert "tls" in report.results[0].reason


def test_known_failures_are_run_and_must_fail(node: AdapterFactory, tmp_path: Path) -> None:
    options = Options(known_failing={"happy-one": "on purpose"}, trace_dir=tmp_path)
    report = asyncio.run(run_suite(node, select(MUST, ["happy-one"]), options))
    assert report.results[0].verdict == "XPASS"
    assert report.exit_code == 1
    assert (tmp_path / "happy-one.trace.json").exists()


def test_a_known_failure_that_fails_is_fine() -> None:
    import os
    import sys

    from cadenza_conformance.transports import exec_adapter
    from tests.conformance.matrix import HERE

    factory = exec_adapter(
        [sys.executable, str(HERE / "mutants.py"), "adds-amz-headers"], env=dict(os.environ)
    )
    options = Options(known_failing={"happy-one": "issue 12"})
    report = asyncio.run(run_suite(factory, select(MUST, ["happy-one"]), options))
    assert (report.results[0].verdict, report.exit_code) == ("XFAIL", 0)
    assert report.results[0].reason == "issue 12"


def test_the_real_profile_plays_only_what_is_marked(node: AdapterFactory) -> None:
    scenarios = select(MUST, ["happy-one", "slow-uplink"])
    report = asyncio.run(run_suite(node, scenarios, Options(profile="real")))
    assert {r.scenario: r.verdict for r in report.results} == {
        "happy-one": "PASS",
        "slow-uplink": "SKIP",
    }
