"""`cadenza webhook …`: where the server posts your events, and a receiver to try it with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cadenza_cli import _options, _words
from cadenza_cli._command import command, group
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient, Webhook, WebhookDelivery

app = group(summary="Have events posted to an address of yours, signed.")

HookArgument = Annotated[str, typer.Argument(metavar="ID", help="Webhook id, or its beginning.")]
SecretFileOption = Annotated[
    Path | None,
    typer.Option("--secret-file", metavar="FILE", help="The secret is in this file."),
]
#: Where `listen` finds the secret; on a command line everyone on the machine could read it.
_SECRET_VARIABLE = "CADENZA_WEBHOOK_SECRET"  # noqa: S105 - the name, not the secret


@command(
    app,
    "add",
    examples=[
        "cadenza webhook add https://hooks.example.org/cadenza --secret-file hook.secret",
        'cadenza webhook add https://hooks.example.org/ --type "submission.uploaded"',
    ],
    more="""
    The secret is told once: it goes into --secret-file, readable by you alone, or to the terminal.
    """,
)
def add(
    run: Run,
    address: Annotated[
        str, typer.Argument(metavar="URL", help="Where to: https, a public address.")
    ],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only these events; all if left out."),
    ] = None,
    secret_file: SecretFileOption = None,
) -> None:
    """Have your events posted to an address."""
    if secret_file is not None and secret_file.exists():
        raise CommandError(
            f"{secret_file} exists already.",
            code="file_exists",
            next_step="Name another file; the secret of a webhook is told only once.",
        )
    with run.client() as client:
        hook = client.webhooks.create(address, event_types=types or ())
    if secret_file is not None:
        _write_secret(secret_file, hook.secret or "")

    def human() -> None:
        run.out.line(f"Events are posted to {_words.clean(hook.url)}: webhook {str(hook.id)[:8]}.")
        if secret_file is not None:
            run.out.line(f"The secret is in {secret_file}.")
        else:
            run.out.line(f"Secret, told this once: {hook.secret}")

    told = {} if secret_file is not None else {"secret": hook.secret}
    run.out.answer({**_document(hook), **told}, ids=[str(hook.id)], human=human)


def _write_secret(path: Path, secret: str) -> None:
    import os

    # Created for its owner alone: a mode set afterwards would be a moment too late.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")


@command(app, "ls", examples=["cadenza webhook ls"])
def list_webhooks(run: Run) -> None:
    """List your webhooks."""
    with run.client() as client:
        found = client.webhooks.list()

    def human() -> None:
        if not found:
            run.out.line("No webhooks. `cadenza webhook add URL` makes one.")
            return
        run.out.table(
            ["ID", "STATE", "EVENTS", "ADDRESS"],
            [
                [
                    str(hook.id)[:8],
                    ("on", "green") if hook.active else (f"off: {hook.disabled_reason}", "red"),
                    ", ".join(hook.event_types) or "all",
                    hook.url,
                ]
                for hook in found
            ],
        )

    run.out.answer(
        {"webhooks": [_document(hook) for hook in found]},
        ids=[str(hook.id) for hook in found],
        human=human,
    )


@command(app, "rm", examples=["cadenza webhook rm 6f0c1a2b"])
def remove(run: Run, ref: HookArgument) -> None:
    """Stop posting to an address."""
    with run.client() as client:
        hook = _find(client, ref)
        client.webhooks.delete(hook.id)
    run.out.answer(
        {"removed": str(hook.id)},
        ids=[str(hook.id)],
        human=lambda: run.out.line(f"Nothing more is posted to {_words.clean(hook.url)}."),
    )


@command(app, "test", examples=["cadenza webhook test 6f0c1a2b"])
def send_test(run: Run, ref: HookArgument) -> None:
    """Have a test event posted."""
    with run.client() as client:
        delivery = client.webhooks.test(_find(client, ref).id)
    _tell(run, delivery, f"A test is on its way. `cadenza webhook deliveries {ref}` shows it.")


@command(app, "deliveries", examples=["cadenza webhook deliveries 6f0c1a2b --limit 20"])
def deliveries(run: Run, ref: HookArgument, limit: _options.LimitOption = 50) -> None:
    """Show what was posted and what came of it, newest event first."""
    with run.client() as client:
        found = list(client.webhooks.deliveries(_find(client, ref).id, limit=limit))

    def human() -> None:
        if not found:
            run.out.line("Nothing was posted yet.")
            return
        now = run.now()
        run.out.table(
            ["ID", "WHEN", "EVENT", "STATUS", "TRIES", "ANSWER", "NEXT"],
            [
                [
                    str(one.id)[:8],
                    _words.moment(one.created_at, now) if one.created_at else "",
                    one.event_type or one.event_id,
                    (one.status, "red") if one.status == "failed" else one.status,
                    str(one.attempt),
                    str(one.response_code or one.error_code or ""),
                    _words.moment(one.next_at, now) if one.next_at else "",
                ]
                for one in found
            ],
        )

    run.out.answer(
        {"deliveries": [_document(one) for one in found]},
        ids=[str(one.id) for one in found],
        human=human,
    )


@command(app, "replay", examples=["cadenza webhook replay 0b1a2c3d-5f2e-4e0b-9a55-0d3c6f1e7a10"])
def replay(
    run: Run,
    delivery: Annotated[
        str,
        typer.Argument(metavar="DELIVERY", help="Delivery id; `deliveries --json` shows it whole."),
    ],
) -> None:
    """Post one event again."""
    with run.client() as client:
        again = client.webhooks.replay(delivery)
    _tell(run, again, "It is on its way again.")


@command(
    app,
    "listen",
    examples=[
        "cadenza webhook listen --secret-file hook.secret",
        "CADENZA_WEBHOOK_SECRET=… cadenza webhook listen --port 9000 --json",
    ],
    more="""
    It listens on this machine only (127.0.0.1), until Ctrl-C, and shows only what the server
    signed. The secret comes from --secret-file or CADENZA_WEBHOOK_SECRET, never from the command
    line. A server in development posts to it; one on the internet cannot reach it.
    """,
)
def listen(
    run: Run,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where; 0: any.")] = 8989,
    secret_file: SecretFileOption = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="End after so many events.")
    ] = None,
) -> None:
    """Receive posts on this machine, verify them and show them."""
    from cadenza_cli._listening import Listener
    from cadenza_cli._thread import event_document
    from cadenza_cli.news import event_words
    from cadenza_client import WebhookVerificationError, verify_webhook
    from cadenza_uploader import stop_on_signals

    secret = _secret(run, secret_file)
    heard = 0

    def hear(headers: Mapping[str, str], body: bytes) -> bool:
        nonlocal heard
        try:
            event = verify_webhook(secret, headers, body, now=run.now())
        except WebhookVerificationError as error:
            run.out.warn(f"Refused a post: {error}.")
            return False
        heard += 1
        run.out.item(event_document(event), one_id=event.id, line=event_words(event))
        return True

    try:
        listener = Listener(port, hear)
    except OSError as error:
        raise CommandError(
            f"Port {port} cannot be used: {error.strerror}.",
            code="port_unusable",
            next_step="Give another one with --port.",
        ) from None
    with listener, stop_on_signals() as stop:
        run.out.note(f"Listening on {listener.url} until Ctrl-C.")
        listener.timeout = 0.5
        while not stop.requested and (count is None or heard < count):
            listener.handle_request()


def _secret(run: Run, secret_file: Path | None) -> str:
    from cadenza_client import WebhookVerificationError, verify_webhook

    given = run.world.env.get(_SECRET_VARIABLE, "")
    if secret_file is not None:
        given = secret_file.read_text("utf-8").strip()
    try:
        # A post without anything in it is refused; a secret that is none, before that.
        verify_webhook(given, {}, b"")
    except WebhookVerificationError:
        return given
    except ValueError:
        pass
    raise CommandError(
        "There is no secret to verify posts with.",
        code="secret_needed",
        exit_code=ExitCode.USAGE,
        next_step=f"Give --secret-file, or set {_SECRET_VARIABLE}.",
    )


def _find(client: CadenzaClient, ref: str) -> Webhook:
    meant = [hook for hook in client.webhooks.list() if str(hook.id).startswith(ref.lower())]
    if len(meant) != 1:
        raise CommandError(
            f"{'Several' if meant else 'No'} webhooks of yours begin with {ref!r}.",
            code="webhook_not_found",
            next_step="`cadenza webhook ls` lists them.",
        )
    return meant[0]


def _tell(run: Run, delivery: WebhookDelivery, sentence: str) -> None:
    run.out.answer(
        _document(delivery), ids=[str(delivery.id)], human=lambda: run.out.line(sentence)
    )


def _document(shown: Webhook | WebhookDelivery) -> dict[str, Any]:
    """The wire's own keys, without the secret."""
    from cadenza_cli._thread import plain

    return {name: plain(value) for name, value in shown.model_dump(exclude={"secret"}).items()}
