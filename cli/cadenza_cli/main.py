"""The command's table of contents: which file holds which command.

Importing this registers every command and imports nothing but typer and small modules; the
client, the uploader and the server are imported by the command that needs them.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cadenza_cli import (
    _options,
    auth,
    conformance,
    doctor,
    explain,
    marking,
    news,
    pieces,
    record,
    rescue,
    review,
    server,
    service,
    submissions,
    teacher,
    thread,
    upload,
    watch,
    webhook,
)
from cadenza_cli._app import app
from cadenza_cli._command import remember_common

__all__ = ["app", "main"]

# Commands hang themselves onto the app when their module is imported; groups are hung here.
_COMMANDS = {
    upload: ("upload",),
    record: ("record",),
    watch: ("watch",),
    explain: ("explain",),
    auth: ("login", "logout", "whoami"),
    review: ("inbox", "students", "review"),
    thread: ("reply", "messages"),
    marking: ("mark", "markers"),
    news: ("notifications", "events"),
    doctor: ("doctor",),
}
_GROUPS = {
    "queue": rescue.app,
    "daemon": service.app,
    "submissions": submissions.app,
    "pieces": pieces.app,
    "teacher": teacher.app,
    "webhook": webhook.app,
    "server": server.app,
    "conformance": conformance.app,
}
# The help shows them in this order rather than that of the imports.
_ORDER = [name for names in _COMMANDS.values() for name in names]
app.registered_commands.sort(key=lambda registered: _ORDER.index(registered.name or ""))
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name)


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


def _nothing() -> None:
    """Stands for a command that is not run this time."""


def main() -> None:
    """Run the command with the process's arguments and exit."""
    # Building every option of every command took a fifth of `cadenza --help`. What no word names
    # cannot be run; only its own name and summary are shown. Completion needs them all.
    if "_CADENZA_COMPLETE" not in os.environ:
        for named in app.registered_commands:
            if named.name not in sys.argv:
                named.callback = _nothing
        for registered in app.registered_groups:
            instance = registered.typer_instance
            if instance is not None and registered.name not in sys.argv:
                registered.typer_instance = typer.Typer(help=instance.info.help)
    app(prog_name="cadenza")
