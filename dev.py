#!/usr/bin/env python3
"""The one developer command: demo, serve, test, check, fix, bench, docs.

It needs Python 3.11 or newer and a package registry, nothing else. The first run makes ``.venv``
beside this file and installs into it; later runs start at once and need no network.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an old Python gets a sentence, not a traceback
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Cadenza needs Python 3.11 or newer; {sys.executable} is {version}. Use a newer one.")
    sys.exit(2)

import argparse
import hashlib
import json
import os
import subprocess
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

# `demo` and `serve` start sooner because they install only what they run.
INSTALL = {
    "runtime": ["--editable", ".[server]"],
    "dev": ["--editable", ".[server,keyring]", "--group", "dev"],
}
PROGRAMS = {
    "demo": ["examples/demo.py"],
    "serve": ["-m", "cadenza_cli", "server", "run"],
    "bench": ["-m", "benchmarks"],
    "screenshots": ["-m", "tests.browser.screenshots"],
    "test": ["-m", "tests.mutants"],  # with --mutants; `test` below does the rest
}
CHECKS = {
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "ruff check": ["-m", "ruff", "check", "."],
    "mypy": ["-m", "mypy"],
    "pyright": ["-m", "pyright"],
    "lint-imports": [str(VENV / "bin" / "lint-imports")],
    "mkdocs": ["-m", "mkdocs", "build", "--strict", "--quiet"],
}
# Words by which pip tells that nobody answered.
UNREACHABLE = ("connection", "timed out", "timeout", "name resolution", "unreachable", "proxy")


def main() -> int:
    """Parse the command line and run one command; the exit code is that command's."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, text in {
        "demo": "one take from the queue to the teacher and back, for real (--keep to look around)",
        "serve": "the server on its embedded defaults (options go to `cadenza server run`)",
        "test": "the tests with the coverage gates (other arguments go to pytest)",
        "check": "formatting, lint, types, import rules and the docs build",
        "fix": "format and apply what ruff can repair",
        "bench": "the benchmarks (--json PATH keeps the figures)",
        "screenshots": "photograph every page for the docs (needs chromium; --only inbox takes)",
        "docs": "build the docs into site/ (--serve shows them while you write)",
    }.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name == "test":
            command.add_argument("--server", action="store_true", help="the server's tests only")
            command.add_argument("--full", action="store_true", help="the long sweeps as well")
            command.add_argument("--mutants", action="store_true", help="break the code, look")
        if name == "docs":
            command.add_argument("--serve", action="store_true", help="serve and reload")
    options, rest = parser.parse_known_args()
    if rest and options.command in ("check", "fix", "docs"):
        parser.error(f"unknown arguments: {' '.join(rest)}")
    install("runtime" if options.command in ("demo", "serve") else "dev")
    if options.command == "test" and not options.mutants:
        return test(rest, options.server, options.full)
    if options.command == "check":
        return check()
    if options.command == "fix":
        return run("-m", "ruff", "check", "--fix", ".") | run("-m", "ruff", "format", ".")
    if options.command == "docs":
        return run("-m", "mkdocs", "serve" if options.serve else "build", "--strict")
    return run(*PROGRAMS[options.command], *rest)


def install(kind: str) -> None:
    """Bring ``.venv`` up to date with ``pyproject.toml``; do nothing when it already is."""
    # Only these tables decide what is installed: a new lint rule asks for no new environment.
    tables = [pyproject().get(name) for name in ("build-system", "project", "dependency-groups")]
    wanted = hashlib.sha256(json.dumps([tables, INSTALL]).encode()).hexdigest()
    stamps = {name: VENV / f".{name}-installed" for name in INSTALL}
    enough = [stamps["dev"]] if kind == "dev" else list(stamps.values())
    if PYTHON.exists() and any(s.exists() and s.read_text() == wanted for s in enough):
        return
    print("Installing into .venv (once; the next run needs no network) ...", flush=True)
    started = time.monotonic()
    if not PYTHON.exists() or capture([str(PYTHON), "-c", "import pip"]).returncode:
        step([sys.executable, "-m", "venv", "--clear", str(VENV)], "make a virtual environment")
    # `--group` came with pip 25.1; what `python -m venv` brings is often older.
    step([str(PYTHON), "-m", "pip", "install", "--upgrade", "pip>=25.1"], "upgrade pip")
    step([str(PYTHON), "-m", "pip", "install", *INSTALL[kind]], "install the packages")
    for name in {kind, "runtime"}:
        stamps[name].write_text(wanted)
    print(f"Installed in {time.monotonic() - started:.0f} s.\n", flush=True)


