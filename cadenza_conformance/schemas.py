"""The JSON Schemas of the kit's documents, from the models that read them.

`python -m cadenza_conformance.schemas` writes them to `schema/`; a test holds files and models
equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cadenza_conformance.protocol import Exchanges
from cadenza_conformance.report import Report
from cadenza_conformance.scenario import Scenario
from cadenza_conformance.trace import Trace

__all__ = ["SCHEMAS", "schema_text"]

SCHEMAS: dict[str, tuple[type[BaseModel], str]] = {
    "scenario": (Scenario, "One behaviour of an upload client, as a story with an end."),
    "adapter": (Exchanges, "What the driver says to a client under test, and what it answers."),
    "trace": (Trace, "What was seen in one run: the judge's only input."),
    "report": (Report, "One client's run of the kit."),
}
"""name → model and sentence; the file is `schema/NAME-1.0.schema.json`."""

_PRNG = (
    "prng:SEED is the concatenation of SHA-256(ascii(SEED + ':' + decimal i)) for i = 0, 1, 2, …, "
    "cut at the wanted size; a thumbnail's seed is SEED-t."
)


def schema_text(name: str) -> str:
    """One schema as it is published."""
    model, sentence = SCHEMAS[name]
    schema: dict[str, Any] = model.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"cadenza-conformance {name} 1.0"
    schema["description"] = f"{sentence} {_PRNG}" if name == "scenario" else sentence
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all of them."""
    folder = Path(__file__).parent / "schema"
    for name in SCHEMAS:
        (folder / f"{name}-1.0.schema.json").write_text(schema_text(name), "utf-8")


if __name__ == "__main__":
    main()
