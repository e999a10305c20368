"""JUnit XML, so that any CI shows the scenarios as tests."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from cadenza_conformance.report import Report, Result


def junit(report: Report) -> str:
    """The report as one `testsuite`; a scenario's class is `must.url`, its level and area."""
    summary = report.summary
    suite = ET.Element(
        "testsuite",
        name=f"cadenza-conformance {report.client} {report.version}".strip(),
        tests=str(len(report.results)),
        failures=str(summary.failed + summary.unexpected_passes),
        errors=str(summary.inconclusive),
        skipped=str(summary.skipped + summary.expected_failures),
        time=str(report.seconds),
    )
    for result in report.results:
        area = result.requirements[0].partition("-")[0].lower()
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"{result.level}.{area}",
            name=result.scenario,
            time=str(result.seconds),
        )
        _outcome(case, result)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _outcome(case: ET.Element, result: Result) -> None:
    why = "\n".join(f"{f.clause}: expected {f.expected}; seen: {f.seen}" for f in result.findings)
    if result.verdict in ("FAIL", "XPASS"):
        first = result.findings[0].clause if result.findings else result.verdict
        failure = ET.SubElement(
            case, "failure", type=first, message=_one_line(why or result.reason)
        )
        failure.text = _clean("\n".join([why or result.reason, "", *result.trace]))
    elif result.verdict == "INCONCLUSIVE":
        error = ET.SubElement(case, "error", type="inconclusive", message=_one_line(result.reason))
        error.text = _clean("\n".join(result.trace))
    elif result.verdict in ("SKIP", "XFAIL"):
        ET.SubElement(case, "skipped", message=_one_line(result.reason or why))


def _one_line(text: str) -> str:
    return _clean(text).replace("\n", " | ")


def _clean(text: str) -> str:
    """Only what XML 1.0 can hold: a client's error text may have anything in it."""
    return "".join(c if c in "\t\n" or c >= " " else "\ufffd" for c in text)
