"""`cadenza server …`: the reference server. The only module that imports `cadenza_server`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _words
from cadenza_cli._asking import ask_password, secret_from_stdin
from cadenza_cli._command import command, group
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_server.settings import ServerSettings

app = group(
    summary="The reference server, to try or to run.",
    examples=[
        "cadenza server seed-demo",
        "cadenza server run",
        "cadenza server user add ada@example.org --name Ada --role student --password-stdin",
    ],
)
# Outcomes of `init-storage` that ask something of the person who runs the server.
_WORTH_A_LOOK = ("unsupported", "not_allowed", "not_kept")
people = group(summary="The people who may sign in.")
app.add_typer(people, name="user")


class Role(StrEnum):
    """What somebody does here."""

    STUDENT = "student"
    TEACHER = "teacher"


def _settings() -> ServerSettings:
    """The server's own settings, from its `CADENZA_*` variables."""
    try:
        from cadenza_server.settings import ServerSettings
    except ModuleNotFoundError as error:
        raise CommandError(
            f"The server's parts are not installed ({error.name} is missing).",
            code="server_not_installed",
            next_step="pip install 'cadenza[server]'",
        ) from None
    from pydantic import ValidationError

    try:
        return ServerSettings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "the settings"
        raise CommandError(
            f"The server's settings cannot be used: {name}: {first['msg']}.",
            code="invalid_settings",
            exit_code=ExitCode.USAGE,
            next_step="Correct the CADENZA_* variables.",
        ) from None


@command(
    app,
    "run",
    examples=[
        "cadenza server run",
        "CADENZA_ENV=prod cadenza server run --host 0.0.0.0 --workers 4",
    ],
    more="""
    Its settings are CADENZA_* variables: CADENZA_ENV (dev, staging, prod), CADENZA_SECRET,
    CADENZA_DB, CADENZA_SERVER_DIR. Outside dev it refuses to start with the default secret; in
    dev it listens on this machine only.
    """,
)
def run_server(
    run: Run,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=64, help="Processes that serve; default: CADENZA_WORKERS, or 1."
        ),
    ] = None,
) -> None:
    """Serve until Ctrl-C."""
    settings = _settings()
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    from cadenza_server.hosting import StartError
    from cadenza_server.serving import ExposedDevServerError, serve
    from cadenza_server.storage import StorageSetupError

    def ready(url: str) -> None:
        # An answer at once, not at the end: whoever started it waits for the address.
        run.out.answer(
            {"url": url, "data_dir": str(settings.data_dir)},
            ids=[url],
            human=lambda: run.out.line(f"Serving on {url}. Data in {settings.data_dir}."),
        )
        run.out.note("Ctrl-C stops it.")

    try:
        serve(settings, host=host, port=port, on_ready=ready)
    except StartError as error:
        raise CommandError(
            f"The server did not start: {error}.",
            code="server_not_started",
            next_step="The lines above say what the workers ran into.",
        ) from None
    except ExposedDevServerError as error:
        raise CommandError(
            str(error),
            code="exposed_dev_server",
            exit_code=ExitCode.USAGE,
            next_step="`cadenza server run --help` lists the settings.",
        ) from None
    except StorageSetupError as error:
        raise CommandError(
            str(error),
            code="storage_unusable",
            exit_code=ExitCode.USAGE,
            next_step="Correct the storage's settings; `cadenza server init-storage` tries them.",
        ) from None
    except OSError as error:
        raise CommandError(
            f"{host} port {port} cannot be used: {error.strerror}.",
            code="port_unusable",
            next_step="Stop what listens there, or give --port 0 for a free one.",
        ) from None


@command(app, "init", examples=["cadenza server init"])
def init(run: Run) -> None:
    """Create or migrate the database and the object store."""
    settings = _settings()
    from cadenza_server import admin

    admin.init(settings)
    run.out.answer(
        {"data_dir": str(settings.data_dir)},
        ids=[str(settings.data_dir)],
        human=lambda: run.out.line(f"Ready in {settings.data_dir}."),
    )


@command(app, "init-storage", examples=["CADENZA_STORAGE=s3 cadenza server init-storage"])
def init_storage(run: Run) -> None:
    """Make the bucket ready, and say what its store can't do."""
    settings = _settings()
    from cadenza_server import admin

    with _explained(admin.AdminError):
        steps = admin.init_storage(settings)

    def human() -> None:
        for step in steps:
            mark = "!" if step.outcome in _WORTH_A_LOOK else "✓"
            run.out.line(f"{mark} {_words.clean(step.sentence)}")

    run.out.answer(
        {"steps": [dataclasses.asdict(step) for step in steps]},
        ids=[step.name for step in steps],
        human=human,
    )


