"""One HTML page without scripts or outside requests: scenarios × clients, and clause coverage."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cadenza_conformance.clauses import areas
from cadenza_conformance.report import Report, Result

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .35rem .6rem; text-align: left;
  vertical-align: top; }
code, pre { font: 13px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; background: #8882; padding: .6rem; }
.PASS { color: #14803c; } .FAIL, .XPASS { color: #c22; font-weight: 600; }
.INCONCLUSIVE { color: #a60; } .SKIP, .XFAIL, small { color: #777; }
summary { cursor: pointer; }
"""


def html(reports: Sequence[Report]) -> str:
    """The page for one client or for several side by side."""
    heads = "".join(
        f"<th>{escape(r.client)} <small>{escape(r.version)}</small></th>" for r in reports
    )
    sums = "".join(f"<td>{_summary(report)}</td>" for report in reports)
    by_name = [{result.scenario: result for result in report.results} for report in reports]
    names = dict.fromkeys(result.scenario for report in reports for result in report.results)
    rows = "\n".join(_row(name, [results.get(name) for results in by_name]) for name in names)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Cadenza conformance</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><h1>Cadenza conformance</h1>
<p>Scenarios played on each client, with the clauses they are about. Open a failed one for what
was expected, what was seen, and the requests in between; secrets are masked.</p>
<table><thead><tr><th>scenario</th>{heads}</tr><tr><td></td>{sums}</tr></thead>
<tbody>
{rows}
</tbody></table>
<h2>Clauses</h2>
{_clauses(reports)}
</body></html>
"""


def _summary(report: Report) -> str:
    s = report.summary
    parts = [f"{s.passed} passed", f"{s.failed} failed", f"{s.inconclusive} inconclusive"]
    parts += [f"{s.skipped} skipped"] if s.skipped else []
    parts += [f"{s.expected_failures} known to fail"] if s.expected_failures else []
    return f"{', '.join(parts)}<br><small>profile {report.profile}, {report.seconds:g} s</small>"


def _row(name: str, results: Sequence[Result | None]) -> str:
    known = next(result for result in results if result is not None)
    clauses = " ".join(escape(clause) for clause in known.requirements)
    cells = "".join(f"<td>{_cell(result)}</td>" for result in results)
    return (
        f'<tr id="{escape(name)}"><td><code>{known.level}/{escape(name)}</code><br>'
        f"{escape(known.title)}<br><small>{clauses}</small></td>{cells}</tr>"
    )


def _cell(result: Result | None) -> str:
    if result is None:
        return "<small>not run</small>"
    verdict = f'<span class="{result.verdict}">{result.verdict}</span>'
    why = [f"{f.clause}: expected {f.expected}; seen: {f.seen}" for f in result.findings]
    why += [result.reason] if result.reason else []
    if not why:
        return f"{verdict} <small>{result.seconds:g} s, {result.requests} requests</small>"
    told = "<br>".join(escape(line) for line in why)
    trace = f"<pre>{escape(chr(10).join(result.trace))}</pre>" if result.trace else ""
    return f"<details><summary>{verdict}</summary>{told}{trace}</details>"


def _clauses(reports: Sequence[Report]) -> str:
    checked: dict[str, set[str]] = {}
    for report in reports:
        for result in report.results:
            for name in result.requirements:
                checked.setdefault(name, set()).add(result.scenario)
    rows: list[str] = []
    for area in areas():
        for clause in area.clauses:
            names = sorted(checked.get(clause.id, ()))
            links = ", ".join(f'<a href="#{escape(n)}">{escape(n)}</a>' for n in names)
            told = links or ("<small>not observable</small>" if clause.seen_by == "design" else "–")
            rows.append(
                f"<tr><td><code>{clause.id}</code></td><td>{escape(clause.text)}</td>"
                f"<td>{told}</td></tr>"
            )
    return "<table><tbody>" + "\n".join(rows) + "</tbody></table>"
