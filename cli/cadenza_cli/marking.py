"""`cadenza mark`, `markers`: pointing at moments of a video."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cadenza_cli import _options
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadenza_client import Marker

_LONGEST_TEXT = 1000

SubmissionArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Submission id, or its beginning.")
]


@command(
    app,
    "mark",
    examples=[
        'cadenza mark 6f0c1a2b 0:23 "You speed up."',
        'cadenza mark 6f0c1a2b 0:23 "Keep the bow moving." --end 0:27 --page 3 --measure 17',
        'cadenza mark 6f0c1a2b 1:02.5 "Which fingering?" --question',
    ],
    more="""
    A moment is m:ss, with a fraction if you like, or seconds. Teachers write feedback unless they
    say otherwise; students write questions.
    """,
)
def mark(
    run: Run,
    ref: SubmissionArgument,
    moment: Annotated[str, typer.Argument(metavar="MOMENT", help="When: 0:23, 1:02.5 or 23.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What, up to 1000 characters.")],
    end: Annotated[
        str | None, typer.Option("--end", metavar="MOMENT", help="Until when, for a range.")
    ] = None,
    question: Annotated[bool, typer.Option("--question", help="It is a question.")] = False,
    praise: Annotated[bool, typer.Option("--praise", help="It is praise.")] = False,
    page: _options.PageOption = None,
    measure: _options.MeasureOption = None,
    measure_end: _options.MeasureEndOption = None,
    message: Annotated[
        str | None,
        typer.Option("--message", metavar="MESSAGE", help="On the video of this message."),
    ] = None,
) -> None:
    """Say something at a moment of a take."""
    from cadenza_cli._moments import range_words
    from cadenza_cli._submissions import find_submission
    from cadenza_cli._thread import find_one, marker_document
    from cadenza_client import NewMarker

    if question and praise:
        raise typer.BadParameter("--question and --praise exclude each other.")
    text = text.strip()
    if not 1 <= len(text) <= _LONGEST_TEXT:
        message_ = f"{len(text)} characters; it takes 1 to {_LONGEST_TEXT}."
        raise typer.BadParameter(message_, param_hint="TEXT")
    begins = _milliseconds(moment, "MOMENT")
    ends = None if end is None else _milliseconds(end, "--end")
    if ends is not None and ends <= begins:
        raise typer.BadParameter("it must be after the beginning.", param_hint="--end")
    new = NewMarker(
        timestamp_ms=begins,
        end_ms=ends,
        text=text,
        marker_type="question" if question else "praise" if praise else None,
        page_number=page,
        measure_number=measure,
        measure_end=measure_end,
    )
    with run.client() as client:
        submission_id = find_submission(client, ref)
        if message is None:
            marker = client.markers.create(submission_id, new)
        else:
            thread = client.messages.list(submission_id)
            chosen = find_one(thread, message, "message", f"cadenza messages {submission_id[:8]}")
            marker = client.markers.create_on_message(chosen.id, new)
    run.out.answer(
        marker_document(marker),
        ids=[str(marker.id)],
        human=lambda: run.out.line(
            f"{marker.marker_type.capitalize()} at {range_words(begins, ends)} set: "
            f"{str(marker.id)[:8]}."
        ),
    )


def _milliseconds(text: str, hint: str) -> int:
    from cadenza_cli._moments import moment_ms

    found = moment_ms(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no moment; write 0:23 or 23.5.", param_hint=hint)
    return found


class Form(StrEnum):
    """What markers leave as."""

    VTT = "vtt"
    CSV = "csv"
    JSON = "json"


@command(
    app,
    "markers",
    examples=[
        "cadenza markers 6f0c1a2b",
        "cadenza markers 6f0c1a2b --tried 0b1a2c3d",
        "cadenza markers 6f0c1a2b --export vtt -o take.vtt",
    ],
    more="""
    A student says what was tried, a teacher what is settled; a marker is deleted by whoever wrote
    it. WebVTT shows as subtitles in any player.
    """,
)
def markers(
    run: Run,
    ref: SubmissionArgument,
    export: Annotated[
        Form | None, typer.Option("--export", help="Write them as subtitles, table or JSON.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to export to.")
    ] = None,
    tried: Annotated[
        list[str] | None, typer.Option("--tried", metavar="MARKER", help="It was tried.")
    ] = None,
    settle: Annotated[
        list[str] | None, typer.Option("--settle", metavar="MARKER", help="It is settled.")
    ] = None,
    reopen: Annotated[
        list[str] | None, typer.Option("--reopen", metavar="MARKER", help="It is open again.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", metavar="MARKER", help="Take your own back.")
    ] = None,
) -> None:
    """Show or export a take's markers, or say how far they are.

    Those on videos of its thread are shown as well.
    """
    from cadenza_cli._submissions import find_submission
    from cadenza_cli._thread import marker_document, marker_row

    with run.client() as client:
        submission_id = find_submission(client, ref)
        if export is not None:
            _export(run, client.markers.export(submission_id, export.value), submission_id, output)
            return
        found = client.markers.list(submission_id, include_messages=True)
        steps: tuple[tuple[Literal["tried", "settled", "open"], list[str] | None], ...] = (
            ("tried", tried),
            ("settled", settle),
            ("open", reopen),
        )
        # All are found before the first is changed: a wrong id changes nothing.
        chosen = [_chosen(found, refs, submission_id) for _, refs in steps]
        removed = _chosen(found, delete, submission_id)
        for (status, _), some in zip(steps, chosen, strict=True):
            for one in some:
                client.markers.set_status(one.id, status)
        for one in removed:
            client.markers.delete(one.id)
        if removed or any(chosen):
            found = client.markers.list(submission_id, include_messages=True)

    def human() -> None:
        if not found:
            run.out.line(f'No markers. `cadenza mark {submission_id[:8]} 0:23 "…"` sets the first.')
            return
        run.out.table(
            ["ID", "AT", "KIND", "WHERE", "STATUS", "BY", "TEXT"],
            [marker_row(marker) for marker in found],
        )

    run.out.answer(
        {"submission_id": submission_id, "markers": [marker_document(one) for one in found]},
        ids=[str(marker.id) for marker in found],
        human=human,
    )


def _chosen(found: Sequence[Marker], refs: list[str] | None, submission_id: str) -> list[Marker]:
    from cadenza_cli._thread import find_one

    listing = f"cadenza markers {submission_id[:8]}"
    return [find_one(found, ref, "marker", listing) for ref in refs or ()]


def _export(run: Run, text: str, submission_id: str, output: Path | None) -> None:
    if output is not None:
        output.write_text(text, "utf-8")
        run.out.answer(
            {"submission_id": submission_id, "file": str(output)},
            ids=[str(output)],
            human=lambda: run.out.line(str(output)),
        )
        return
    if run.out.mode == "json":
        run.out.answer({"submission_id": submission_id, "text": text})
    else:
        run.out.raw(text)
