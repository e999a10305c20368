"""`cadenza conformance …` as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cadenza_cli.main import every_command

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
#: A client that meets the driver and leaves: enough for commands that do not look at results.
MUTE = [
    sys.executable,
    "-c",
    "import json\nfor _ in iter(input, None):\n"
    " print(json.dumps({'ok': True, 'client': 'mute', 'capabilities': []}), flush=True)",
]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def cadenza(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(every_command(), ["conformance", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_scenarios_are_listed() -> None:
    assert "happy-one" in cadenza("list", "--suite", "must")
    listed: list[dict[str, Any]] = json.loads(cadenza("list", "--only", "URL-5", "--json"))
    assert all("URL-5" in scenario["requirements"] for scenario in listed)
    assert "may/" not in cadenza("list", "--suite", "must")


def test_a_clause_is_explained() -> None:
    told = cadenza("explain", "del-1")
    assert "DEL-1 (MUST NOT)" in told
    assert "url-expired-once" in told
    assert json.loads(cadenza("explain", "DEL-1", "--json"))["checked_by"]
    assert "no clause" in cadenza("explain", "XYZ-1", code=2)


def test_a_run_writes_every_kind_of_report(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("r.json", "r.xml", "r.html")}
    told = cadenza(
        "run", "--only", "happy-one",
        "--report", str(files["r.json"]), "--junit", str(files["r.xml"]),
        "--html", str(files["r.html"]), "--traces", str(tmp_path / "traces"),
        "--", sys.executable, "-m", "cadenza_conformance.adapters.python",
    )  # fmt: skip
    assert "PASS          must/happy-one" in told
    assert "1 passed, 0 failed" in told
    assert all(path.stat().st_size > 200 for path in files.values())
    trace = tmp_path / "traces" / "happy-one.trace.json"
    assert "PASS" in cadenza("verify", str(trace))
    assert "behave alike" in cadenza("diff", str(files["r.json"]), str(files["r.json"]))
    assert "is not a trace" in cadenza("verify", str(files["r.json"]), code=2)
    broken = json.loads(trace.read_text("utf-8"))
    broken["events"][1]["chunked"] = True
    trace.write_text(json.dumps(broken), "utf-8")
    assert "PUT-1" in cadenza("verify", str(trace), code=1)
    broken["scenario"] = "nonsense"
    trace.write_text(json.dumps(broken), "utf-8")
    assert "no scenario nonsense" in cadenza("verify", str(trace), code=2)


def test_a_failure_shows_clause_and_trace_and_differs(tmp_path: Path) -> None:
    report, other = tmp_path / "a.json", tmp_path / "b.json"
    told = cadenza(
        "run", "--only", "happy-one", "--report", str(report),
        "--", sys.executable, str(HERE / "mutants.py"), "adds-amz-headers", code=1,
    )  # fmt: skip
    assert "PUT-3: expected no header that was not signed" in told
    assert "put_video #1 A" in told
    document = json.loads(report.read_text("utf-8"))
    document["results"][0]["verdict"] = "PASS"
    other.write_text(json.dumps(document), "utf-8")
    page = tmp_path / "both.html"
    assert "happy-one" in cadenza("diff", str(report), str(other), "--html", str(page), code=1)
    assert page.exists()


def test_a_required_capability_that_is_missing_is_a_failure() -> None:
    told = cadenza("run", "--only", "happy-one", "--require", "tls", "--", *MUTE, code=1)
    assert "Required, but missing: tls" in told


def test_known_failures_come_from_a_file(tmp_path: Path) -> None:
    listed = tmp_path / "known.txt"
    listed.write_text("happy-one  # one day\n\n# nothing else\n", "utf-8")
    told = cadenza("run", "--only", "happy-one", "--known-failing", str(listed), "--", *MUTE)
    assert "SKIP" in told
    listed.write_text("nonsense\n", "utf-8")
    refused = cadenza(
        "run", "--only", "happy-one", "--known-failing", str(listed), "--", *MUTE, code=2
    )
    assert "nonsense" in refused


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "no client to judge"),
        (["run", "--transport", "http"], "--adapter-url"),
        (["run", "--transport", "http", "--adapter-url", "ftp://x"], "http://HOST"),
        (["run", "--only", "nonsense", "--", "true"], "no scenario is called nonsense"),
    ],
)
def test_what_cannot_be_run_is_told(words: list[str], says: str) -> None:
    assert says in cadenza(*words, code=2)


def test_the_server_serves_until_it_is_interrupted() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", "conformance", "serve", "--port", "0", "--quiet"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'cli'}"},
        stdout=subprocess.PIPE, text=True,
        # A shell's background job ignores SIGINT, and hands that on to every child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url) as answer:
            assert b"url-expired-once" in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert time.monotonic() - begin < 15


def test_a_port_that_is_taken_is_told() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "cannot be used" in cadenza("serve", "--port", port, code=1)
