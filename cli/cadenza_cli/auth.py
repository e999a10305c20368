"""`cadenza login`, `logout`, `whoami`: whose takes these are.

No password and no token is ever an argument: other users of the machine can read those (SEC-03).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cadenza_cli import _words
from cadenza_cli._app import app
from cadenza_cli._asking import ask_email, ask_password, secret_from_stdin
from cadenza_cli._command import command
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Run, sign_in_needed

if TYPE_CHECKING:
    from cadenza_client.models import User
    from cadenza_uploader import Settings


@command(
    app,
    "login",
    examples=[
        "cadenza login --email ada@example.org",
        "cadenza login --email ada@example.org --password-stdin < password.txt",
        "cadenza login --url http://127.0.0.1:8000 --dev --email ada@example.org",
    ],
)
def login(
    run: Run,
    email: Annotated[str | None, typer.Option("--email", help="Asked for when missing.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read a ready token from standard input.")
    ] = False,
    dev: Annotated[
        bool, typer.Option("--dev", help="Without a password, on a development server.")
    ] = False,
) -> None:
    """Sign this device in; takes already queued are then sent."""
    from cadenza_uploader import Credential, wake_daemon

    if sum((password_stdin, token_stdin, dev)) > 1:
        raise typer.BadParameter("--password-stdin, --token-stdin and --dev exclude each other.")
    if token_stdin and email:
        raise typer.BadParameter("the token says who it is; leave --email out.")
    if token_stdin:
        token = secret_from_stdin()
        user = _owner_of(run, token)
    else:
        address = email or ask_email()
        token, user = _sign_in(run, address, password_stdin=password_stdin, dev=dev)
    run.credentials.save(
        Credential(
            server_url=run.settings.url,
            user_id=user.id,
            email=user.email,
            full_name=user.full_name or "",
            user_type=user.user_type or "",
            token=token,
        )
    )
    _learn_pieces(run)
    with run.queue() as queue:
        unsent = queue.counts().unsent
    woken = wake_daemon(run.home)

    def human() -> None:
        run.out.line(f"Signed in to {run.settings.url} as {_named(user)}.")
        if unsent:
            what = "the daemon sends it" if woken else "`cadenza daemon run` sends what waits"
            run.out.line(f"{_words.plural(unsent, 'take')} in the queue: {what}.")

    run.out.answer(
        {**_user_document(user, run.settings.url), "unsent": unsent}, ids=[user.email], human=human
    )


def _sign_in(run: Run, email: str, *, password_stdin: bool, dev: bool) -> tuple[str, User]:
    from cadenza_client.errors import AuthenticationError

    with _anonymous(run) as client:
        if dev:
            signed = client.auth.dev_login(email)
        else:
            password = secret_from_stdin() if password_stdin else ask_password()
            try:
                signed = client.auth.login(email, password)
            except AuthenticationError:
                raise CommandError(
                    f"{run.settings.url} does not know this e-mail address and password.",
                    code="unauthorized",
                    exit_code=ExitCode.SIGN_IN,
                    next_step="Check both and run `cadenza login` again.",
                ) from None
    return signed.access_token, signed.user


def _learn_pieces(run: Run) -> None:
    """Remember the pieces' titles, so that `upload --piece bach` works offline later."""
    from cadenza_cli._pieces import PieceNames
    from cadenza_client.errors import CadenzaError

    try:
        with run.connect() as client:
            PieceNames.remember(run.home.path, run.settings.url, client.pieces.list())
    except CadenzaError:
        # Signed in is signed in; the titles come with the next `cadenza pieces ls`.
        return


def _owner_of(run: Run, token: str) -> User:
    """Ask the server whose token this is, before it is kept."""
    from cadenza_client import CadenzaClient

    settings: Settings = run.settings
    with CadenzaClient(settings.url, token=token, storage_hosts=settings.storage_hosts) as client:
        return client.auth.me()


@command(app, "logout", examples=["cadenza logout"])
def logout(run: Run) -> None:
    """Forget this device's sign-in; queued takes stay."""
    forgotten = run.credentials.forget(run.settings.url)
    with run.queue() as queue:
        unsent = queue.counts().unsent

    def human() -> None:
        run.out.line("Signed out." if forgotten else "Nobody was signed in.")
        if unsent:
            words = _words.plural(unsent, "take")
            run.out.line(f"{words} in the queue: kept until you sign in again.")
        if run.settings.token is not None:
            run.out.warn("CADENZA_TOKEN is set and still signs you in.")

    run.out.answer(
        {"signed_out": forgotten, "url": run.settings.url, "unsent": unsent}, human=human
    )


@command(app, "whoami", examples=["cadenza whoami", "cadenza whoami --json"])
def whoami(run: Run) -> None:
    """Show who is signed in, and whether it is still good."""
    from cadenza_client.errors import TransportError

    credential = run.credentials.load(run.settings.url)
    if credential is None and run.settings.token is None:
        raise sign_in_needed(run.settings.url)
    try:
        with run.connect() as client:
            user = client.auth.me()
    except TransportError:
        if credential is None:
            raise
        # Offline the device still knows whose takes it queues.
        checked = False
        document = _document(
            user_id=credential.user_id,
            email=credential.email,
            full_name=credential.full_name or None,
            user_type=credential.user_type or None,
            url=run.settings.url,
        )
    else:
        checked = True
        document = _user_document(user, run.settings.url)

    def human() -> None:
        name = _words.clean(str(document["full_name"] or document["email"]))
        run.out.line(f"{name} <{_words.clean(str(document['email']))}>")
        role = f"{document['user_type'] or 'no role'}, {run.settings.url}"
        run.out.line(role if checked else f"{role} (not checked: the server cannot be reached)")

    run.out.answer({**document, "checked": checked}, ids=[str(document["email"])], human=human)


def _anonymous(run: Run) -> Any:
    from cadenza_client import CadenzaClient

    # An empty environment: CADENZA_TOKEN must not answer for the account that signs in now.
    return CadenzaClient(run.settings.url, env={})


def _user_document(user: User, url: str) -> dict[str, Any]:
    return _document(
        user_id=user.id,
        email=user.email,
        full_name=user.full_name,
        user_type=user.user_type,
        url=url,
    )


def _document(
    *, user_id: int, email: str, full_name: str | None, user_type: str | None, url: str
) -> dict[str, Any]:
    """Who, as JSON. Keys: url, user_id, email, full_name, user_type. Never the token."""
    return {
        "url": url,
        "user_id": user_id,
        "email": email,
        "full_name": full_name,
        "user_type": user_type,
    }


def _named(user: User) -> str:
    name = f"{user.full_name} <{user.email}>" if user.full_name else user.email
    return _words.clean(f"{name} ({user.user_type})" if user.user_type else name)
