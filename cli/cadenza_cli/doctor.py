"""`cadenza doctor`: what is wrong on this device, each with the command that fixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cadenza_cli import _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._errors import ExitCode
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_cli._output import Paint

_MARKS: dict[str, tuple[str, Paint]] = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "problem": ("PROBLEM", "red"),
}


@command(app, "doctor", examples=["cadenza doctor", "cadenza doctor --json"])
def doctor(run: Run) -> None:
    """Check disk, queue, codecs, clock, server and sign-in."""
    from cadenza_uploader import examine

    findings = examine(run.settings, client_factory=run.connect)
    problems = [finding for finding in findings if finding.level == "problem"]

    def human() -> None:
        for finding in findings:
            word, colour = _MARKS[finding.level]
            mark = run.out.paint(f"{word:<8}", colour)
            run.out.line(f"{mark}  {finding.name}: {_words.clean(finding.sentence)}")
            if finding.fix and finding.level != "ok":
                run.out.line(f"{'':8}  → {finding.fix}")
        run.out.line()
        run.out.line(
            f"{_words.plural(len(problems), 'problem')} found." if problems else "All is well."
        )

    run.out.answer(
        {
            "ok": not problems,
            "findings": [
                {
                    "name": finding.name,
                    "level": finding.level,
                    "sentence": finding.sentence,
                    "fix": finding.fix,
                }
                for finding in findings
            ],
        },
        ids=[finding.name for finding in problems],
        human=human,
    )
    if problems:
        raise typer.Exit(ExitCode.FAILURE)
