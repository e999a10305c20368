"""Every command and every piece of Python on the pages is one that exists and works."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cadenza_cli.main import every_command

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:cadenza|python dev\.py) [^`]+)`")
# Other programs a page may tell the reader to run; nothing of theirs is checked.
_OTHERS = {
    "cd", "cp", "curl", "export", "git", "install", "pg_dump", "pg_restore", "pip", "pipx",
    "podman", "python3", "rclone", "rsync", "sleep", "source", "sqlite3", "systemctl", "useradd",
    "/opt/cadenza/bin/pip", ".ci/run",
}  # fmt: skip


def _blocks(page: Path, *languages: str) -> list[str]:
    found = _FENCED.findall(page.read_text("utf-8"))
    return [text for language, text in found if language in languages]


def _shell_lines(page: Path) -> Iterator[str]:
    for block in _blocks(page, "console"):
        joined = block.replace("\\\n", " ")
        yield from (line[2:] for line in joined.splitlines() if line.startswith("$ "))
    for block in _blocks(page, "sh", "bash", "shell"):
        joined = block.replace("\\\n", " ")
        yield from (line for line in joined.splitlines() if line.strip() and line[0] != "#")
    yield from _INLINE.findall(_FENCED.sub("", page.read_text("utf-8")))


def _commands() -> list[tuple[str, str]]:
    """(page, one simple command): lines are split at pipes and the like, assignments dropped."""
    found = dict.fromkeys(
        (page.name, part.strip())
        for page in PAGES
        for line in _shell_lines(page)
        for part in re.split(r"\s(?:\||&&|;|&|<|>|2>)(?:\s|$)", line)[:1] or [line]
    )
    return [(page, re.sub(r"^(?:[A-Z_]+=\S+\s+)+", "", command)) for page, command in found]


def _check_cadenza(words: list[str]) -> None:
    command: Any = typer.main.get_command(every_command())
    path, positional = ["cadenza"], 0
    tokens = iter(words)
    for word in tokens:
        if word in ("…", "...", "--help", "--"):  # what follows is not ours to check
            return
        if word.startswith("-") and word != "-":
            name, _, attached = word.partition("=")
            known = {
                one: param
                for param in command.params
                for one in (*param.opts, *param.secondary_opts)
                if param.param_type_name == "option"
            }
            assert name in known, f"{' '.join(path)} has no option {name}"
            param = known[name]
            if not (param.is_flag or getattr(param, "count", False) or attached):
                assert next(tokens, None) is not None, f"{name} needs a value"
        elif hasattr(command, "commands"):
            assert word in command.commands, f"{' '.join(path)} has no command {word}"
            command = command.commands[word]
            path.append(word)
        else:
            positional += 1
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    if all(param.nargs == 1 for param in arguments):
        assert positional <= len(arguments), f"{' '.join(path)} takes no more arguments"


def _check_dev(words: list[str]) -> None:
    if not words or words[0] in ("…", "..."):
        return
    command, options = words[0], [word for word in words[1:] if word.startswith("--")]
    if command == "serve":
        _check_cadenza(["server", "run", *words[1:]])
        return
    helps = {
        "demo": [sys.executable, str(ROOT / "examples" / "demo.py"), "--help"],
        "bench": [sys.executable, "-m", "benchmarks", "--help"],
    }
    shown = subprocess.run(
        helps.get(command, [sys.executable, str(ROOT / "dev.py"), command, "--help"]),
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert [option for option in options if option not in shown.stdout] == []


@pytest.mark.parametrize(("page", "command"), _commands())
def test_the_command_on_the_page_exists(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    if words[0] == "cadenza":
        _check_cadenza(words[1:])
    elif words[:2] in (["python", "dev.py"], ["python3", "dev.py"]):
        _check_dev(words[2:])
    else:
        assert words[0] in _OTHERS, f"{page} tells the reader to run {words[0]}"


def test_there_are_commands_to_check() -> None:
    assert len([command for _, command in _commands() if command.startswith("cadenza ")]) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_on_the_page_compiles(page: Path) -> None:
    for number, block in enumerate(_blocks(page, "python"), start=1):
        compile(block, f"{page.name} block {number}", "exec", dont_inherit=True)
