"""The specification's pages are what the data says, and the stranger's path is walked."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "docs" / "spec"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_spec", ROOT / "docs" / "_spec.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_what_the_data_says() -> None:
    """`python docs/_spec.py` writes them."""
    for name, text in _generator().pages().items():
        assert (SPEC / name).read_text("utf-8") == text, name


def test_the_stranger_can_follow_the_page(tmp_path: Path) -> None:
    """Every command of the page, in a clean folder, with the adapter that stands on it."""
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    page = (SPEC / "for-other-clients.md").read_text("utf-8")
    adapter = re.search(r"```js\n(.*?)```", page, re.DOTALL)
    assert adapter is not None
    (tmp_path / "adapter.mjs").write_text(adapter[1], "utf-8")
    assert len(adapter[1].splitlines()) <= 100
    seen = []
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ cadenza "):
                words = shlex.split(line[2:])[1:]
                seen.append((words, _cadenza(words, tmp_path)))
    by_name = {" ".join(words): done for words, done in seen}
    assert len(by_name) == 4
    one = next(done for words, done in seen if words[-2:] == ["node", "adapter.mjs"])
    assert one.returncode == 0
    assert "PASS          must/happy-one" in one.stdout
    several = [done for words, done in seen if words[-2:] == ["node", "adapter.mjs"]][1]
    for name in ("create-response-lost", "url-expired-once", "restart-drains-queue"):
        assert f"PASS          must/{name}" in several.stdout
    shown = re.search(r"```text\n(FAIL.*?)\n(.*?)\n```", page, re.DOTALL)
    assert shown is not None
    assert shown[1] in several.stdout
    assert shown[2] in several.stdout
    assert "FILE-1 (MUST NOT)" in by_name["conformance explain FILE-1"].stdout


def _cadenza(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'cli'}", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "cadenza_cli", *words],
        cwd=folder, env=env, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
