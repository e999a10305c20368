"""Options that several commands share, named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DebugOption",
    "DeleteSourceOption",
    "ExerciseOption",
    "FitOption",
    "HomeOption",
    "JsonOption",
    "LimitOption",
    "MeasureEndOption",
    "MeasureOption",
    "NoDaemonOption",
    "NotesOption",
    "PageOption",
    "PieceOption",
    "QuietOption",
    "SessionOption",
    "TakeArgument",
    "TakesArgument",
    "TimeoutOption",
    "UrlOption",
    "WaitOption",
    "YesOption",
]


def _complete_take(incomplete: str) -> list[tuple[str, str]]:
    from cadenza_cli._completion import take_ids

    return take_ids(incomplete)


def _complete_piece(incomplete: str) -> list[tuple[str, str]]:
    from cadenza_cli._completion import pieces

    return pieces(incomplete)


# On every command, before or after its name (see `_command.py`).
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="Server address (CADENZA_URL).")
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Directory of the queue (CADENZA_HOME)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks and a debug log.")]

# What a take is about.
PieceOption = Annotated[
    str | None,
    typer.Option(
        "--piece",
        metavar="PIECE",
        help="The piece it belongs to: its id, or a part of its title.",
        autocompletion=_complete_piece,
    ),
]
ExerciseOption = Annotated[
    str | None, typer.Option("--exercise", metavar="ID", help="The exercise it belongs to.")
]
SessionOption = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="The practice session.")
]
NotesOption = Annotated[
    str | None, typer.Option("--notes", help="A word for the teacher, up to 2000 characters.")
]
PageOption = Annotated[int | None, typer.Option("--page", min=1, help="Page of the score.")]
MeasureOption = Annotated[
    int | None, typer.Option("--measure", min=1, help="Bar where the passage begins.")
]
MeasureEndOption = Annotated[
    int | None, typer.Option("--measure-end", min=1, help="Bar where it ends.")
]

# What happens to it.
FitOption = Annotated[
    bool, typer.Option("--fit", help="Queue a 720p copy if it is too large; never cuts.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Return only when it is uploaded or needs you.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0, help="With --wait: stop watching then."),
]
NoDaemonOption = Annotated[
    bool, typer.Option("--no-daemon", help="Queue only; neither send now nor wake the daemon.")
]
DeleteSourceOption = Annotated[
    bool,
    typer.Option("--delete-source", help="Delete your file once the server has confirmed it."),
]

TakeArgument = Annotated[
    str,
    typer.Argument(
        metavar="TAKE", help="Take id, or its beginning.", autocompletion=_complete_take
    ),
]
TakesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="TAKE...", help="Take ids, or their beginnings.", autocompletion=_complete_take
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
