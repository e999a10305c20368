"""Asking a person, on standard error, so that the answer on standard output stays clean.

Where nobody sits at the terminal nothing is asked: the option that answers is named instead.
"""

from __future__ import annotations

import sys

import typer

from cadenza_cli._errors import CommandError, ExitCode

__all__ = ["ask_email", "ask_password", "confirm", "secret_from_stdin"]


def ask_email() -> str:
    """Whose account."""
    _require_person("Give --email.")
    answer: str = typer.prompt("E-mail", err=True)
    return answer


def ask_password(*, confirm: bool = False) -> str:
    """A password, not shown; typed twice with `confirm`."""
    _require_person("Give --password-stdin.")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def confirm(question: str) -> None:
    """Go on only after a yes.

    Raises:
        typer.Abort: the answer was no.
        CommandError: nobody is here to answer (exit 2).
    """
    _require_person("Add --yes.")
    typer.confirm(question, abort=True, err=True)


def secret_from_stdin() -> str:
    """The first line of standard input.

    Raises:
        CommandError: it is empty (exit 2).
    """
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise CommandError(
            "Standard input is empty; a secret was expected there.",
            code="empty_secret",
            exit_code=ExitCode.USAGE,
            next_step="Pipe it in: `cadenza login … --password-stdin < password.txt`.",
        )
    return secret


def _require_person(next_step: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError(
            "This needs an answer, and nobody is at the terminal.",
            code="nobody_to_ask",
            exit_code=ExitCode.USAGE,
            next_step=next_step,
        )
