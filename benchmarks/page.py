"""The teacher's inbox with fifty rows: against reading one submission from the same server."""

import http.client
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from fastapi import FastAPI

from benchmarks.figure import Pairs, Run, in_turn, seconds
from cadenza_server import ServerSettings, create_app
from cadenza_server.auth import issue_token
from cadenza_server.page.session import COOKIE
from cadenza_server.serving import run_in_thread
from cadenza_server.tables import MediaAsset, Piece, User, VideoSubmission

_ROWS = 50
_REQUESTS = 20


def inbox(run: Run) -> Pairs:
    """Milliseconds for the whole page, and for one submission as JSON."""
    app = create_app(ServerSettings(data_dir=run.folder, derivatives="off"))
    teacher, submission = _fill(app)
    services = app.state.services
    token = issue_token(services.keyring, teacher, now=datetime.now(UTC), days=1)
    with run_in_thread(app) as server:
        address = urlsplit(server.url).netloc
        page = _reader(address, "/inbox", {"Cookie": f"{COOKIE}={token}"})
        one = _reader(
            address, f"/video-submissions/{submission}", {"Authorization": f"Bearer {token}"}
        )
        assert page().count(b"data-row") == _ROWS
        return in_turn(partial(_time, page), partial(_time, one), pairs=run.many_pairs, warm_up=3)


def _time(read: Callable[[], bytes]) -> float:
    return seconds(lambda: [read() for _ in range(_REQUESTS)]) / _REQUESTS * 1000


def _reader(address: str, path: str, headers: dict[str, str]) -> Callable[[], bytes]:
    connection = http.client.HTTPConnection(address, timeout=30)

    def read() -> bytes:
        connection.request("GET", path, headers={"Accept": "text/html", **headers})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}")
        return body

    return read


def _fill(app: FastAPI) -> tuple[int, UUID]:
    """A teacher whose student has sent fifty takes; the last one's id."""
    now, one = datetime.now(UTC), uuid4()
    with app.state.services.db.writing() as session:
        teacher = User(email="t@x.example", full_name="T", user_type="teacher", created_at=now)
        session.add(teacher)
        session.flush()
        student = User(
            email="s@x.example",
            full_name="S",
            user_type="student",
            teacher_id=teacher.id,
            share_history=True,
            created_at=now,
        )
        session.add(student)
        session.flush()
        assert teacher.id is not None
        assert student.id is not None
        piece = Piece(owner_id=student.id, title="Bourrée", created_at=now, updated_at=now)
        session.add(piece)
        session.flush()
        for _ in range(_ROWS):
            one = uuid4()
            key = f"dev/cadenza/videos/{student.id}/{one}"
            session.add(
                MediaAsset(
                    id=one,
                    owner_id=student.id,
                    s3_key=f"{key}.mp4",
                    thumbnail_s3_key=f"{key}_thumb.jpg",
                    state="ready",
                    size_bytes=1,
                    created_at=now,
                    confirmed_at=now,
                )
            )
            session.flush()
            session.add(
                VideoSubmission(
                    id=one,
                    asset_id=one,
                    user_id=student.id,
                    piece_id=piece.id,
                    duration_seconds=93,
                    notes="bars 9 to 16, the left hand is still late",
                    page_number=3,
                    measure_number=9,
                    measure_end=16,
                    captured_at=now,
                    created_at=now,
                    create_fingerprint="x",
                )
            )
        session.flush()
        return teacher.id, one