@command(
    app,
    "reconcile",
    examples=["cadenza server reconcile", "cadenza server reconcile --apply"],
    more="""
    For after a restore. Nothing is ever deleted: a video whose object is gone is marked as no
    longer kept, and comes back when a later run finds the object. When nothing is listed, or more
    than 20 objects or a tenth of them are missing, it stops and changes nothing, unless
    --expect-missing says how many really are. The exit code is 1 when something is missing.
    """,
)
def reconcile(
    run: Run,
    apply: Annotated[
        bool, typer.Option("--apply", help="Mark what is gone or back; otherwise only look.")
    ] = False,
    expect_missing: Annotated[
        int | None,
        typer.Option("--expect-missing", min=1, help="So many are missing, and that is so."),
    ] = None,
) -> None:
    """Compare the object store with the database."""
    settings = _settings()
    from cadenza_server import admin
    from cadenza_server.reconciling import ReconcileAbortedError

    with _explained(admin.AdminError), _explained(ReconcileAbortedError):
        report = admin.reconcile(settings, apply=apply, expect_missing=expect_missing)
    missing = [one.key for one in report.missing]
    changed = [one.key for one in report.changed]

    def human() -> None:
        run.out.line(f"{report.found} of {report.known} objects are there.")
        for word, keys in (("missing", missing), ("of another size", changed)):
            for key in keys:
                run.out.line(f"! {word}: {_words.clean(key)}")
        run.out.line(
            f"Uploaded, not confirmed: {len(report.arrived)}. Unknown to the database: "
            f"{len(report.unknown)} ({report.unknown_bytes} bytes; they stay)."
        )
        if apply:
            run.out.line(f"Marked {report.marked}, restored {report.restored}.")

    counts = {name: getattr(report, name) for name in ("known", "found", "marked", "restored")}
    lists = {"missing": missing, "changed": changed, "unknown": report.unknown}
    run.out.answer({**counts, **lists, "arrived": report.arrived}, ids=missing, human=human)
    if not report.is_clean:
        raise typer.Exit(ExitCode.FAILURE)


@command(
    people,
    "add",
    examples=[
        "cadenza server user add tessa@example.org --name Tessa --role teacher",
        "cadenza server user add sam@example.org --role student --teacher tessa@example.org",
    ],
)
def add_user(
    run: Run,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Who.")],
    name: Annotated[str | None, typer.Option("--name", help="As others see it.")] = None,
    role: Annotated[Role, typer.Option("--role", help="What they do here.")] = Role.STUDENT,
    teacher: Annotated[
        str | None, typer.Option("--teacher", metavar="EMAIL", help="A student's teacher.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Add somebody who can sign in; the password is asked for."""
    settings = _settings()
    from cadenza_server import admin

    password = secret_from_stdin() if password_stdin else ask_password(twice=True)
    with _explained(admin.AdminError):
        user_id = admin.add_user(
            settings,
            email=email,
            full_name=name,
            role=role.value,
            password=password,
            teacher_email=teacher,
        )
    run.out.answer(
        {"id": user_id, "email": email, "user_type": role.value},
        ids=[str(user_id)],
        human=lambda: run.out.line(f"{_words.clean(email)} may sign in (user {user_id})."),
    )


@command(app, "seed-demo", examples=["cadenza server seed-demo"])
def seed_demo(run: Run) -> None:
    """Add a demo teacher, student and piece; dev only."""
    settings = _settings()
    from cadenza_server import admin

    with _explained(admin.AdminError):
        demo = admin.seed_demo(settings)

    def human() -> None:
        run.out.fields(
            [
                ("student", demo.student_email),
                ("teacher", demo.teacher_email),
                ("password", demo.password),
                ("piece", f"{demo.piece_id}  {demo.piece_title}"),
                ("exercise", str(demo.exercise_id)),
            ]
        )

    run.out.answer(
        {
            "student_email": demo.student_email,
            "student_id": demo.student_id,
            "teacher_email": demo.teacher_email,
            "teacher_id": demo.teacher_id,
            # Public on purpose, the same in every demo, and refused outside dev.
            "password": demo.password,
            "piece_id": str(demo.piece_id),
            "piece_title": demo.piece_title,
            "exercise_id": str(demo.exercise_id),
        },
        ids=[str(demo.piece_id)],
        human=human,
    )


@contextlib.contextmanager
def _explained(kind: type[Exception]) -> Generator[None]:
    """Turn the server's own refusals into the command's."""
    try:
        yield
    except kind as error:
        raise CommandError(
            str(error), code="refused", next_step="Correct it and run the command again."
        ) from None
