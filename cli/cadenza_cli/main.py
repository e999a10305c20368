"""The command's table of contents: which file holds which command.

Importing this imports nothing but typer and small modules; a command's module is imported when a
word on the command line names it, and what the command works with is imported by the command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from cadenza_cli import _options
from cadenza_cli._app import app
from cadenza_cli._command import remember_common

__all__ = ["every_command", "main"]

# Module → the commands that hang themselves onto the app when it is imported, in the help's order.
_COMMANDS = {
    "upload": ("upload",),
    "record": ("record",),
    "watch": ("watch",),
    "explain": ("explain",),
    "auth": ("login", "logout", "whoami"),
    "review": ("inbox", "students", "review"),
    "thread": ("reply", "messages"),
    "marking": ("mark", "markers"),
    "news": ("notifications", "events"),
    "doctor": ("doctor",),
}
# Group → the module that holds it as `app`.
_GROUPS = {
    "queue": "rescue",
    "daemon": "service",
    "submissions": "submissions",
    "pieces": "pieces",
    "teacher": "teacher",
    "webhook": "webhook",
    "server": "server",
    "conformance": "conformance",
}
_ORDER = [name for names in _COMMANDS.values() for name in names]
_NAMES = frozenset([*_ORDER, *_GROUPS])


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cadenza {version('cadenza')}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    url: _options.UrlOption = None,
    home: _options.HomeOption = None,
    json: _options.JsonOption = False,
    quiet: _options.QuietOption = False,
    debug: _options.DebugOption = False,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    remember_common(
        context, {"url": url, "home": home, "json": json, "quiet": quiet, "debug": debug}
    )


def every_command() -> typer.Typer:
    """The app with all of its commands, as the help, the docs and tests see it."""
    return _app_with(_NAMES)


def main() -> None:
    """Run the command with the process's arguments and exit."""
    words = sys.argv[1:]
    if "_CADENZA_COMPLETE" in os.environ:
        every_command()
    else:
        _app_with(_NAMES.intersection(words) if _is_about_one(words) else _NAMES)
        _build_only(words)
    app(prog_name="cadenza")


def _is_about_one(words: Sequence[str]) -> bool:
    """Whether a command is named, and the root is not asked for its help before."""
    first = next((at for at, word in enumerate(words) if word in _NAMES), None)
    return first is not None and not {"--help", "-h"}.intersection(words[:first])


def _app_with(names: frozenset[str]) -> typer.Typer:
    """The app with these commands and groups; a word too many costs an import and no more."""
    for module, commands in _COMMANDS.items():
        if not names.isdisjoint(commands):
            import_module(f"cadenza_cli.{module}")
    app.registered_commands.sort(key=lambda registered: _ORDER.index(registered.name or ""))
    hung = {group.name for group in app.registered_groups}
    for name, module in _GROUPS.items():
        if name in names and name not in hung:
            app.add_typer(import_module(f"cadenza_cli.{module}").app, name=name)
    return app


def _build_only(words: Sequence[str]) -> None:
    # Building every option of every command took a fifth of `cadenza --help`. What no word names
    # cannot be run; only its own name and summary are shown.
    for command in app.registered_commands:
        if command.name not in words:
            command.callback = _nothing
    for group in app.registered_groups:
        if group.name not in words and group.typer_instance is not None:
            group.typer_instance = typer.Typer(help=group.typer_instance.info.help)


def _nothing() -> None:
    """Stands for a command that is not run this time."""
