"""One API server in a process of its own: ours as people run it, or a bare insert to compare with.

The parent reads one JSON line (where it is, and what a request needs) and closes our input to
end us; we also end when the parent was killed.
"""

import json
import os
import signal
import socket
import sys
import threading
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import event, make_url
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Field, Session, SQLModel, create_engine

from cadenza_server.admin import seed_demo
from cadenza_server.postgresql import with_driver
from cadenza_server.serving import serve
from cadenza_server.settings import ServerSettings

# As in cadenza_server.database: what is acknowledged survives a power cut, on both sides.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "fullfsync=ON", "busy_timeout=10000")
# As many connections as ours keeps: with the default of five, three of the eight clients would
# have theirs opened anew at every request.
_POOL = 10


class BareSubmission(SQLModel, table=True):
    """The row a create leaves, as the plain tutorial way would have it."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: int = Field(index=True)
    piece_id: UUID | None = None
    exercise_id: UUID | None = None
    session_id: UUID | None = None
    s3_key: str
    duration_seconds: int
    notes: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    captured_at: datetime | None = None
    reviewed_at: datetime | None = None
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class _NewBareSubmission(BaseModel):
    id: UUID
    piece_id: UUID | None = None
    exercise_id: UUID | None = None
    session_id: UUID | None = None
    duration_seconds: int
    notes: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    captured_at: datetime | None = None


def bare_app(url: str) -> FastAPI:
    """FastAPI and SQLModel and nothing else: no sign-in, no rule, no signed URL, no event."""
    is_sqlite = url.startswith("sqlite")
    arguments = {"check_same_thread": False} if is_sqlite else {}
    engine = create_engine(with_driver(make_url(url)), connect_args=arguments, pool_size=_POOL)

    def set_pragmas(connection: object, _record: ConnectionPoolEntry) -> None:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()  # type: ignore[attr-defined]

    if is_sqlite:
        event.listen(engine, "connect", set_pragmas)
    SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables["baresubmission"]])
    app = FastAPI()

    @app.post("/video-submissions", status_code=201)
    def create(body: _NewBareSubmission) -> BareSubmission:
        with Session(engine) as session:
            row = BareSubmission(**body.model_dump(), user_id=1, s3_key=f"1/{body.id}.mp4")
            session.add(row)
            session.commit()
            session.refresh(row)
            return row

    return app


def serve_cadenza(folder: Path, port: int, db: str, workers: int) -> None:
    """Our server with its embedded defaults, one student in it, and her signed token."""
    settings = ServerSettings(data_dir=folder, db=db, workers=workers, derivatives="off")
    accounts = seed_demo(settings)

    def ready(url: str) -> None:
        # The port is open, but nobody answers until `serve` goes on.
        threading.Thread(target=announce, args=(url,), daemon=True).start()

    def announce(url: str) -> None:
        address = f"{url}/auth/dev-login?email={accounts.student_email}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(urllib.request.Request(address, method="POST"), timeout=30) as answer:
            token = json.load(answer)["access_token"]
        _tell(url, token=token, user_id=accounts.student_id, piece_id=str(accounts.piece_id))

    serve(settings, port=port, on_ready=ready)


def serve_bare(folder: Path, port: int, db: str, _workers: int) -> None:
    """The same process model for the peer: one worker, the same event loop and parser."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = bare_app(db or f"sqlite:///{folder / 'bare.db'}")
    app.router.on_startup.append(lambda: _tell(url))
    config = uvicorn.Config(app, access_log=False, log_config=None, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _tell(url: str, *, token: str = "", user_id: int = 1, piece_id: str = str(UUID(int=1))) -> None:
    line = {"url": url, "token": token, "user_id": user_id, "piece_id": piece_id}
    print(json.dumps(line), flush=True)


def _end_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _, kind, folder, port, db, workers = sys.argv
    start = {"cadenza": serve_cadenza, "bare": serve_bare}[kind]
    start(Path(folder), int(port), db, int(workers))
