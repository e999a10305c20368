"""Creating a submission: against a bare FastAPI and SQLModel insert."""

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks.figure import Pairs, Run, in_turn, seconds

_CONNECTIONS = 8
#: A turn: short, so that what else goes on meets both sides of a pair alike.
REQUESTS = 200
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class ApiServer:
    """A server in a process of its own, and who may ask it."""

    url: str
    token: str = field(repr=False)
    user_id: int
    piece_id: str


@contextlib.contextmanager
def api_server(
    kind: Literal["cadenza", "bare"],
    folder: Path,
    *,
    port: int = 0,
    db: str = "",
    workers: int = 1,
) -> Iterator[ApiServer]:
    """Run a server until the context ends.

    Args:
        kind: ours, or a bare insert.
        folder: for its data; made.
        port: 0 for any free one.
        db: the database's URL; a new SQLite in the folder when left out.
        workers: processes of ours.
    """
    folder.mkdir(parents=True)
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.server_process"),
                *(kind, str(folder), str(port), db, str(workers)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                text = (folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"the {kind} server did not start: {text[-400:]}")
            yield ApiServer(**json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def create(run: Run) -> Pairs:
    """Creates a second of our server and inserts a second of the bare one."""
    count = run.size(REQUESTS)
    with (
        api_server("cadenza", run.folder / "ours") as ours,
        api_server("bare", run.folder / "bare") as bare,
    ):
        pairs = in_turn(
            partial(drive, ours, count),
            partial(drive, bare, count),
            pairs=run.some_pairs,
            warm_up=2,
        )
    return pairs.rate(count)


def drive(server: ApiServer, count: int) -> float:
    """Seconds for so many creates over a few connections; every answer must be a 201.

    The generator writes bytes that were made before and reads little of what comes back: an HTTP
    client would cost more than the server it is to measure.
    """
    requests = [_request(server) for _ in range(count)]
    shares = [requests[start::_CONNECTIONS] for start in range(_CONNECTIONS)]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return seconds(lambda: list(pool.map(partial(_send_all, server.url), shares)))


def _request(server: ApiServer) -> bytes:
    body = json.dumps(
        {
            "id": str(uuid4()),
            "piece_id": server.piece_id,
            "duration_seconds": 93,
            "notes": "bars 9 to 16, the left hand is still late",
            "size_bytes": 31_415_926,
            "sha256": uuid4().hex * 2,
            "width": 1280,
            "height": 720,
            "captured_at": "2026-01-02T03:04:05Z",
        }
    ).encode()
    head = (
        "POST /video-submissions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {server.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _send_all(url: str, requests: Sequence[bytes]) -> None:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            connection.sendall(request)
            _read_created(connection)


def _read_created(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _receive(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 201 "):
        raise RuntimeError(f"a create was answered {head[:40]!r} {body[:200]!r}")
    length = _LENGTH.search(head)
    assert length is not None
    left = int(length[1]) - len(body)
    while left > 0:
        left -= len(_receive(connection))


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(1 << 16)
    if not received:
        raise RuntimeError("the server hung up")
    return received
