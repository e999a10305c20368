"""`cadenza reply`, `messages`: the conversation about a take, at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._errors import CommandError
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient

_LONGEST_TEXT = 5000

ThreadArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Submission id, or its beginning.")
]


@command(
    app,
    "reply",
    examples=[
        'cadenza reply 6f0c1a2b --text "Slower at bar 17."',
        'cadenza reply 6f0c1a2b --video answer.mp4 --text "Like this:" --measure 17',
        "cadenza reply 6f0c1a2b --video answer.mp4 --wait",
    ],
    more="""
    A video goes through the queue as a take does, with the same limits: it may be recorded
    offline, and a power cut cannot lose it. Offline the whole id is needed. Text alone is sent at
    once or not at all. Exit codes: 0 sent or with the daemon, 3 sign in, 4 outside the limits, 5
    offline (a video is safe and sent later), 6 the server refused it.
    """,
)
def reply(
    run: Run,
    ref: ThreadArgument,
    text: Annotated[
        str | None, typer.Option("--text", help="What to say, up to 5000 characters.")
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="FILE", help="What to show.", exists=True, dir_okay=False),
    ] = None,
    page: _options.PageOption = None,
    measure: _options.MeasureOption = None,
    fit: _options.FitOption = False,
    wait: _options.WaitOption = False,
    timeout: _options.TimeoutOption = None,
    no_daemon: _options.NoDaemonOption = False,
    delete_source: _options.DeleteSourceOption = False,
) -> None:
    """Answer a submission with text, a video, or both."""
    text = (text or "").strip() or None
    if text is None and video is None:
        raise typer.BadParameter("say something with --text, show something with --video.")
    if text is not None and len(text) > _LONGEST_TEXT:
        message = f"{len(text)} characters; the limit is {_LONGEST_TEXT}."
        raise typer.BadParameter(message, param_hint="--text")
    if wait and no_daemon:
        raise typer.BadParameter("--wait and --no-daemon exclude each other.")
    if video is None:
        assert text is not None
        _say(run, ref, text, page=page, measure=measure)
        return
    from cadenza_cli._queueing import Orders, queue_and_send
    from cadenza_uploader.take import TakeContext

    context = TakeContext(
        page_number=page,
        measure_number=measure,
        notes=text,
        parent_submission_id=_thread_of(run, ref),
    )
    orders = Orders(
        context,
        fit=fit,
        delete_source=delete_source,
        send=not no_daemon,
        wait=wait,
        timeout_seconds=timeout,
    )
    queue_and_send(run, [video], orders)


def _say(run: Run, ref: str, text: str, *, page: int | None, measure: int | None) -> None:
    from cadenza_cli._submissions import find_submission
    from cadenza_cli._thread import message_document
    from cadenza_client import NewMessage

    new = NewMessage(text=text, page_number=page, measure_number=measure)
    with run.client() as client:
        submission_id = find_submission(client, ref)
        message = client.messages.create(submission_id, new).message
    assert message is not None
    run.out.answer(
        message_document(message),
        ids=[str(message.id)],
        human=lambda: run.out.line(f"Sent. It stands in the thread of {submission_id[:8]}."),
    )


def _thread_of(run: Run, ref: str) -> str:
    """The submission that is answered; a whole id needs no network, which may be away (I1)."""
    from uuid import UUID

    from cadenza_cli._submissions import find_submission

    try:
        return str(UUID(ref.strip()))
    except ValueError:
        pass
    with run.client() as client:
        return find_submission(client, ref)


@command(
    app,
    "messages",
    examples=[
        "cadenza messages 6f0c1a2b",
        "cadenza messages 6f0c1a2b --keep-unread --json",
        "cadenza messages 6f0c1a2b --download 0b1a2c3d -o answer.mp4",
    ],
)
def messages(
    run: Run,
    ref: ThreadArgument,
    keep_unread: Annotated[
        bool, typer.Option("--keep-unread", help="Look without the other side knowing.")
    ] = False,
    fetch: Annotated[
        str | None,
        typer.Option("--download", metavar="MESSAGE", help="Save this message's video."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Read the thread of a submission, oldest first.

    What you see counts as read, and the other side sees that.
    """
    from cadenza_cli._submissions import find_submission
    from cadenza_cli._thread import find_one, message_document, message_lines

    with run.client() as client:
        submission_id = find_submission(client, ref)
        found = client.messages.list(submission_id)
        if fetch is not None:
            chosen = find_one(found, fetch, "message", f"cadenza messages {submission_id[:8]}")
            _download(run, client, str(chosen.id), output, force=force)
            return
        if not keep_unread:
            for message in found:
                if not message.is_own and message.read_at is None and not message.deleted_at:
                    client.messages.mark_read(message.id)

    def human() -> None:
        if not found:
            run.out.line(f"Nobody has said anything yet. `cadenza reply {submission_id[:8]}` does.")
            return
        now = run.now()
        for message in found:
            for line in message_lines(message, now):
                run.out.line(line)

    run.out.answer(
        {
            "submission_id": submission_id,
            "messages": [message_document(message) for message in found],
        },
        ids=[str(message.id) for message in found],
        human=human,
    )


def _download(
    run: Run, client: CadenzaClient, message_id: str, output: Path | None, *, force: bool
) -> None:
    from cadenza_cli._progress import transfer

    destination = output or Path(f"message-{message_id[:8]}.mp4")
    if destination.exists() and not force:
        raise CommandError(
            f"{destination} exists already.",
            code="file_exists",
            next_step="Give --force to replace it, or -o for another name.",
        )
    playback = client.messages.playback(message_id)
    with transfer(run.out, f"Downloading {message_id[:8]}") as progress:
        size_bytes = client.download(playback, destination, progress=progress)
    run.out.answer(
        {"id": message_id, "file": str(destination), "size_bytes": size_bytes},
        ids=[str(destination)],
        human=lambda: run.out.line(f"{destination} ({_words.size(size_bytes)})"),
    )
