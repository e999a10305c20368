"""`cadenza daemon install | uninstall`: the daemon as a service of the user's own session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli._command import command
from cadenza_cli._errors import CommandError
from cadenza_cli._run import Run
from cadenza_cli.daemon import app

if TYPE_CHECKING:
    from cadenza_uploader import Service

__all__ = ["app"]


@command(
    app,
    "install",
    examples=["cadenza daemon install", "cadenza daemon install --print"],
    more="""
    It runs as you, without root: a systemd user unit on Linux, a launch agent on macOS. It is
    started again after a crash and at each sign-in, and holds no secret.
    """,
)
def install(
    run: Run,
    show: Annotated[
        bool, typer.Option("--print", help="Only show the file; change nothing.")
    ] = False,
) -> None:
    """Run the daemon as a service, from now on."""
    unit = _describe(run)
    document = {
        "manager": unit.manager,
        "file": str(unit.path),
        "text": unit.text,
        "logs": unit.logs,
        "installed": not show,
    }
    if show:
        run.out.answer(document, ids=[str(unit.path)], human=lambda: run.out.line(unit.text))
        return
    unit.path.parent.mkdir(parents=True, exist_ok=True)
    unit.path.write_text(unit.text, "utf-8")
    for words in unit.enable:
        if run.world.run_program(words) != 0:
            raise CommandError(
                f"{unit.path} is written, but `{' '.join(words)}` failed.",
                code="service_failed",
                next_step="Run it yourself to see why; `cadenza daemon run` works without it.",
            )

    def human() -> None:
        run.out.line(f"The daemon runs as a service ({unit.path}).")
        run.out.line(f"Its log: {unit.logs}")

    run.out.answer(document, ids=[str(unit.path)], human=human)


@command(app, "uninstall", examples=["cadenza daemon uninstall"])
def uninstall(run: Run) -> None:
    """Stop the service and remove it; queued takes stay."""
    unit = _describe(run)
    was_there = unit.path.exists()
    if was_there:
        for words in unit.disable:
            # Already stopped, or no manager running: the file goes all the same.
            run.world.run_program(words)
        unit.path.unlink()
    run.out.answer(
        {"file": str(unit.path), "removed": was_there},
        human=lambda: run.out.line("Removed." if was_there else "No service is installed."),
    )


def _describe(run: Run) -> Service:
    from pathlib import Path

    from cadenza_uploader import manager_of, service

    manager = manager_of(run.world.platform)
    if manager is None:
        raise CommandError(
            f"No service manager is known for {run.world.platform}.",
            code="no_service_manager",
            next_step="Start `cadenza daemon run` with the means of your system.",
        )
    return service(
        manager,
        # This very Python, so that the service finds the same installation.
        command=[sys.executable, "-m", "cadenza_cli", "daemon", "run"],
        home=Path(run.world.env.get("HOME") or Path.home()),
        queue_home=run.home.path.absolute(),
        url=run.settings.url,
    )
