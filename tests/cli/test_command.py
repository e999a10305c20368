"""What every command has in common: options, errors, help."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from cadenza_cli import _command
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Common, Run, World
from cadenza_cli.main import every_command
from cadenza_client.errors import ConnectFailedError
from cadenza_uploader._queue import TakeQueue
from tests.cli.conftest import Cadenza
from tests.uploader.world import add_take


def _commands(group: Any = None, path: str = "cadenza") -> Iterator[tuple[str, Any]]:
    group = group or typer.main.get_command(every_command())
    yield path, group
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from _commands(one, f"{path} {name}")
        else:
            yield f"{path} {name}", one


ALL = dict(_commands())
LEAVES = {
    path: one
    for path, one in ALL.items()
    if not hasattr(one, "commands") and not path.startswith("cadenza conformance ")
}


def test_the_commands_are_those_of_the_contract() -> None:
    assert sorted(path.removeprefix("cadenza ") for path in LEAVES) == [
        "daemon install",
        "daemon run",
        "daemon status",
        "daemon stop",
        "daemon uninstall",
        "doctor",
        "events",
        "explain",
        "inbox",
        "login",
        "logout",
        "mark",
        "markers",
        "messages",
        "notifications",
        "pieces add",
        "pieces ls",
        "queue cancel",
        "queue gc",
        "queue ls",
        "queue pause",
        "queue rebuild",
        "queue reconcile",
        "queue resume",
        "queue retry",
        "queue salvage",
        "queue show",
        "record",
        "reply",
        "review",
        "server init",
        "server init-storage",
        "server reconcile",
        "server run",
        "server seed-demo",
        "server user add",
        "students",
        "submissions download",
        "submissions ls",
        "submissions open",
        "submissions show",
        "teacher remove",
        "teacher set",
        "teacher show",
        "upload",
        "watch",
        "webhook add",
        "webhook deliveries",
        "webhook listen",
        "webhook ls",
        "webhook replay",
        "webhook rm",
        "webhook test",
        "whoami",
    ]


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_teaches(path: str) -> None:
    one = LEAVES[path]
    first = (one.help or "").split("\n\n")[0]
    assert first.endswith(".")
    assert len(first) <= 62, f"the summary of {path} is cut in the list of commands"
    assert "Examples:" in (one.epilog or "")
    assert f"{path}" in (one.epilog or "")


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_takes_the_shared_options(path: str) -> None:
    names = {name for param in LEAVES[path].params for name in param.opts}
    assert {"--url", "--home", "--json", "--quiet", "-q", "--debug"} <= names


@pytest.mark.parametrize("path", [p for p in ALL if not hasattr(ALL[p], "commands")])
def test_every_option_says_what_it_does(path: str) -> None:
    silent = [param.name for param in ALL[path].params if not param.help]
    assert silent == []


@pytest.mark.parametrize("path", LEAVES)
def test_no_option_takes_a_secret(path: str) -> None:
    takers = [
        name
        for param in LEAVES[path].params
        for name in param.opts
        if any(word in name for word in ("password", "token", "secret"))
        and not (param.is_flag or name == "--secret-file")
    ]
    assert takers == []


@pytest.mark.parametrize("path", ALL)
def test_help_works_everywhere(path: str, cadenza: Cadenza) -> None:
    answer = cadenza(*path.split()[1:], "--help")
    assert answer.exit_code == 0
    assert answer.stdout.startswith(f"Usage: {path}")
    assert cadenza(*path.split()[1:], "-h").stdout == answer.stdout


def test_version(cadenza: Cadenza) -> None:
    from importlib.metadata import version

    assert cadenza("--version").stdout == f"cadenza {version('cadenza')}\n"


def test_without_a_command_the_help_is_shown(cadenza: Cadenza) -> None:
    answer = cadenza()
    assert answer.exit_code == 2
    assert "Usage: cadenza" in answer.stderr + answer.stdout


# ── shared options, before and after the command ───────────────────────────────────────────────

probe = _command.group(summary="A group for tests.")
seen: list[Run] = []


@_command.command(probe, "look")
def look(run: Run, word: str = "x") -> None:
    """Look at the run."""
    seen.append(run)


@_command.command(probe, "fail")
def fail(run: Run, how: str) -> None:
    """Fail in the given way."""
    raise {
        "known": ConnectFailedError("refused", kind="refused"),
        "own": CommandError("own", code="c", exit_code=ExitCode.LIMITS, next_step="go on"),
        "usage": typer.BadParameter("bad"),
        "exit": typer.Exit(9),
        "bug": KeyError("secret-in-a-bug"),
        "system": OSError(28, "No space left on device"),
    }[how]


@probe.callback()
def _common(context: typer.Context, json: bool = False, quiet: bool = False) -> None:
    _command.remember_common(
        context, {"url": "http://a", "home": None, "json": json, "quiet": quiet, "debug": False}
    )


def _invoke(*words: str, world: World | None = None) -> Any:
    return CliRunner().invoke(probe, list(words), obj=world)


def test_options_work_before_and_after_the_command() -> None:
    assert _invoke("--json", "look").exit_code == 0
    assert seen[-1].common == Common(url="http://a", json=True)
    _invoke("look", "--json", "--url", "http://b", "--word", "y")
    assert seen[-1].common == Common(url="http://b", json=True)
    modes = [seen[-1].out.mode]
    _invoke("--quiet", "look", "--debug")
    assert seen[-1].common == Common(url="http://a", quiet=True, debug=True)
    modes.append(seen[-1].out.mode)
    assert modes == ["json", "quiet"]


def test_without_a_world_the_real_one_is_used() -> None:
    import time

    _invoke("look")
    assert seen[-1].world.clock is time.time


@pytest.mark.parametrize(
    ("how", "exit_code", "words"),
    [
        ("known", 5, "refused"),
        ("own", 4, "own"),
        ("usage", 2, "bad"),
        ("exit", 9, ""),
        ("bug", 1, "because of a bug (KeyError)"),
        ("system", 1, "No space left on device."),
    ],
)
def test_errors_become_exit_codes_and_sentences(how: str, exit_code: int, words: str) -> None:
    result = _invoke("fail", how)
    assert result.exit_code == exit_code
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "secret-in-a-bug" not in result.stderr


def test_json_errors_are_the_document_on_standard_output() -> None:
    import json

    result = _invoke("fail", "own", "--json")
    assert json.loads(result.stdout) == {
        "error": {
            "code": "c",
            "sentence": "own",
            "next": "go on",
            "exit_code": 4,
            "request_id": None,
        }
    }
    assert result.stderr == ""
    assert json.loads(_invoke("fail", "bug", "--json").stdout)["error"]["code"] == "bug"


@pytest.mark.parametrize("how", ["known", "bug"])
def test_debug_shows_the_traceback(how: str) -> None:
    result = _invoke("fail", how, "--debug")
    assert isinstance(result.exception, (ConnectFailedError, KeyError))


# ── the log ────────────────────────────────────────────────────────────────────────────────────


def test_the_log_is_cadenzas_own_and_never_that_of_httpx(capsys: Any) -> None:
    _invoke("look", world=World(env={"CADENZA_LOG": "info"}))
    assert logging.getLogger("cadenza_client").isEnabledFor(logging.INFO)
    assert not logging.getLogger("cadenza_client").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore").isEnabledFor(logging.DEBUG)
    _invoke("look", "--debug")
    assert logging.getLogger("cadenza_client").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)


def test_a_log_level_that_is_none_is_a_usage_error() -> None:
    result = _invoke("look", world=World(env={"CADENZA_LOG": "loud"}))
    assert result.exit_code == 2
    assert "'loud'" in result.stderr


def test_a_setting_that_cannot_be_used_is_a_usage_error(cadenza: Cadenza) -> None:
    cadenza.env["CADENZA_MAX_SECONDS"] = "many"
    answer = cadenza("queue", "ls")
    assert answer.exit_code == 2
    assert "max_seconds" in answer.stderr


def test_a_reader_that_leaves_early_is_no_drama(cadenza: Cadenza, queue: TakeQueue) -> None:
    for seed in range(1, 4):
        add_take(queue, seed=seed)
    command = f"{sys.executable} -m cadenza_cli queue ls | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True, text=True, timeout=60, env={**os.environ, **cadenza.env},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")
