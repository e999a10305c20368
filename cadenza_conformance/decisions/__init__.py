"""The pure decisions of an uploader as JSON files: no server, no clock and no file is needed.

One file for each decision, readable by any language:

==================  ===========================================================================
`classify`          what an answer, or its absence, means for a take: a table and examples
`backoff`           how long to wait after a setback, and how far a stored time may lie ahead
`limits`            which takes are refused, and why
`duration_rounding` milliseconds of media to the whole seconds that are told to the server
`display_size`      coded pixels, their shape and their rotation to what a player shows
==================  ===========================================================================

A reader refuses a higher major number of `schema`; keys it does not know within one major number
it ignores. All files but `classify` are lists of cases: an input and the one right result.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

__all__ = [
    "SCHEMA",
    "Answer",
    "Classification",
    "Decision",
    "DecisionName",
    "Example",
    "Repeated",
    "Rule",
    "Vectors",
    "When",
    "classification",
    "vectors",
]

SCHEMA = "cadenza-decisions/1.0"

DecisionName = Literal["backoff", "display_size", "duration_rounding", "limits"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(_Data):
    """What came back from one step; `status` is null when nothing did."""

    party: str
    step: str
    status: int | None = None
    code: str | None = None
    seen: int = 0


class Decision(_Data):
    """What follows. `hold`, `fail` and `stage` belong to the actions of the same meaning."""

    action: str
    hold: str | None = None
    fail: str | None = None
    stage: str | None = None


class When(_Data):
    """The answers a rule speaks of: every key that is given has to fit."""

    party: str | None = None
    answered: bool | None = None
    steps: tuple[str, ...] | None = None
    statuses: tuple[int, ...] | None = None
    codes: tuple[str, ...] | None = None

    def fits(self, answer: Answer) -> bool:
        """Whether the rule speaks of this answer."""
        return (
            self.party in (None, answer.party)
            and self.answered in (None, answer.status is not None)
            and (self.steps is None or answer.step in self.steps)
            and (self.statuses is None or answer.status in self.statuses)
            and (self.codes is None or answer.code in self.codes)
        )


class Repeated(_Data):
    """What follows instead, once this step has failed so often in this way already."""

    seen: int
    then: Decision


class Rule(_Data):
    """One row of the table; the first that fits decides."""

    why: str
    when: When
    then: Decision
    repeated: Repeated | None = None


class Example(_Data):
    """An answer and the decision the table gives, worked out by hand."""

    about: str
    answer: Answer
    decision: Decision


class Classification(_Data):
    """`classify.json`."""

    schema_: str
    about: str
    vocabulary: dict[str, dict[str, str]]
    rules: tuple[Rule, ...]
    otherwise: Decision
    examples: tuple[Example, ...]

    def decide(self, answer: Answer) -> Decision:
        """The table, read as any implementation reads it."""
        for rule in self.rules:
            if rule.when.fits(answer):
                repeated = rule.repeated
                enough = repeated is not None and answer.seen >= repeated.seen
                return repeated.then if repeated is not None and enough else rule.then
        return self.otherwise


class Vectors(_Data):
    """A file of cases."""

    schema_: str
    about: str
    cases: tuple[dict[str, Any], ...]


def classification() -> Classification:
    """The classification table and its examples."""
    return Classification.model_validate(_read("classify"))


def vectors(name: DecisionName) -> Vectors:
    """The cases of one decision."""
    return Vectors.model_validate(_read(name))


def _read(name: str) -> dict[str, Any]:
    text = resources.files(__name__).joinpath(f"{name}.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    # `schema` would hide a method of pydantic's.
    schema = document.pop("schema")
    assert schema == SCHEMA, f"{name}.json is {schema}"
    return {**document, "schema_": schema}