def step(command: list[str], purpose: str) -> None:
    """Run one step of the installation quietly; on failure say what failed, and stop."""
    done = capture(command)
    if done.returncode == 0:
        return
    print(f"Could not {purpose}:", *done.stdout.splitlines()[-8:], sep="\n  ")
    if "ensurepip" in done.stdout:
        print("This Python comes without venv. On Debian: apt-get install python3-venv")
    elif any(word in done.stdout.lower() for word in UNREACHABLE):
        print("The package registry could not be reached. The first run needs it, later ones do")
        print(f"not. Look at the network, or at pip's settings: {PYTHON} -m pip config list")
    VENV.mkdir(exist_ok=True)
    VENV.joinpath("install.log").write_text(done.stdout, "utf-8")
    print(f"The whole output is in {VENV / 'install.log'}")
    sys.exit(1)


def environment() -> dict[str, str]:
    """Every tool sees ``.venv`` first on the path and looks up no newer version of itself."""
    return {
        **os.environ,
        "PATH": str(VENV / "bin") + os.pathsep + os.environ.get("PATH", ""),
        "VIRTUAL_ENV": str(VENV),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        "PYRIGHT_PYTHON_GLOBAL_NODE": "0",
        "NO_MKDOCS_2_WARNING": "1",
    }


def run(*arguments: str) -> int:
    """Run Python inside ``.venv`` at the project's root, its output on this terminal."""
    return subprocess.run([str(PYTHON), *arguments], cwd=ROOT, env=environment()).returncode


def capture(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command at the project's root and keep what it prints."""
    return subprocess.run(
        command, cwd=ROOT, env=environment(), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True
    )


def pyproject() -> dict[str, Any]:
    """What ``pyproject.toml`` says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test(rest: list[str], server_only: bool, full: bool) -> int:
    """Run pytest; a whole run must also pass both coverage gates (95 %, pure modules 100 %)."""
    arguments = ["-m", "pytest", *(["--full", "-ofaulthandler_timeout=0"] if full else []), *rest]
    if server_only or rest:
        return run(*arguments, *(["tests/server"] if server_only else []))
    code = run(*arguments, "--numprocesses=auto", "--cov", "--cov-report=term")
    if code:
        return code
    pure = pyproject()["tool"]["cadenza"]["pure_modules"]
    missing = [path for path in pure if not (ROOT / path).is_file()]
    if missing:
        sys.exit("pure_modules in pyproject.toml names files that are gone: " + ", ".join(missing))
    print("\nThe modules that only describe and decide must be covered whole:")
    return run("-m", "coverage", "report", "--fail-under=100", "--include=" + ",".join(pure))


def check() -> int:
    """Run every checker, two at a time, and show the output of those that fail."""

    def timed(arguments: list[str]) -> tuple[int, str, float]:
        started = time.monotonic()
        done = capture([str(PYTHON), *arguments])
        return done.returncode, done.stdout, time.monotonic() - started

    failures = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {name: pool.submit(timed, arguments) for name, arguments in CHECKS.items()}
        for name, future in running.items():
            code, output, seconds = future.result()
            print(f"{'FAIL' if code else 'ok':4} {name:13} {seconds:6.1f} s", flush=True)
            failures.update({name: output} if code else {})
    for name, output in failures.items():
        print(f"\n── {name} ──\n{output.rstrip()}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
