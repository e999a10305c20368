"""The specification as data: numbered clauses with their reasons (docs/spec is made from them)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cadenza_conformance._judge import INVARIANTS
from cadenza_conformance.scenario import Scenario

__all__ = ["Area", "Clause", "areas", "clause", "clauses", "uncovered"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Clause(_Data):
    """One sentence of the specification.

    Attributes:
        id: stable for ever; a clause that is dropped leaves its number unused.
        level: the RFC 2119 word it turns on.
        text: the rule.
        why: what happened to people without it.
        sources: seed requirements, faults and complaints behind it.
        seen_by: `server`: the fault server can judge it; `adapter`: the client has to be asked;
            `design`: only a reader or a unit test can.
        ios: what it means on iOS.
    """

    id: Annotated[str, Field(pattern=r"^[A-Z0-9]+-[0-9]+$")]
    level: Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"]
    text: str
    why: str
    sources: tuple[str, ...]
    seen_by: Literal["server", "adapter", "design"]
    ios: str | None = None


class Area(_Data):
    """Clauses about one thing."""

    name: str
    title: str
    intro: str
    clauses: tuple[Clause, ...]


class _Specification(_Data):
    about: str
    schema_: str = Field(alias="schema")
    areas: tuple[Area, ...]


@functools.cache
def areas() -> tuple[Area, ...]:
    """The specification, in reading order."""
    text = resources.files("cadenza_conformance").joinpath("spec", "clauses.json")
    return _Specification.model_validate_json(text.read_text("utf-8")).areas


@functools.cache
def clauses() -> dict[str, Clause]:
    """Every clause by id."""
    return {clause.id: clause for area in areas() for clause in area.clauses}


def clause(name: str) -> Clause | None:
    """A clause by id, whatever its case."""
    return clauses().get(name.upper())


def uncovered(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """Observable clauses that no scenario and no always-on invariant checks."""
    checked = {name for scenario in scenarios for name in scenario.requirements}
    checked |= {name for name, _ in INVARIANTS}
    return tuple(
        name
        for name, clause in clauses().items()
        if clause.seen_by != "design" and name not in checked
    )
