"""Writes the pages under docs/spec that are made from data: `python docs/_spec.py`.

Clauses, scenarios and mutants come from the conformance kit, states and transitions from the
tables the queue itself is held to. A test compares the pages with what this would write.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cadenza_conformance import load_scenarios  # noqa: E402 - from the checkout, not from anywhere
from cadenza_conformance._judge import INVARIANTS  # noqa: E402
from cadenza_conformance.clauses import areas  # noqa: E402
from cadenza_uploader._states import (  # noqa: E402
    LEGAL_DEMOTION,
    LEGAL_STATUS,
    FailCode,
    Hold,
    Stage,
    Status,
    is_legal,
)
from tests.conformance.matrix import MATRIX  # noqa: E402
from tests.conformance.mutants import MUTANTS  # noqa: E402

PAGES = ROOT / "docs" / "spec"
_MADE = "<!-- made by docs/_spec.py; edit the data, not this page -->\n\n"


def pages() -> dict[str, str]:
    """File name → content."""
    return {
        "clauses.md": _MADE + _clauses(),
        "states.md": _MADE + _states(),
        "states.svg": _diagram(),
        "scenarios.md": _MADE + _scenarios(),
        "ios-clauses.md": _MADE + _ios(),
        "mutants.md": _MADE + _mutants(),
    }


def _clauses() -> str:
    checked_by: dict[str, list[str]] = {}
    for scenario in load_scenarios():
        for name in scenario.requirements:
            checked_by.setdefault(name, []).append(scenario.id)
    always = {name for name, _ in INVARIANTS}
    count = sum(len(area.clauses) for area in areas())
    lines = [
        "# The clauses",
        "",
        f"The behaviour of an upload client in {count} numbered clauses. The words MUST, MUST NOT, "
        "SHOULD and MAY are those of [RFC 2119](https://www.rfc-editor.org/rfc/rfc2119). A number "
        "is never used for anything else, also when its clause is dropped.",
        "",
        "*Behind it* names the requirement, fault or complaint a clause comes from. *Checked by* "
        "names the scenarios; *every run* means that the judge looks at it whatever is played. "
        "`cadenza conformance explain DEL-1` shows one clause at the terminal.",
    ]
    for area in areas():
        lines += ["", f"## {area.title}", "", area.intro]
        for clause in area.clauses:
            scenarios = [f"`{name}`" for name in checked_by.get(clause.id, ())]
            scenarios = (["every run"] if clause.id in always else []) + scenarios
            lines += [
                "",
                f"### {clause.id}",
                "",
                f"**{clause.level}.** {clause.text}",
                "",
                f"*Why:* {clause.why}  ",
                f"*Behind it:* {', '.join(clause.sources)}  ",
                f"*Checked by:* {', '.join(scenarios) or 'reading'}",
            ]
    return "\n".join(lines) + "\n"


def _states() -> str:
    words = {status: _comment(Status, status.name) for status in Status}
    stages = {stage: _comment(Stage, stage.name) for stage in Stage}
    lines = [
        "# States",
        "",
        "A recording has a **status**, one of four words, which people and other clients see, and "
        "a **stage**, which says how far the world has changed. The stage only grows, except on "
        "the server's own evidence. A **hold** says why a pending recording is not tried.",
        "",
        "![The four statuses and every step between them.](states.svg)",
        "",
        "| status | means | may become |",
        "|---|---|---|",
    ]
    for status in Status:
        after = ", ".join(sorted(s.value for s in LEGAL_STATUS[status])) or "nothing: it is final"
        lines.append(f"| `{status.value}` | {words[status]} | {after} |")
    lines += ["", "| stage | means |", "|---|---|"]
    lines += [f"| {stage.value} `{stage.word}` | {stages[stage]} |" for stage in Stage]
    steps_back = ", ".join(
        f"`{a.word}` → `{b.word}`" for a, b in sorted(LEGAL_DEMOTION, reverse=True)
    )
    lines += [
        "",
        f"The only steps back, when the server says that the object or the submission is not "
        f"there: {steps_back}. `uploaded` means stage 3 or 4, and no other status does.",
        "",
        "## Every legal step",
        "",
        "Rows are where a recording is, columns where one transaction may bring it: its status and "
        "stage. Everything without a mark is refused, by the database as well.",
        "",
    ]
    places = [(status, stage) for status in Status for stage in Stage if _exists(status, stage)]
    heads = " | ".join(f"{_LETTERS[status]}{stage.value}" for status, stage in places)
    lines += [f"| from \\ to | {heads} |", "|---" * (len(places) + 1) + "|"]
    for before in places:
        marks = " | ".join("●" if is_legal(before, after) else " " for after in places)
        lines.append(f"| **{before[0].value} {before[1].value}** | {marks} |")
    lines += [
        "",
        ", ".join(f"{letter} {status.value}" for status, letter in _LETTERS.items()) + ".",
        "",
        "## Holds",
        "",
        f"{', '.join(f'`{hold.value}`' for hold in Hold)}. A hold costs no attempt.",
        "",
        "## Reasons for failed",
        "",
        "A closed list. No file is deleted on any of them.",
        "",
        "| code | who can help |",
        "|---|---|",
    ]
    for code in FailCode:
        helper = "the user" if code.needs_user else "time: it is tried again, slowly"
        lines.append(f"| `{code.value}` | {helper} |")
    return "\n".join(lines) + "\n"


def _exists(status: Status, stage: Stage) -> bool:
    return (status is Status.UPLOADED) == (stage >= Stage.CONFIRMED)


def _comment(enum: type, name: str) -> str:
    """The `#:` comment above a member, which is where its meaning is written once."""
    source = (ROOT / "cadenza_uploader" / "_states.py").read_text("utf-8").splitlines()
    begin = next(i for i, line in enumerate(source) if line.startswith(f"class {enum.__name__}("))
    at = next(
        i for i, line in enumerate(source) if i > begin and line.strip().startswith(f"{name} = ")
    )
    return source[at - 1].strip().removeprefix("#: ").rstrip(".")


_LETTERS = {
    Status.PENDING: "P",
    Status.UPLOADING: "U",
    Status.UPLOADED: "D",
    Status.FAILED: "F",
}
_PLACES = {
    Status.PENDING: (110, 150),
    Status.UPLOADING: (360, 60),
    Status.UPLOADED: (610, 150),
    Status.FAILED: (360, 240),
}
_HALF_WIDTH, _HALF_HEIGHT = 62, 24


def _diagram() -> str:
    """The statuses as an SVG: the nodes' places are chosen, the arrows are the table's."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" role="img" '
        'aria-label="The four statuses and every step between them" '
        'font-family="system-ui, sans-serif" font-size="17">',
        '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="#7e57c2"/></marker></defs>',
    ]
    for before, afters in LEGAL_STATUS.items():
        for after in sorted(afters):
            parts.append(_arrow(_PLACES[before], _PLACES[after]))  # noqa: PERF401 - two loops
    for status, (x, y) in _PLACES.items():
        double = (
            f'<rect x="{x - 57}" y="{y - 19}" width="114" height="38" rx="9" fill="none" '
            'stroke="#7e57c2"/>'
            if not LEGAL_STATUS[status]
            else ""
        )
        parts.append(
            f'<rect x="{x - _HALF_WIDTH}" y="{y - _HALF_HEIGHT}" width="{2 * _HALF_WIDTH}" '
            f'height="{2 * _HALF_HEIGHT}" rx="12" fill="#ede7f6" stroke="#7e57c2" '
            f'stroke-width="2"/>{double}<text x="{x}" y="{y + 6}" text-anchor="middle" '
            f'fill="#311b92">{status.value}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(begin: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = _edge(begin, end), _edge(end, begin)
    length = math.hypot(x2 - x1, y2 - y1)
    # To the right of its direction, so that there and back are two arrows.
    bend = 26 if length > 80 else 12
    cx = (x1 + x2) / 2 + (y2 - y1) / length * bend
    cy = (y1 + y2) / 2 - (x2 - x1) / length * bend
    return (
        f'<path d="M{x1:.0f} {y1:.0f} Q{cx:.0f} {cy:.0f} {x2:.0f} {y2:.0f}" fill="none" '
        'stroke="#7e57c2" stroke-width="2" marker-end="url(#a)"/>'
    )


def _edge(node: tuple[int, int], towards: tuple[int, int]) -> tuple[float, float]:
    dx, dy = towards[0] - node[0], towards[1] - node[1]
    scale = min(
        _HALF_WIDTH / abs(dx) if dx else math.inf, _HALF_HEIGHT / abs(dy) if dy else math.inf
    )
    return node[0] + dx * scale, node[1] + dy * scale


def _scenarios() -> str:
    scenarios = load_scenarios()
    counts = Counter(scenario.level for scenario in scenarios)
    lines = [
        "# The scenarios",
        "",
        f"{len(scenarios)} stories, each about one behaviour: {counts['must']} every client must "
        f"pass, {counts['should']} it should and {counts['may']} it may. A scenario is played when "
        "the client has the capabilities it needs; the others are skipped and counted.",
    ]
    for level in ("must", "should", "may"):
        lines += [
            "",
            f"## {level.capitalize()}",
            "",
            "| scenario | what happens | clauses | needs |",
            "|---|---|---|---|",
        ]
        for scenario in scenarios:
            if scenario.level == level:
                needs = [name for name in scenario.requires if name not in ("enqueue", "status")]
                lines.append(
                    f"| `{scenario.id}` | {scenario.title} | {', '.join(scenario.requirements)} | "
                    f"{', '.join(needs) or '–'} |"
                )
    return "\n".join(lines) + "\n"


def _ios() -> str:
    lines = [
        "# What the clauses mean on iOS",
        "",
        "Only the clauses for which the platform matters; the others mean what they say. The "
        "background is on [the page for iOS](ios.md).",
        "",
        "| clause | asks for | on iOS |",
        "|---|---|---|",
    ]
    for area in areas():
        for clause in area.clauses:
            if clause.ios:
                lines.append(f"| {clause.id} | {clause.text} | {clause.ios} |")  # noqa: PERF401
    return "\n".join(lines) + "\n"


def _mutants() -> str:
    matrix: dict[str, dict[str, list[str]]] = json.loads(MATRIX.read_text("utf-8"))
    killers = Counter(scenario for entry in matrix.values() for scenario in entry)
    lines = [
        "# The kit is tested: broken clients",
        "",
        f"{len(MUTANTS)} reference clients with one defect each. Every one of them fails the "
        "scenarios beside it, for the clauses in brackets, and every scenario that the reference "
        f"client can play ({len(killers)}) fails at least one of them. A kit that lets a broken "
        "client pass would show here first.",
        "",
        "Played by `python -m tests.conformance.matrix`. The test suite plays one of each kind, "
        "and `python dev.py test --full` all of them.",
        "",
        "| client | defect | fails |",
        "|---|---|---|",
    ]
    for name, mutant in sorted(MUTANTS.items()):
        fails = ", ".join(
            f"`{scenario}` ({', '.join(clauses)})" for scenario, clauses in matrix[name].items()
        )
        lines.append(f"| {name} | {mutant.defect} | {fails} |")
    lines += [
        "",
        "## How many clients each scenario fails",
        "",
        "| scenario | clients |",
        "|---|---|",
    ]
    lines += [f"| `{scenario}` | {count} |" for scenario, count in sorted(killers.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    PAGES.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
