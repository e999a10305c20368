"""Reports say what happened, in forms that CI and people read, and without a secret (SEC-31)."""

from __future__ import annotations

import asyncio
import os
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cadenza_conformance import Options, Report, differences, load_scenarios, run_suite, select
from cadenza_conformance._server._world import SIGNATURE_CANARY, TOKEN_CANARY
from cadenza_conformance.rendering import html, junit
from cadenza_conformance.transports import exec_adapter
from tests.conformance.matrix import HERE

NAMES = ["happy-one", "tls-good", "no-token-to-storage", "multipart-resume"]


@pytest.fixture(scope="module")
def report() -> Report:
    """A client that sends its token to the storage."""
    factory = exec_adapter(
        [sys.executable, str(HERE / "mutants.py"), "token-to-storage"],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    options = Options(known_failing={"tls-good": "certificates <are> hard & so on"})
    return asyncio.run(run_suite(factory, select(load_scenarios(), NAMES), options))


def test_a_failure_names_clause_expectation_and_what_was_seen(report: Report) -> None:
    failed = next(r for r in report.results if r.scenario == "happy-one")
    assert failed.verdict == "FAIL"
    finding = next(f for f in failed.findings if f.clause == "SEC-1")
    assert "Authorization" in finding.expected
    assert "put_video #1 of A" in finding.seen
    assert any("put_video #1 A 300000 B → 200" in line for line in failed.trace)
    assert report.exit_code == 1
    assert (report.summary.failed, report.summary.expected_failures) == (2, 1)
    assert report.summary.skipped == 1


def test_junit_is_xml_with_level_and_area_as_class(report: Report) -> None:
    suite = ET.fromstring(junit(report))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "2")
    case = next(c for c in suite if c.get("name") == "no-token-to-storage")
    assert case.get("classname") == "must.sec"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "SEC-1" or "SEC-1" in str(failure.get("message"))


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [str(v) for n, v in attrs if n in ("src", "href") and "//" in str(v)]
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_nothing_of_others(report: Report) -> None:
    page = html([report, report])
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert parser.outside == []
    assert "certificates &lt;are&gt; hard" in page
    assert 'id="happy-one"' in page
    assert "DEL-1" in page


def test_no_form_of_the_report_holds_a_secret(report: Report) -> None:
    for text in (report.model_dump_json(), junit(report), html([report])):
        assert TOKEN_CANARY not in text
        assert SIGNATURE_CANARY not in text


def test_two_reports_are_compared(report: Report) -> None:
    other = report.model_copy(
        update={
            "results": tuple(
                r.model_copy(update={"verdict": "PASS"}) if r.scenario == "happy-one" else r
                for r in report.results[:2]
            )
        }
    )
    found = {name: (a, b) for name, a, b in differences(report, other)}
    assert found["happy-one"] == ("FAIL", "PASS")
    assert ("SKIP", "absent") in found.values() or ("FAIL", "absent") in found.values()
    assert differences(report, report) == []


def test_a_stored_report_reads_back(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(report.model_dump_json(), "utf-8")
    assert Report.model_validate_json(path.read_text("utf-8")) == report
