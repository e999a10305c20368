"""Schemathesis reads the API's description and tries everything it can think of.

All its checks, in all its phases: examples, boundary values, random data, and chains of requests
where one answer's ids are the next request's. By default a sample without the boundary values, the
same every time; `python dev.py test --full` runs all of it with 200 examples an operation.

The server's own rules go beyond a schema, so a refusal of data that fits the schema is a finding
unless it names one of the reasons in `_RULES`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from cadenza_server.background import Background
from cadenza_server.serving import RunningServer
from tests.server.world import World

#: What a schema can't say. A field here may be refused by a rule of its own (422 `invalid`);
#: every other code of a 4xx is a rule by itself.
_RULES = {
    "cursor": "opaque: only what a `Link` header gave is one",
    "title": "more than white space",
    "text": "more than white space",
    "image": "a picture is not empty",
    "body": "a rule between two fields",
    "measure_end": "not before measure_number",
    "end_ms": "after timestamp_ms",
    "url": "an address that may be called",
}
#: To JSON Schema 3.0 is an integer too; a client that sends one has a bug.
_NO_FRACTION = "Input should be a valid integer"
#: Answers that don't end, and requests that need a signature nobody can guess: both have tests
#: of their own.
_LEFT_OUT = r"^/(storage/|events/stream)"


@pytest.fixture(autouse=True)
def no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is posted to the webhooks that are made up here."""
    monkeypatch.setattr(Background, "start", lambda _self: None)


def _config(token: str, examples: int, *, boundaries: bool) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 20261121,
            "continue-on-failure": True,
            "auth": {"openapi": {"HTTPBearer": {"bearer": token}}},
            "generation": {"max-examples": examples, "database": "none", "deterministic": True},
            "phases": {
                "coverage": {"enabled": boundaries},
                "stateful": {"generation": {"max-examples": max(3, examples)}},
            },
        }
    )


def _findings(
    server: RunningServer, token: str, examples: int, *, boundaries: bool
) -> tuple[int, list[str]]:
    """How many requests were made, and what is wrong with the answers."""
    config = _config(token, examples, boundaries=boundaries)
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)
    requests, found = 0, []
    for event in from_schema(schema.exclude(path_regex=_LEFT_OUT)).execute():
        if isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished | events.FuzzScenarioFinished):
            requests += len(event.recorder.interactions)
            found.extend(_failures(event.recorder))
    return requests, sorted(set(found))


def _failures(recorder: Any) -> Iterator[str]:
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            response = recorder.interactions[case_id].response
            if check.name == "positive_data_acceptance" and _is_by_rule(response):
                continue
            failure = check.failure_info.failure
            yield f"{failure.operation}: {failure.title}\n{failure.message}\n" + (
                f"{response.status_code} {response.content[:300]!r}" if response else ""
            )


def _is_by_rule(response: Any) -> bool:
    problem = json.loads(response.content)
    if problem["code"] != "invalid":
        return bool(problem["code"] != "internal")
    # Without fields it is a sentence of our own code: what the schema knows always has them.
    wrong = {name.rpartition(".")[2]: why for name, why in problem.get("fields", {}).items()}
    return all(name in _RULES or why == _NO_FRACTION for name, why in wrong.items())


def _expect_nothing(found: list[str]) -> None:
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)  # all of them: a run takes half an hour


@pytest.mark.filterwarnings("default")
def test_a_sample_of_what_can_be_asked(world: World, running: RunningServer) -> None:
    token = f"dev_token_user_{world.people['student']}"
    requests, found = _findings(running, token, 1, boundaries=False)

    _expect_nothing(found)
    assert requests > 100


@pytest.mark.full
@pytest.mark.parametrize("who", ["student", "teacher"])
@pytest.mark.filterwarnings("default")
def test_all_of_it(world: World, running: RunningServer, who: str) -> None:
    token = f"dev_token_user_{world.people[who]}"
    _, found = _findings(running, token, 200, boundaries=True)

    _expect_nothing(found)
