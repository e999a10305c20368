"""The audit of dependencies fails on a finding, and says so when it could not ask (SEC-28)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"name": "httpx", "version": "0.28.1", "vulns": []}
BAD = {
    "name": "oldlib",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": []}],
}
UNKNOWN = {"name": "ours", "skip_reason": "not found on PyPI"}


def _audit(folder: Path, packages: list[Any] | None, error: str = "") -> tuple[int, str]:
    answer = json.dumps({"dependencies": packages, "fixes": []}) if packages is not None else ""
    program = folder / "pip-audit"
    code = 1 if error or any(package.get("vulns") for package in packages or []) else 0
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint({answer!r})\n"
        f"print({error!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    program.chmod(0o700)
    ran = subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit"],
        env={**os.environ, "CADENZA_PIP_AUDIT": str(program)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return ran.returncode, ran.stdout


def test_a_known_vulnerability_fails_and_is_named(tmp_path: Path) -> None:
    status, said = _audit(tmp_path, [CLEAN, BAD, UNKNOWN])

    assert status == 1
    assert "oldlib 1.0: PYSEC-2026-1, fixed in 1.1" in said


def test_nothing_found_is_good_news_with_a_number(tmp_path: Path) -> None:
    assert _audit(tmp_path, [CLEAN, UNKNOWN]) == (
        0,
        "1 of 2 packages audited, no known vulnerability.\n",
    )


@pytest.mark.parametrize(
    ("packages", "error"),
    [([UNKNOWN], ""), (None, "requests.exceptions.ConnectionError: Failed to resolve")],
)
def test_an_audit_that_could_not_ask_never_looks_like_a_clean_one(
    tmp_path: Path, packages: list[Any] | None, error: str
) -> None:
    status, said = _audit(tmp_path, packages, error)

    assert status == 0
    assert said.startswith("NOT AUDITED")


def test_a_broken_audit_fails(tmp_path: Path) -> None:
    status, said = _audit(tmp_path, None, "Traceback: TypeError")

    assert status == 1
    assert "pip-audit failed" in said


def test_ci_runs_the_audit() -> None:
    assert ".ci/audit" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "pip-audit" in (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
