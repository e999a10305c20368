"""Playing mutants against scenarios: which defect does the kit notice, and by which clause?

As a program it plays every pair that the mutants name and writes what was seen to
`tests/conformance/matrix.json`, from which `docs/spec/mutants.md` is made:
`python -m tests.conformance.matrix`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cadenza_conformance import Options, Result, load_scenarios, run_suite, select
from cadenza_conformance.transports import exec_adapter
from tests.conformance.mutants import MUTANTS

HERE = Path(__file__).resolve().parent

MATRIX = HERE / "matrix.json"
#: Mutants get stuck where the reference goes on; waiting long for them proves nothing more.
PATIENCE = 0.5
Pair = tuple[str, str]


def declared() -> list[Pair]:
    """Every (mutant, scenario) pair that the mutants name."""
    return [(m.name, scenario) for m in MUTANTS.values() for scenario in m.killed_by]


def play(pairs: Iterable[Pair], *, parallel: int = 3) -> dict[Pair, Result]:
    """Play pairs and give each one's result."""
    return asyncio.run(_play(list(pairs), parallel))


async def _play(pairs: list[Pair], parallel: int) -> dict[Pair, Result]:
    gate, catalogue = asyncio.Semaphore(parallel), load_scenarios()
    # Two levels of processes: the kit's environment is this one's, without coverage's hooks.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}

    async def one(pair: Pair) -> tuple[Pair, Result]:
        name, scenario = pair
        command = [sys.executable, str(HERE / "mutants.py"), name]
        async with gate:
            report = await run_suite(
                exec_adapter(command, env=env),
                select(catalogue, [scenario]),
                Options(patience=PATIENCE),
            )
        if sys.stderr.isatty() or os.environ.get("MATRIX_VERBOSE"):
            result = report.results[0]
            clauses = " ".join(sorted({f.clause for f in result.findings}))
            print(
                f"{result.verdict:13}{name:30}{scenario:38}{clauses}", file=sys.stderr, flush=True
            )
        return pair, report.results[0]

    return dict(await asyncio.gather(*(one(pair) for pair in pairs)))


def main(chosen: list[str]) -> int:
    """Play everything, or the mutants named; write the matrix; how many survived."""
    pairs = [pair for pair in declared() if not chosen or pair[0] in chosen]
    results = play(pairs)
    known = json.loads(MATRIX.read_text("utf-8")) if MATRIX.exists() else {}
    for (name, scenario), result in results.items():
        clauses = sorted({finding.clause for finding in result.findings})
        entry = known.setdefault(name, {})
        if result.verdict == "FAIL":
            entry[scenario] = clauses
        else:
            entry.pop(scenario, None)
    kept = {
        name: {scenario: known.get(name, {})[scenario] for scenario in mutant.killed_by
               if scenario in known.get(name, {})}
        for name, mutant in MUTANTS.items()
    }  # fmt: skip
    lines = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in kept.items()]
    MATRIX.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    survivors = [pair for pair, result in results.items() if result.verdict != "FAIL"]
    print("\n".join(f"survived: {name} in {scenario}" for name, scenario in survivors))
    return len(survivors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) and 1)
