"""`cadenza teacher …`: who sees a student's takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cadenza_cli import _words
from cadenza_cli._command import command, group
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_client.models import User

app = group(summary="The teacher who sees your takes.")


@command(app, "show", examples=["cadenza teacher show"])
def show(run: Run) -> None:
    """Show your teacher."""
    with run.client() as client:
        teacher = client.users.my_teacher()
    _answer(run, teacher, nobody="No teacher yet: `cadenza teacher set tessa@example.org`.")


@command(app, "set", examples=["cadenza teacher set tessa@example.org"])
def set_teacher(
    run: Run, email: Annotated[str, typer.Argument(metavar="EMAIL", help="The teacher's.")]
) -> None:
    """Name your teacher, who then sees your takes."""
    with run.client() as client:
        teacher = client.users.set_teacher(email)
    _answer(run, teacher, nobody="")


@command(app, "remove", examples=["cadenza teacher remove"])
def remove(run: Run) -> None:
    """Have no teacher; nobody but you sees your takes."""
    with run.client() as client:
        client.users.remove_teacher()
    _answer(run, None, nobody="You have no teacher now.")


def _answer(run: Run, teacher: User | None, *, nobody: str) -> None:
    from cadenza_cli._submissions import user_document

    document: dict[str, Any] = {"teacher": user_document(teacher) if teacher else None}

    def human() -> None:
        if teacher is None:
            run.out.line(nobody)
        else:
            run.out.line(_words.clean(f"{teacher.full_name or teacher.email} <{teacher.email}>"))

    run.out.answer(document, ids=[teacher.email] if teacher else [], human=human)
