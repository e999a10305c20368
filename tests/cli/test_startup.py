"""`cadenza --help` is what a person meets first: it must not load what it does not use."""

import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "av",
    "cadenza_client",
    "cadenza_conformance",
    "cadenza_server",
    "cadenza_uploader",
    "httpx",
    "PIL",
    "pydantic",
    "rich",
    "sqlite_utils",
}


def _modules_after(*words: str) -> set[str]:
    program = (
        "import sys\n"
        "from cadenza_cli.main import app\n"
        "try:\n"
        f"    app({list(words)!r}, prog_name='cadenza')\n"
        "except SystemExit as stopped:\n"
        "    assert not stopped.code, stopped.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Usage: cadenza" in done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("upload", "--help"), ("queue", "ls", "--help")])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    # typer itself reads the default of a path with pydantic once a command's own options are read.
    heavy = HEAVY - ({"pydantic"} if words != ("--help",) else set())
    assert _modules_after(*words) & heavy == set()


def test_the_probe_would_see_a_heavy_import() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, pydantic; print('pydantic' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert seen.stdout.strip() == "True"


def test_listing_the_queue_opens_no_codec_and_no_network_library(tmp_path: object) -> None:
    program = (
        "import sys\n"
        "from cadenza_cli.main import app\n"
        "try:\n"
        f"    app(['queue', 'ls', '--home', {str(tmp_path)!r}], prog_name='cadenza')\n"
        "except SystemExit as stopped:\n"
        "    assert not stopped.code, stopped.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stderr.split()) & {"av", "PIL", "httpx", "rich"} == set()
