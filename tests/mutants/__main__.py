"""Break the code, one small way at a time, and see whether the suite notices.

Run it with `python dev.py test --mutants`. Each breakage is made in a copy of the project; the
tests that should notice run against the copy, and stop at the first that fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "cadenza_client", "cadenza_uploader", "cadenza_server", "cadenza_conformance", "cli", "tests",
    "pyproject.toml", "examples", "docs",
)  # fmt: skip
TIMEOUT_SECONDS = 600.0


def main() -> int:
    """Print one line for each breakage; 0 when every one was noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", help="breakages whose name contains this")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    options = parser.parse_args()
    chosen = [b for b in BREAKAGES if not options.only or options.only in b.name]
    if not control(chosen):
        return 2
    with ThreadPoolExecutor(options.jobs) as pool:
        survivors = [name for name, killed in pool.map(attempt, chosen) if not killed]
    print(f"\n{len(chosen) - len(survivors)} of {len(chosen)} breakages were noticed.")
    for name in survivors:
        print(f"  not noticed: {name}")
    return 1 if survivors else 0


def control(chosen: list[Breakage]) -> bool:
    """Whether the suites pass unbroken; a suite that is red already notices nothing."""
    suites = tuple(sorted({suite for breakage in chosen for suite in breakage.suites}))
    unbroken = Breakage("nothing broken (control)", "pyproject.toml", "", "", suites)
    with tempfile.TemporaryDirectory(prefix="cadenza-mutant-") as name:
        copy = Path(name)
        copy_project(copy)
        by = first_failure(unbroken, copy)
    print(f"{unbroken.name:<48}         {'red: ' + by if by else 'green'}", flush=True)
    return by is None


def copy_project(copy: Path) -> None:
    """The parts of the project that the tests need."""
    for entry in COPIED:
        source = ROOT / entry
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".venv", ".cache")
            shutil.copytree(source, copy / entry, ignore=ignored)
        else:
            shutil.copy(source, copy / entry)


def attempt(breakage: Breakage) -> tuple[str, bool]:
    """Make one breakage in a copy and run its suites there."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cadenza-mutant-") as name:
        copy = Path(name)
        copy_project(copy)
        break_it(breakage, copy)
        by = first_failure(breakage, copy)
    seconds = time.monotonic() - began
    verdict = f"noticed by {by}" if by else "NOT NOTICED"
    print(f"{breakage.name:<48} {seconds:5.0f} s  {verdict}", flush=True)
    return breakage.name, by is not None


def break_it(breakage: Breakage, copy: Path) -> None:
    """Make the replacement.

    Raises:
        SystemExit: the code no longer contains what is to be broken; the list must follow it.
    """
    file = copy / breakage.file
    text = file.read_text("utf-8")
    if text.count(breakage.old) != 1:
        found = text.count(breakage.old)
        raise SystemExit(f"{breakage.name}: {breakage.file} has its text {found} times, not once")
    file.write_text(text.replace(breakage.old, breakage.new), "utf-8")


def first_failure(breakage: Breakage, copy: Path) -> str | None:
    """The first test that fails; None when all pass."""
    suites = [suite for suite in breakage.suites if (copy / suite).exists()]
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("CADENZA_", "COV_"))}
    environ["PYTHONPATH"] = f"{copy}{os.pathsep}{copy / 'cli'}"
    environ["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider",
         "-p", "no:randomly", "--no-cov", *suites],
        cwd=copy, env=environ, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            path, _, test = line.split(" ", 1)[1].partition(" - ")[0].partition("::")
            return f"{Path(path).name}::{test}"
    return f"exit {done.returncode}: {(done.stdout or done.stderr).strip().splitlines()[-1][:80]}"


if __name__ == "__main__":
    sys.exit(main())
