"""The data holds together: scenarios, clauses, schemas, and what must be refused."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cadenza_conformance import ScenarioError, load_scenarios, read_scenario, select
from cadenza_conformance._content import Content
from cadenza_conformance.clauses import clause, clauses, uncovered
from cadenza_conformance.schemas import SCHEMAS, schema_text

ROOT = Path(str(resources.files("cadenza_conformance")))
SCENARIOS = load_scenarios()
INVALID = sorted((ROOT / "runner-tests" / "invalid").glob("*.json"))
FIRST_FORTY = {
    "happy-one",
    "happy-many-50",
    "enqueue-offline",
    "restart-drains-queue",
    "url-expired-once",
    "url-expired-during-put",
    "url-expired-early-close",
    "url-fresh-but-403",
    "create-response-lost",
    "put-stored-response-lost",
    "confirm-response-lost",
    "confirm-object-missing",
    "confirm-checksum-mismatch",
    "kill-between-create-and-put",
    "kill-mid-put",
    "kill-between-put-and-confirm",
    "kill-between-confirm-and-delete",
    "kill-during-recovery",
    "retry-after-seconds",
    "retry-after-date",
    "s5xx-backoff-growth",
    "token-401-refresh-once",
    "token-401-forever-hold",
    "no-token-to-storage",
    "redirect-other-host-refused",
    "html-200-not-success",
    "file-missing-server-confirmed",
    "thumb-fails-video-ok",
    "state-dir-relocated",
    "second-instance-refused",
    "secrets-not-in-logs",
    "big-file-streaming-rss",
    "slowdown-halves-concurrency",
    "clock-jump-forward",
    "clock-jump-back",
    "disk-full-progress",
    "suspend-mid-put",
    "constraint-lost-mid-put",
    "multipart-resume",
    "resumable-upload-rufh",
}


def test_the_first_forty_scenarios_are_there() -> None:
    # `file-changed-after-enqueue` and `idle-keepalive-closed` became several, with longer names.
    assert {scenario.id for scenario in SCENARIOS} >= FIRST_FORTY
    assert len(SCENARIOS) >= 100


def test_every_requirement_is_a_clause() -> None:
    named = {name for scenario in SCENARIOS for name in scenario.requirements}
    waived = {name for scenario in SCENARIOS for name in scenario.waives}
    assert (named | waived) - set(clauses()) == set()


def test_every_clause_that_can_be_observed_is_checked() -> None:
    assert uncovered(SCENARIOS) == ()


def test_a_clause_is_found_whatever_its_case() -> None:
    assert clause("del-1") is clauses()["DEL-1"]
    assert clause("DEL-99") is None


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_models(name: str) -> None:
    """`python -m cadenza_conformance.schemas` writes them."""
    published = (ROOT / "schema" / f"{name}-1.0.schema.json").read_text("utf-8")
    assert published == schema_text(name)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_what_is_no_scenario_is_refused_with_the_place(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    with pytest.raises(ScenarioError) as refused:
        read_scenario(json.dumps(case["scenario"]), name=path.name)
    assert case["says"] in str(refused.value)


def test_there_are_invalid_cases() -> None:
    assert len(INVALID) >= 10


def _valid(**changes: Any) -> str:
    document = json.loads((ROOT / "scenarios" / "must" / "happy-one.json").read_text("utf-8"))
    return json.dumps({**document, **changes})


def test_what_is_not_json_is_refused() -> None:
    for text in ("{", "[]"):
        with pytest.raises(ScenarioError):
            read_scenario(text)


def test_a_newer_minor_version_plays_when_it_uses_nothing_new() -> None:
    assert read_scenario(_valid(schema="cadenza-conformance/1.7")).id == "happy-one"
    with pytest.raises(ScenarioError, match=r"newer version 1\.7"):
        read_scenario(_valid(schema="cadenza-conformance/1.7", weather="rain"))


def test_scenarios_are_chosen_by_id_level_and_clause() -> None:
    assert [s.id for s in select(SCENARIOS, ["happy-one"])] == ["happy-one"]
    assert {s.level for s in select(SCENARIOS, ["may/*"])} == {"may"}
    assert all("URL-5" in s.requirements for s in select(SCENARIOS, ["URL-5"]))
    assert select(SCENARIOS, []) == SCENARIOS
    with pytest.raises(ScenarioError, match="nonsense"):
        select(SCENARIOS, ["nonsense"])


def test_an_overlay_changes_only_what_it_names() -> None:
    scenario = next(s for s in SCENARIOS if s.id == "url-expired-once")
    plain, background = (
        scenario.expect_for(frozenset(has)) for has in ([], ["background_transfer"])
    )
    assert plain.counts["put_video"].eq == 2
    assert (background.counts["put_video"].eq, background.counts["put_video"].max) == (None, 4)
    assert background.client == plain.client
    assert background.order == plain.order


def test_content_is_a_function_of_its_seed() -> None:
    """The first block by hand, so that another language can compare."""
    content = Content("prng:1", 40)
    data = b"".join(content.parts())
    assert data == (hashlib.sha256(b"1:0").digest() + hashlib.sha256(b"1:1").digest())[:40]
    big = Content("prng:x", 200_001)
    assert sum(len(part) for part in big.parts()) == 200_001
    assert big.sha256 == hashlib.sha256(b"".join(big.parts())).hexdigest()
