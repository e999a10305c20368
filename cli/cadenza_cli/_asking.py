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
    return _ask("E-mail: ")


def ask_password(*, twice: bool = False) -> str:
    """A password, not shown; typed twice for a new one.

    Raises:
        CommandError: the two are not the same (exit 2).
    """
    from getpass import getpass

    _require_person("Give --password-stdin.")
    password = getpass("Password: ", sys.stderr)
    if twice and getpass("Once more: ", sys.stderr) != password:
        raise CommandError(
            "The two passwords are not the same.",
            code="passwords_differ",
            exit_code=ExitCode.USAGE,
            next_step="Run the command again.",
        )
    return password


def confirm(question: str) -> None:
    """Go on only after a yes.

    Raises:
        typer.Abort: the answer was no.
        CommandError: nobody is here to answer (exit 2).
    """
    _require_person("Add --yes.")
    if _ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
        raise typer.Abort


def _ask(question: str) -> str:
    # Not typer.prompt: with its question on standard error it still writes a space to standard
    # output, which would stand before the JSON document.
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise typer.Abort
    return line.strip()


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
