"""Files into takes, takes onto their way, and one answer about all of them.

`cadenza upload` and `cadenza record --upload` share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cadenza_cli import _words
from cadenza_cli._errors import ExitCode, Explained, explain_error
from cadenza_cli._progress import watching
from cadenza_cli._sending import Outcome, Sending, exit_code
from cadenza_cli._takes import passage_words, take_document
from cadenza_uploader.errors import TakeNotFoundError, TakeRefusedError, UploaderError
from cadenza_uploader.take import Take, TakeContext

if TYPE_CHECKING:
    from cadenza_cli._run import Run
    from cadenza_uploader import TakeQueue
    from cadenza_uploader.events import Observer

__all__ = ["Orders", "queue_and_send"]


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to happen to the files.

    Attributes:
        context: what they are about.
        fit: queue a 720p copy of what is too large.
        delete_source: delete the user's file once the server has confirmed it.
        send: false with `--no-daemon`: queue only.
        wait: return only when everything is uploaded or needs the user.
        timeout_seconds: with `wait`, stop watching after so long.
    """

    context: TakeContext
    fit: bool = False
    delete_source: bool = False
    send: bool = True
    wait: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """A file that is a take now; `again` when the same bytes were waiting already."""

    path: Path
    take: Take
    warnings: tuple[tuple[str, str], ...]
    fitted: bool
    again: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not queued, and why. Nothing of it was kept."""

    path: Path
    why: Explained
    codes: tuple[str, ...]
    fixable_by_fit: bool

    def document(self) -> dict[str, Any]:
        """Keys: file, code, sentence, next, codes, fixable_by_fit."""
        return {
            "file": str(self.path),
            "code": self.why.code,
            "sentence": self.why.sentence,
            "next": self.why.next_step,
            "codes": list(self.codes),
            "fixable_by_fit": self.fixable_by_fit,
        }


@dataclass(slots=True)
class _Batch:
    queued: list[Queued] = field(default_factory=list[Queued])
    refused: list[Refused] = field(default_factory=list[Refused])

    @property
    def ids(self) -> list[str]:
        return [item.take.id for item in self.queued]


def queue_and_send(run: Run, paths: Sequence[Path], orders: Orders, *, ours: bool = False) -> None:
    """Queue every file, send what was queued, answer once and exit.

    A file that is refused never keeps another one from its teacher (30-peers §3.3, 2).

    Args:
        run: the command's doors.
        paths: the files.
        orders: what is to happen to them.
        ours: the command made these files itself; they go once the queue has its copy.

    Raises:
        typer.Exit: with the gravest exit code among the files.
    """
    from cadenza_uploader import stop_on_signals

    with run.queue() as queue, watching(run.out) as observer:
        batch = _queue_all(run, queue, paths, orders, observer)
        if ours:
            for item in batch.queued:
                item.path.unlink()
        outcomes = dict.fromkeys(batch.ids, Outcome.QUEUED)
        interrupted = False
        if orders.send and batch.queued:
            with stop_on_signals() as stop:
                sending = Sending(
                    run,
                    queue,
                    observer,
                    wait=orders.wait,
                    timeout_seconds=orders.timeout_seconds,
                )
                outcomes = sending.go(batch.ids, stop)
                interrupted = stop.requested
        latest = {take_id: _latest(queue, take_id) for take_id in batch.ids}
    code = exit_code(outcomes.values(), [refusal.why.exit_code for refusal in batch.refused])
    if interrupted and any(outcome is not Outcome.UPLOADED for outcome in outcomes.values()):
        code = ExitCode.INTERRUPTED
    run.out.answer(
        {
            "takes": [
                {
                    **take_document(latest[item.take.id] or item.take),
                    "file": str(item.path),
                    "fitted": item.fitted,
                    "already_queued": item.again,
                    "warnings": [
                        {"code": code, "sentence": words} for code, words in item.warnings
                    ],
                    "outcome": outcomes[item.take.id].value,
                }
                for item in batch.queued
            ],
            "refused": [refusal.document() for refusal in batch.refused],
            "exit_code": int(code),
        },
        ids=batch.ids,
        human=lambda: _tell(run, batch, outcomes, latest, interrupted=interrupted),
    )
    raise typer.Exit(code)


def _queue_all(
    run: Run, queue: TakeQueue, paths: Sequence[Path], orders: Orders, observer: Observer
) -> _Batch:
    from cadenza_uploader import enqueue

    account, settings = run.account, run.settings
    batch = _Batch()
    for path in paths:
        try:
            intake = enqueue(
                queue,
                path,
                orders.context,
                account=account,
                settings=settings,
                fit=orders.fit or settings.fit == "auto",
                delete_source=orders.delete_source,
                observer=observer,
            )
        except (UploaderError, OSError) as error:
            refused = _refused(path, error)
            batch.refused.append(refused)
            if run.out.mode != "json":
                run.out.error(refused.why.sentence, refused.why.next_step, document={})
            continue
        warnings = tuple((warning.code, warning.sentence) for warning in intake.warnings)
        batch.queued.append(
            Queued(path, intake.take, warnings, intake.fitted, intake.already_queued)
        )
        name = _words.clean(path.name)
        for _, sentence in warnings:
            run.out.warn(f"{name}: {_words.clean(sentence)}")
        verb = "Already queued" if intake.already_queued else "Queued"
        run.out.line(f"{verb} {intake.take.short_id}  {name}  {_facts(intake.take)}")
    return batch


def _refused(path: Path, error: UploaderError | OSError) -> Refused:
    why = explain_error(error)
    assert why is not None, f"{type(error).__name__} has no row in the error table"
    if isinstance(error, TakeRefusedError):
        return Refused(path, why, error.codes, error.fixable_by_fit)
    return Refused(path, why, (why.code,), fixable_by_fit=False)


def _facts(take: Take) -> str:
    passage = passage_words(
        take.context.page_number, take.context.measure_number, take.context.measure_end
    )
    length = _words.duration(take.duration_ms / 1000)
    return "  ".join(part for part in (length, _words.size(take.size_bytes), passage) if part)


def _latest(queue: TakeQueue, take_id: str) -> Take | None:
    try:
        return queue.get(take_id)
    except TakeNotFoundError:
        return None


_SENTENCES = {
    Outcome.UPLOADED: "uploaded; your teacher can see it.",
    Outcome.QUEUED: "is safe in the queue. `cadenza daemon run` sends it.",
    Outcome.WITH_DAEMON: "is with the daemon. `cadenza queue ls` shows how far it is.",
    Outcome.PAUSED: "is safe in the queue, which you paused. `cadenza queue resume` goes on.",
    Outcome.OFFLINE: (
        "is waiting for network. It is safe in the queue and is sent when the network is back "
        "and `cadenza daemon run` is running."
    ),
    Outcome.SIGN_IN: (
        "is safe in the queue. Sign in with `cadenza login`, then `cadenza daemon run` sends it."
    ),
    Outcome.CUT_OFF: (
        "is safe in the queue; the connection was cut. `cadenza daemon run` tries it again"
    ),
    Outcome.RETRY_LATER: "is safe in the queue and is tried again by `cadenza daemon run`",
    Outcome.REFUSED: "was refused by the server's limits",
    Outcome.REJECTED: "was refused by the server",
    Outcome.FAILED: "cannot be sent",
    Outcome.CANCELLED: "was cancelled meanwhile.",
}


_SENTENCES_OF_REPLIES = {**_SENTENCES, Outcome.UPLOADED: "sent; it stands in the thread."}


def _tell(
    run: Run,
    batch: _Batch,
    outcomes: dict[str, Outcome],
    latest: dict[str, Take | None],
    *,
    interrupted: bool,
) -> None:
    for item in batch.queued:
        outcome = outcomes[item.take.id]
        sentences = _SENTENCES if item.take.kind == "submission" else _SENTENCES_OF_REPLIES
        words = f"{item.take.short_id} {sentences[outcome]}"
        take = latest[item.take.id]
        if not words.endswith("."):
            cause = take.last_error if take is not None and take.last_error else "unknown"
            words = f"{words}: {_words.clean(cause)}"
        if outcome in (Outcome.REFUSED, Outcome.REJECTED, Outcome.FAILED):
            words = f"{words} — `cadenza explain {item.take.short_id}` says more."
        run.out.line(words)
    if interrupted:
        run.out.note("Stopped. Nothing is lost: what is not uploaded stays in the queue.")
