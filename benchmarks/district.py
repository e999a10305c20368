"""A school district in a database: teachers, students, and their takes, made by the database.

A million takes through the API would take hours; as one statement they take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza_server.database import Database

FIRST_ID = 100_000
STUDENTS_OF_A_TEACHER = 20
START = datetime(2026, 9, 1, 14, 0, tzinfo=UTC)
_WAITING_OF_HUNDRED, _REVIEWED_OF_HUNDRED = 2, 80


@dataclass(frozen=True)
class District:
    """Who is there.

    Attributes:
        students: how many; their ids are consecutive.
        takes_each: how many takes each of them has.
    """

    students: int
    takes_each: int

    @property
    def teachers(self) -> int:
        """How many teachers they have."""
        return -(-self.students // STUDENTS_OF_A_TEACHER)

    def teacher_id(self, number: int) -> int:
        """The id of a teacher."""
        return FIRST_ID + number

    def student_id(self, number: int) -> int:
        """The id of a student."""
        return FIRST_ID + self.teachers + number

    def piece_id(self, number: int) -> UUID:
        """The id of the piece this student plays."""
        return UUID(int=self.student_id(number))


def fill(db: Database, district: District) -> None:
    """Put a district into a migrated database.

    Each student has one piece and so many takes, one every twelve hours: 80 % are reviewed, 2 %
    have not arrived. Ids are random, as the clients' are.
    """
    sql = _Sqlite() if db.is_sqlite else _Postgresql()
    numbers = {
        "first": FIRST_ID,
        "teachers": district.teachers,
        "students": district.students,
        "takes": district.students * district.takes_each,
        "each": district.takes_each,
        "start": START.replace(tzinfo=None) if db.is_sqlite else START,
        "day": START.strftime("%Y-%m-%d %H:%M:%S"),
        "of_a_teacher": STUDENTS_OF_A_TEACHER,
        "waiting": _WAITING_OF_HUNDRED,
        "reviewed": _REVIEWED_OF_HUNDRED,
    }
    with db.writing() as session:
        if not db.is_sqlite:
            # A million rows that are right by construction: no patience needed, no check of each.
            session.core.execute(text("SET LOCAL statement_timeout = 0"))
            session.core.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in sql.statements():
            parameters = {name: numbers[name] for name in numbers if f":{name}" in statement}
            session.core.execute(text(statement), parameters)
    _analyse(db)


class _Postgresql:
    """The words in which PostgreSQL makes rows."""

    false, true = "false", "true"
    random_id = "gen_random_uuid()"
    now = "CAST(:day AS timestamptz)"

    def series(self, name: str, count: str) -> str:
        return f"generate_series(0, {count} - 1) AS {name}(n)"

    def hex_id(self, number: str) -> str:
        return f"CAST(lpad(to_hex({number}), 32, '0') AS uuid)"

    def later(self, hours: str) -> str:
        return f"{self.now} + ({hours}) * interval '1 hour'"

    def statements(self) -> list[str]:
        student = "(:first + :teachers + n / :each)"
        reviewed = "(n * 37) % 100 < :reviewed"
        is_waiting = "(n * 37) % 100 >= 100 - :waiting"
        state = f"CASE WHEN {is_waiting} THEN 'awaiting_upload' ELSE 'ready' END"
        teacher = "(:first + (n / :each) / :of_a_teacher)"
        at = self.later("(n % :each) * 12")
        people = "id, email, full_name, user_type, teacher_id, teacher_since, features, created_at"
        return [
            f"INSERT INTO users ({people}) SELECT :first + n, 'teacher-' || n || '@district.test', "
            f"'Teacher ' || n, 'teacher', NULL, NULL, '{{}}', {self.now} "
            f"FROM {self.series('t', ':teachers')}",
            f"INSERT INTO users ({people}) SELECT :first + :teachers + n, "
            "'student-' || n || '@district.test', 'Student ' || n, 'student', "
            f":first + n / :of_a_teacher, {self.now}, '{{}}', {self.now} "
            f"FROM {self.series('s', ':students')}",
            "INSERT INTO pieces (id, owner_id, title, created_at, updated_at) "
            f"SELECT {self.hex_id(':first + :teachers + n')}, :first + :teachers + n, "
            f"'Etude ' || n, {self.now}, {self.now} FROM {self.series('p', ':students')}",
            f"CREATE TEMPORARY TABLE made AS SELECT n, {self.random_id} AS id "
            f"FROM {self.series('m', ':takes')}",
            "INSERT INTO media_assets (id, owner_id, kind, s3_key, content_type, state, "
            "declared_size, size_bytes, etag, confirmed_at, confirmed_by, created_at) "
            f"SELECT id, {student}, 'take', 'dev/' || id || '.mp4', 'video/mp4', {state}, "
            "30000000, 30000000, 'etag', "
            f"CASE WHEN {is_waiting} THEN NULL ELSE {at} END, 'client', {at} FROM made",
            "INSERT INTO video_submissions (id, asset_id, user_id, piece_id, duration_seconds, "
            "page_number, reviewed_at, reviewed_by_id, captured_at, created_at, "
            f"create_fingerprint) SELECT id, id, {student}, "
            f"{self.hex_id(':first + :teachers + n / :each')}, 90, 1 + n % 4, "
            f"CASE WHEN {reviewed} THEN {at} END, CASE WHEN {reviewed} THEN {teacher} END, "
            f"{at}, {at}, 'bulk' FROM made",
            *self._conversations(student, teacher, at),
            "DROP TABLE made",
        ]

    def _conversations(self, student: str, teacher: str, at: str) -> list[str]:
        """About each tenth take: an answer that was read or not, and a mark in the video."""
        own = self.hex_id(":first + :teachers + n")
        owner = ":first + :teachers + n"
        students = self.series("p", ":students")
        tenth = "FROM made WHERE n % 10 = 0"
        return [
            "INSERT INTO routines (id, owner_id, title, created_at) "
            f"SELECT {own}, {owner}, 'Routine', {self.now} FROM {students}",
            "INSERT INTO exercises (id, routine_id, piece_id, title, order_index) "
            f"SELECT {own}, {own}, {own}, 'Exercise', 0 FROM {students}",
            "INSERT INTO practice_sessions (id, user_id, routine_id, started_at) "
            f"SELECT {own}, {owner}, {own}, {self.now} FROM {students}",
            "INSERT INTO routine_assignments (student_id, routine_id, assigned_by_id, assigned_at) "
            f"SELECT {owner}, {own}, :first, {self.now} FROM {students}",
            "INSERT INTO messages (id, submission_id, sender_id, text, created_at, "
            f"create_fingerprint) SELECT id, id, {teacher}, 'Slower.', {at}, 'bulk' {tenth}",
            f"INSERT INTO message_reads (message_id, user_id, read_at) SELECT id, {student}, {at} "
            f"{tenth} AND n % 20 = 0",
            "INSERT INTO video_markers (id, submission_id, author_id, timestamp_ms, text, "
            "marker_type, status, created_at) "
            f"SELECT id, id, {student}, 1000, 'Like this?', 'question', 'open', {at} {tenth}",
            "INSERT INTO notifications (id, user_id, event_id, type, event_count, title, body, "
            f"url, created_at) SELECT id, {student}, 'evt_0', 'message.created', 1, 'An answer', "
            f"'Slower.', '/', {at} {tenth}",
        ]


class _Sqlite(_Postgresql):
    """The words in which SQLite does."""

    random_id = "lower(hex(randomblob(16)))"
    now = ":day || '.000000'"

    def series(self, name: str, count: str) -> str:
        return (
            f"(WITH RECURSIVE {name}(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM {name} "
            f"WHERE n + 1 < {count}) SELECT n FROM {name})"
        )

    def hex_id(self, number: str) -> str:
        return f"printf('%032x', {number})"

    def later(self, hours: str) -> str:
        return f"datetime(:day, '+' || ({hours}) || ' hours') || '.000000'"


def _analyse(db: Database) -> None:
    """A database that has run for a night knows how its rows are spread."""
    connection: Connection
    with db.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
