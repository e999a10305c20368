"""`cadenza --help` is what a person meets first: it must not load what it does not use."""

import subprocess
import sys

import pytest

from tests.cli.conftest import Cadenza

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
        "from cadenza_cli.main import main\n"
        f"sys.argv = {['cadenza', *words]!r}\n"
        "try:\n"
        "    main()\n"
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
        "from cadenza_cli.main import main\n"
        f"sys.argv = ['cadenza', 'queue', 'ls', '--home', {str(tmp_path)!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stopped:\n"
        "    assert not stopped.code, stopped.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stderr.split()) & {"av", "PIL", "httpx", "rich"} == set()


@pytest.mark.parametrize(
    ("words", "imported"),
    [
        (["queue", "ls", "--help"], {"rescue"}),
        (["--home", "upload", "queue", "ls", "--help"], {"rescue", "upload"}),
        (["mark", "--help"], {"marking"}),
        (["--help"], {"rescue", "upload", "marking", "webhook", "conformance"}),
        (["--help", "queue"], {"rescue", "upload", "marking", "webhook", "conformance"}),
    ],
)
def test_a_command_nobody_named_is_not_imported(words: list[str], imported: set[str]) -> None:
    every = {"rescue", "upload", "marking", "webhook", "conformance"}
    assert {name for name in every if f"cadenza_cli.{name}" in _modules_after(*words)} == imported


def _main(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cadenza_cli", *words], capture_output=True, text=True, timeout=60
    )


def test_the_help_of_a_process_is_that_of_the_whole_app(cadenza: Cadenza) -> None:
    """Groups nobody named are not built; nothing that is shown may miss them."""
    plain = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in plain.items():
            patch.setenv(name, value)
        assert _main("--help").stdout.split() == cadenza("--help").stdout.split()
        for name in (
            "queue",
            "daemon",
            "submissions",
            "pieces",
            "teacher",
            "server",
            "conformance",
            "webhook",
            "reply",
        ):
            shown = _main(name, "--help")
            assert shown.stdout.split() == cadenza(name, "--help").stdout.split(), name


def test_a_group_is_found_behind_options_of_the_root(cadenza: Cadenza) -> None:
    home = cadenza.env["CADENZA_HOME"]
    assert _main("--quiet", "--home", home, "queue", "ls").returncode == 0
    assert _main("server", "user", "--help").returncode == 0


def test_a_group_that_is_misspelt_is_a_usage_error() -> None:
    done = _main("queu", "ls")
    assert done.returncode == 2
    assert "queue" in done.stderr
