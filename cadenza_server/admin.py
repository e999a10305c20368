"""Setting a server up and looking after it: what `cadenza server …` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from cadenza_server.auth import Passwords, find_by_email, normalise_email
from cadenza_server.builtin_store import FileStore
from cadenza_server.clock import utc_now
from cadenza_server.database import Database, Session, open_database
from cadenza_server.keyring import Keyring
from cadenza_server.reconciling import Report
from cadenza_server.reconciling import reconcile as compare
from cadenza_server.settings import ServerSettings
from cadenza_server.storage import StorageSetupError, StorageUnavailableError
from cadenza_server.stores import open_s3, open_store
from cadenza_server.tables import Exercise, Piece, Routine, RoutineAssignment, User

_DEMO = UUID("5b0c5a4e-4a7e-4c1e-9d55-ca2dee2a0000")
DEMO_PASSWORD = "cadenza-demo"  # noqa: S105 - printed to whoever seeds a demo, refused outside dev
MIN_PASSWORD_LENGTH = 8


class AdminError(Exception):
    """What was asked for is not possible; the message says why."""


@dataclass(frozen=True)
class DemoAccounts:
    """What `seed_demo` made; the same every time."""

    student_email: str
    student_id: int
    teacher_email: str
    teacher_id: int
    piece_id: UUID
    piece_title: str
    exercise_id: UUID
    password: str = field(repr=False, default=DEMO_PASSWORD)


def init(settings: ServerSettings) -> None:
    """Make the data directory, the database and the object store; harmless to repeat."""
    with _opened(settings):
        if settings.storage == "local":
            FileStore(settings.objects_dir)


@dataclass(frozen=True)
class StorageStep:
    """One thing `init_storage` set up or tried.

    Attributes:
        name: bucket, lifecycle, cors, checksum, checksum_told, overwrite, encryption; directory.
        outcome: done, unchanged, unsupported, not_allowed; of what was tried: kept, not_kept.
        sentence: what it means, for a person.
    """

    name: str
    outcome: str
    sentence: str


def init_storage(settings: ServerSettings) -> tuple[StorageStep, ...]:
    """Make the object store ready, and tell what it can't do; harmless to repeat.

    Raises:
        AdminError: it can't be used at all.
    """
    if settings.storage == "local":
        FileStore(settings.objects_dir)
        sentence = f"The objects are kept in {settings.objects_dir}."
        return (StorageStep("directory", "done", sentence),)
    try:
        store = open_s3(settings)
        from cadenza_server.s3_store.setup import set_up

        steps = set_up(
            store,
            region=settings.region,
            is_aws=settings.s3_endpoint is None,
            origins=_page_origins(settings),
            prefix=settings.key_prefix,
        )
    except (StorageSetupError, StorageUnavailableError) as error:
        raise AdminError(str(error)) from None
    return tuple(StorageStep(step.name, step.outcome, step.sentence) for step in steps)


def _page_origins(settings: ServerSettings) -> tuple[str, ...]:
    """Where pages come from that upload to the store and play from it."""
    own = urlsplit(settings.public_url)
    named = (f"{own.scheme}://{own.netloc}",) if own.netloc else ()
    return tuple(dict.fromkeys((*named, *settings.cors_origins)))


def add_user(
    settings: ServerSettings,
    *,
    email: str,
    full_name: str | None = None,
    role: Literal["student", "teacher"] = "student",
    password: str | None = None,
    teacher_email: str | None = None,
) -> int:
    """Add somebody who can sign in.

    Args:
        settings: of which server.
        email: unique, whatever its case.
        full_name: as others see it.
        role: student or teacher.
        password: None for one who can't sign in by password.
        teacher_email: a student's teacher, who must exist.

    Returns:
        The user's id.

    Raises:
        AdminError: the e-mail is taken or no e-mail, the teacher is unknown, the password short.
    """
    if "@" not in email.strip("@ "):
        raise AdminError(f"{email!r} is not an e-mail address.")
    if password is not None and len(password) < MIN_PASSWORD_LENGTH:
        raise AdminError(f"A password has at least {MIN_PASSWORD_LENGTH} characters.")
    with _opened(settings) as db, db.writing() as session:
        if find_by_email(session, email):
            raise AdminError(f"{normalise_email(email)} has an account already.")
        return _add_user(session, email, full_name, role, password, teacher_email)


def reconcile(
    settings: ServerSettings, *, apply: bool = False, expect_missing: int | None = None
) -> Report:
    """Compare the store with the database (see `cadenza_server.reconciling`).

    Args:
        settings: of which server.
        apply: mark videos whose object is gone or back; otherwise only look.
        expect_missing: how many missing objects somebody has seen and believes.

    Raises:
        ReconcileAbortedError: the loss is too great to be believed.
        AdminError: the store does not answer or can't be used.
    """
    keyring = Keyring.from_settings(settings)
    try:
        store = open_store(settings, keyring, utc_now, is_sealed=lambda _key: True)
        with _opened(settings) as db:
            return compare(
                db,
                store.at(""),
                key_prefix=settings.key_prefix,
                apply=apply,
                expect_missing=expect_missing,
            )
    except (StorageSetupError, StorageUnavailableError) as error:
        raise AdminError(f"The store can't be listed: {error}") from None


def seed_demo(settings: ServerSettings) -> DemoAccounts:
    """A teacher, her student, a piece and a routine to try the product with; safe to repeat.

    Raises:
        AdminError: outside dev: its password is public.
    """
    if not settings.is_dev:
        raise AdminError("Demo accounts have a public password: they are for dev only.")
    with _opened(settings) as db, db.writing() as session:
        teacher = find_by_email(session, "teacher@demo.example")
        teacher_id = (teacher and teacher.id) or _add_user(
            session, "teacher@demo.example", "Tessa Moreno", "teacher", DEMO_PASSWORD, None
        )
        student = find_by_email(session, "student@demo.example")
        student_id = (student and student.id) or _add_user(
            session,
            "student@demo.example",
            "Sam Okafor",
            "student",
            DEMO_PASSWORD,
            "teacher@demo.example",
        )
        piece, exercise = _seed_practice(session, teacher_id, student_id)
        return DemoAccounts(
            student_email="student@demo.example",
            student_id=student_id,
            teacher_email="teacher@demo.example",
            teacher_id=teacher_id,
            piece_id=piece.id,
            piece_title=piece.title,
            exercise_id=exercise.id,
        )


def _add_user(
    session: Session,
    email: str,
    full_name: str | None,
    role: str,
    password: str | None,
    teacher_email: str | None,
) -> int:
    now = utc_now()
    teacher = find_by_email(session, teacher_email) if teacher_email else None
    if teacher_email and (teacher is None or teacher.user_type != "teacher"):
        raise AdminError(f"No teacher has the e-mail {normalise_email(teacher_email)}.")
    user = User(
        email=normalise_email(email),
        full_name=full_name,
        user_type=role,
        password_hash=Passwords().hash(password) if password else None,
        teacher_id=teacher.id if teacher else None,
        teacher_since=now if teacher else None,
        share_history=teacher is not None,
        created_at=now,
    )
    session.add(user)
    session.flush()
    assert user.id is not None
    return user.id


def _seed_practice(session: Session, teacher_id: int, student_id: int) -> tuple[Piece, Exercise]:
    now = utc_now()
    piece = session.get(Piece, uuid5(_DEMO, "piece")) or Piece(
        id=uuid5(_DEMO, "piece"),
        owner_id=student_id,
        title="Bach, Cello Suite No. 3: Bourrée I",
        page_count=2,
        created_at=now,
        updated_at=now,
    )
    routine = session.get(Routine, uuid5(_DEMO, "routine")) or Routine(
        id=uuid5(_DEMO, "routine"), owner_id=teacher_id, title="Daily half hour", created_at=now
    )
    exercise = session.get(Exercise, uuid5(_DEMO, "exercise")) or Exercise(
        id=uuid5(_DEMO, "exercise"),
        routine_id=routine.id,
        piece_id=piece.id,
        title="Bourrée, bars 1 to 20, with the metronome",
        order_index=0,
        recommended_time_seconds=600,
    )
    session.add_all([piece, routine])
    session.flush()
    session.add(exercise)
    if session.get(RoutineAssignment, student_id) is None:
        session.add(
            RoutineAssignment(
                student_id=student_id,
                routine_id=routine.id,
                assigned_by_id=teacher_id,
                assigned_at=now,
            )
        )
    session.flush()
    return piece, exercise


@contextmanager
def _opened(settings: ServerSettings) -> Iterator[Database]:
    db = open_database(settings)
    try:
        db.migrate()
        yield db
    finally:
        db.close()
