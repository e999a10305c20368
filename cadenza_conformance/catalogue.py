"""Finding and reading scenarios. The directory is the requirement level (§3.1.5)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, cast

from pydantic import ValidationError

from cadenza_conformance.scenario import Level, Scenario

__all__ = ["LEVELS", "ScenarioError", "load_scenarios", "read_scenario", "select"]

LEVELS: tuple[Level, ...] = ("must", "should", "may")
_VERSION = re.compile(r"cadenza-conformance/(\d+)\.(\d+)")
_MAJOR, _MINOR = 1, 0


class ScenarioError(Exception):
    """A file is not a scenario this kit can play; says where and why."""


def read_scenario(text: str, *, name: str = "scenario") -> Scenario:
    """Read one scenario.

    A higher major version is refused; a higher minor one only when the file uses a key that is
    unknown here (§3.2).

    Raises:
        ScenarioError: it cannot be played.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ScenarioError(f"{name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ScenarioError(f"{name} is not an object")
    scenario = cast("dict[str, Any]", document)
    version = _VERSION.fullmatch(str(scenario.get("schema", "")))
    if version is None:
        raise ScenarioError(f"{name}: schema is not cadenza-conformance/MAJOR.MINOR")
    major, minor = int(version[1]), int(version[2])
    if major != _MAJOR:
        raise ScenarioError(f"{name} is of version {major}.{minor}; this kit plays {_MAJOR}.x")
    try:
        return Scenario.model_validate({**scenario, "schema": f"cadenza-conformance/{_MAJOR}.0"})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "scenario"
        newer = f" (the file is of the newer version {major}.{minor})" if minor > _MINOR else ""
        raise ScenarioError(f"{name}: {place}: {first['msg']}{newer}") from None


def load_scenarios(levels: Sequence[Level] = LEVELS) -> list[Scenario]:
    """Every scenario of these levels, sorted by level and id.

    Raises:
        ScenarioError: a shipped file is broken.
    """
    root = resources.files("cadenza_conformance").joinpath("scenarios")
    found: list[Scenario] = []
    for level in levels:
        for file in _json_files(root.joinpath(level)):
            scenario = read_scenario(file.read_text("utf-8"), name=file.name)
            if scenario.level != level or f"{scenario.id}.json" != file.name:
                raise ScenarioError(
                    f"{level}/{file.name} says it is {scenario.level}/{scenario.id}"
                )
            found.append(scenario)
    return found


def select(scenarios: Iterable[Scenario], patterns: Sequence[str]) -> list[Scenario]:
    """Those whose id, level or clause one of the patterns names; `*` stands for anything.

    Raises:
        ScenarioError: a pattern names nothing.
    """
    scenarios = list(scenarios)
    if not patterns:
        return scenarios
    chosen: dict[str, Scenario] = {}
    for pattern in patterns:
        regex = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        hits = [
            scenario
            for scenario in scenarios
            if regex.fullmatch(scenario.id)
            or regex.fullmatch(f"{scenario.level}/{scenario.id}")
            or any(regex.fullmatch(clause) for clause in scenario.requirements)
        ]
        if not hits:
            raise ScenarioError(f"no scenario is called {pattern}")
        chosen.update((hit.id, hit) for hit in hits)
    return [scenario for scenario in scenarios if scenario.id in chosen]


def _json_files(directory: Traversable) -> list[Traversable]:
    if not directory.is_dir():
        return []
    return sorted(
        (file for file in directory.iterdir() if file.name.endswith(".json")),
        key=lambda file: file.name,
    )
