"""A server on one of its stores, with people in it, and the way to its objects."""

from __future__ import annotations

import hashlib
import itertools
import socket
import threading
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from benchmarks.s3server import S3Server
from cadenza_client import CadenzaClient, NewSubmission
from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.serving import run_in_thread
from cadenza_server.storage import Storage

MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
MAX_BYTES = 4_000_000
_numbers = itertools.count()


class Door:
    """A way to a server, byte for byte; it can be shut on the next answer that comes back.

    The request has been acted on by then: what is lost is only the news of it.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._target = ("127.0.0.1", 0)
        self._shut = threading.Event()
        self.lost = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def lead_to(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._target = (address.hostname, address.port)

    def lose_next_answer(self) -> None:
        self._shut.set()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target, timeout=30)
                for work in (self._forward, self._return):
                    threading.Thread(target=work, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while part := near.recv(65536):
                far.sendall(part)
        with suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    def _return(self, near: socket.socket, far: socket.socket) -> None:
        with closing(near), closing(far), suppress(OSError):
            while part := far.recv(65536):
                if self._shut.is_set() and not part.startswith(b"HTTP/1.1 100"):
                    self._shut.clear()
                    self.lost += 1
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(part)


@dataclass
class World:
    """A running server on one store.

    Attributes:
        store: builtin or swift.
        url: where the API is.
        door: what the signed URLs lead through.
        storage: the store itself, past the server.
    """

    store: str
    url: str
    door: Door
    storage: Storage
    settings: ServerSettings
    student_token: str = field(repr=False)
    teacher_token: str = field(repr=False)
    student_id: int
    piece_id: UUID

    def client(self, token: str, **options: Any) -> CadenzaClient:
        """A client that may send to where the signed URLs lead."""
        hosts = (urlsplit(self.door.url).netloc,)
        return CadenzaClient(self.url, token=token, env={}, storage_hosts=hosts, **options)

    def announce(self, take: Path, **changes: Any) -> NewSubmission:
        """The creation of a take, everything declared unless told otherwise."""
        data = take.read_bytes()
        facts: dict[str, Any] = {
            "id": uuid4(),
            "piece_id": self.piece_id,
            "duration_seconds": 45,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return NewSubmission(**{**facts, **changes})


def s3_settings(server: S3Server, folder: Path, **more: Any) -> ServerSettings:
    """Settings of a server on a bucket of its own."""
    chosen: dict[str, Any] = {
        "storage": "s3",
        "s3_bucket": f"takes-{next(_numbers)}-{uuid4().hex[:8]}",
        "s3_region": server.region,
        "s3_endpoint": server.endpoint_url,
        "s3_access_key_id": server.access_key,
        "s3_secret_access_key": server.secret_key,
        "data_dir": folder,
    }
    return ServerSettings(**{**chosen, **more})


def open_world(
    stack: ExitStack, folder: Path, server: S3Server | None = None, **more: Any
) -> World:
    """Start a server on the built-in store, or on a bucket of an S3 server."""
    door = stack.enter_context(closing(Door()))
    more = {"max_upload_bytes": MAX_BYTES, **more}
    if server is None:
        settings = ServerSettings(data_dir=folder, public_url=door.url, **more)
    else:
        settings = s3_settings(server, folder, s3_public_endpoint=door.url, **more)
    admin.init(settings)
    admin.init_storage(settings)
    demo = admin.seed_demo(settings)
    app = create_app(settings)
    stack.callback(app.state.services.db.close)
    running = stack.enter_context(run_in_thread(app))
    door.lead_to(server.endpoint_url if server else running.url)
    with CadenzaClient(running.url, env={}) as client:
        student, teacher = (
            client.auth.login(email, demo.password).access_token
            for email in (demo.student_email, demo.teacher_email)
        )
    return World(
        store="swift" if server else "builtin",
        url=running.url,
        door=door,
        storage=app.state.services.storage_at(door.url),
        settings=settings,
        student_token=student,
        teacher_token=teacher,
        student_id=demo.student_id,
        piece_id=demo.piece_id,
    )
