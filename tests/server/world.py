"""A server with people in it, asked in this process and without a socket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from cadenza_server.context import Services
from cadenza_server.tables import (
    Exercise,
    Piece,
    PracticeSession,
    Routine,
    RoutineAssignment,
    Studio,
    User,
)

BASE_URL = "http://cadenza.test"
START = datetime(2026, 11, 20, 17, 0, 0, tzinfo=UTC)
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


class FakeClock:
    """Time that goes on only when told to; also the monotonic clock."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - START).total_seconds()

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


class InProcess(httpx.BaseTransport):
    """httpx's ASGI transport, for synchronous tests."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self.client = ("127.0.0.1", 123)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        transport = httpx.ASGITransport(self._app, client=self.client)
        response = await transport.handle_async_request(request)
        body = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@dataclass
class World:
    """Two teachers, their students, a studio's admin, and what they practise."""

    app: FastAPI
    clock: FakeClock
    http: httpx.Client
    services: Services = field(init=False)
    people: dict[str, int] = field(default_factory=dict)
    piece_id: UUID = field(default_factory=uuid4)
    foreign_piece_id: UUID = field(default_factory=uuid4)
    routine_id: UUID = field(default_factory=uuid4)
    exercise_id: UUID = field(default_factory=uuid4)
    session_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.services = self.app.state.services
        self._people()
        self._practice()

    def _people(self) -> None:
        with self.services.db.writing() as session:
            studio = Studio(name="Studio North")
            session.add(studio)
            session.flush()

            def add(name: str, kind: str, teacher: str | None = None, **more: Any) -> None:
                user = User(
                    email=f"{name}@studio.example",
                    full_name=name.replace("_", " ").title(),
                    user_type=kind,
                    teacher_id=self.people[teacher] if teacher else None,
                    teacher_since=START - timedelta(days=30) if teacher else None,
                    share_history=teacher is not None,
                    created_at=START - timedelta(days=60),
                    **more,
                )
                session.add(user)
                session.flush()
                assert user.id is not None
                self.people[name] = user.id

            add("teacher", "teacher", studio_id=studio.id)
            add("other_teacher", "teacher")
            add("student", "student", "teacher", studio_id=studio.id)
            add("second_student", "student", "teacher")
            add("other_student", "student", "other_teacher")
            add("admin", "teacher", studio_id=studio.id, is_studio_admin=True)
            # Taught somebody once: a test says whom.
            add("former_teacher", "teacher")

    def _practice(self) -> None:
        student, teacher = self.people["student"], self.people["teacher"]
        with self.services.db.writing() as session:
            session.add_all(
                [
                    Piece(
                        id=self.piece_id,
                        owner_id=student,
                        title="Bourrée",
                        created_at=START,
                        updated_at=START,
                    ),
                    Piece(
                        id=self.foreign_piece_id,
                        owner_id=self.people["other_student"],
                        title="Gigue",
                        created_at=START,
                        updated_at=START,
                    ),
                    Routine(
                        id=self.routine_id, owner_id=teacher, title="Half hour", created_at=START
                    ),
                ]
            )
            session.flush()
            session.add_all(
                [
                    Exercise(
                        id=self.exercise_id,
                        routine_id=self.routine_id,
                        title="Scales in thirds",
                        order_index=0,
                    ),
                    RoutineAssignment(
                        student_id=student,
                        routine_id=self.routine_id,
                        assigned_by_id=teacher,
                        assigned_at=START,
                    ),
                    PracticeSession(
                        id=self.session_id,
                        user_id=student,
                        routine_id=self.routine_id,
                        started_at=START,
                    ),
                ]
            )

    # ── asking ────────────────────────────────────────────────────────────────

    def ask(self, who: str | None, method: str, path: str, **options: Any) -> httpx.Response:
        """One request as one of the people, or as a stranger."""
        headers = dict(options.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer dev_token_user_{self.people[who]}"
        return self.http.request(method, path, headers=headers, **options)

    def create(self, who: str = "student", **fields: Any) -> dict[str, Any]:
        """A new submission; the answer to its creation."""
        response = self.ask(who, "POST", "/video-submissions", json=self.take(**fields))
        assert response.status_code == 201, response.text
        return dict(response.json())

    def take(self, **fields: Any) -> dict[str, Any]:
        """The body of a creation: a v1 take, unless more is given. None leaves a field out."""
        body = {"piece_id": str(self.piece_id), "duration_seconds": 45, **fields}
        return {name: value for name, value in body.items() if value is not None}

    def put(self, answer: Mapping[str, Any], data: bytes, kind: str = "") -> httpx.Response:
        """Upload to a URL of a creation or an upload-url answer, with the headers it gave."""
        prefix = f"{kind}_" if kind else ""
        return self.http.put(
            answer[f"{prefix}upload_url"],
            content=data,
            headers=answer[f"{prefix}upload_headers"],
        )

    def confirm(self, submission_id: str, who: str = "student", **body: Any) -> httpx.Response:
        return self.ask(who, "POST", f"/video-submissions/{submission_id}/confirm", json=body)

    def uploaded(self, data: bytes = MP4, **fields: Any) -> str:
        """The id of a v2 submission that is uploaded and confirmed."""
        answer = self.create(**declared(data), **fields)
        assert self.put(answer, data).status_code == 200
        submission_id = str(answer["submission"]["id"])
        assert self.confirm(submission_id, **facts(data)).status_code == 200
        return submission_id

    def uploaded_v1(self, data: bytes = MP4, **fields: Any) -> str:
        """The id of a v1 submission whose bytes are stored and never confirmed."""
        answer = self.create(**fields)
        assert self.put(answer, data).status_code == 200
        return str(answer["submission"]["id"])

    def event_names(self, submission_id: str) -> list[str]:
        response = self.ask("student", "GET", f"/video-submissions/{submission_id}/events")
        return [line["event"] for line in response.json()]


def facts(data: bytes) -> dict[str, Any]:
    """Size and checksum, as a client announces or confirms them."""
    return {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def declared(data: bytes) -> dict[str, Any]:
    """What a v2 client adds to a creation."""
    return {"id": str(uuid4()), **facts(data)}
