"""`cadenza explain`: why a take is where it is, what was tried, what happens next."""

from __future__ import annotations

from cadenza_cli import _options, _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._run import Run


@command(app, "explain", examples=["cadenza explain 6f0c1a2b", "cadenza explain 6f0c --json"])
def explain_take(run: Run, take: _options.TakeArgument) -> None:
    """Say why a take is where it is and what happens next."""
    from cadenza_cli._takes import take_document
    from cadenza_uploader import daemon_status, explain

    with run.queue() as queue:
        found = queue.get(take)
        told = explain(
            found,
            attempts=queue.attempts(found.id),
            events=queue.events(found.id),
            holds=queue.holds(),
            now=run.now(),
            daemon_running=daemon_status(run.home).running,
        )

    def human() -> None:
        run.out.line(run.out.paint(_words.clean(told.headline), "bold"))
        run.out.line(f"Because: {_words.clean(told.because)}")
        for line in told.tried:
            run.out.line(f"Tried:   {_words.clean(line)}")
        run.out.line(f"Next:    {_words.clean(told.next)}")
        for line in told.you_can:
            run.out.line(f"You can: {_words.clean(line)}")

    run.out.answer(
        {
            "take": take_document(found),
            "headline": told.headline,
            "because": told.because,
            "tried": list(told.tried),
            "next": told.next,
            "you_can": list(told.you_can),
        },
        ids=[found.id],
        human=human,
    )
