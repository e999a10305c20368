"""Several workers: real processes, one port, one database; one of them dies under load."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cadenza_server import ServerSettings, admin, workers
from cadenza_server.hosting import StartError
from tests.server.databases import ON_SQLITE, NewDatabase

_PROGRAM = """
from cadenza_server import ServerSettings
from cadenza_server.serving import serve
if __name__ == "__main__":
    serve(ServerSettings(), port=0, on_ready=lambda url: print(url, flush=True))
"""


@dataclass
class Running:
    """A server with workers, in a process of its own."""

    process: subprocess.Popen[Any]
    url: str
    log_file: Path
    token: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)

    def workers(self) -> set[int]:
        """The ids of the processes that serve."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {pid for pid in map(int, children.split()) if _is_worker(pid)}

    def finish(self, how: signal.Signals | None = signal.SIGTERM) -> int:
        """Stop it, and keep what it wrote."""
        if how is not None:
            self.process.send_signal(how)
        self.process.wait(60)
        log = self.log_file.read_text()
        self.log += [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert "Traceback" not in log
        return self.process.returncode


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


@pytest.fixture
def settings(new_database: NewDatabase, tmp_path: Path) -> ServerSettings:
    return ServerSettings(data_dir=tmp_path / "data", db=new_database())


@contextmanager
def _started(settings: ServerSettings, tmp_path: Path, **environ: str) -> Iterator[Running]:
    accounts = admin.seed_demo(settings)
    with _starting(settings, tmp_path, **environ) as server:
        email = accounts.student_email
        answer = httpx.post(f"{server.url}/auth/dev-login", params={"email": email}, timeout=60)
        server.token = answer.json()["access_token"]
        yield server


@contextmanager
def _starting(settings: ServerSettings, tmp_path: Path, **environ: str) -> Iterator[Running]:
    """Its port is open; the workers may still be on their way."""
    program = tmp_path / "serve.py"
    program.write_text(_PROGRAM)
    log_file = tmp_path / "log"  # a pipe that nobody empties would stop the server
    with log_file.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(program)],
            env={
                **os.environ,
                "CADENZA_SERVER_DIR": str(settings.data_dir),
                "CADENZA_DB": settings.db,
                "CADENZA_WORKERS": "2",
                "CADENZA_DERIVATIVES": "off",
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, log_file.read_text()
        yield Running(process, url, log_file)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def _create(http: httpx.Client, piece_id: str) -> httpx.Response:
    body = {"id": str(uuid4()), "piece_id": piece_id, "duration_seconds": 45}
    return http.post("/video-submissions", json=body)


def _client(server: Running) -> httpx.Client:
    return httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {server.token}"}, timeout=30
    )


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_killed_under_load_loses_nothing_that_was_acknowledged(
    settings: ServerSettings, tmp_path: Path
) -> None:
    with _started(settings, tmp_path) as server, _client(server) as http:
        piece_id = http.get("/pieces").json()[0]["id"]
        before = server.workers()
        assert len(before) == 2
        acknowledged: set[str] = set()
        broken = itertools.count()
        stop = threading.Event()

        def load() -> float:
            slowest = 0.0
            while not stop.is_set():
                started = time.monotonic()
                try:
                    with _client(server) as own:
                        answer = _create(own, piece_id)
                except (httpx.NetworkError, httpx.RemoteProtocolError):
                    # Its worker died: the connection ends, at once. A timeout would be a hang.
                    next(broken)
                else:
                    assert answer.status_code == 201, answer.text
                    acknowledged.add(answer.json()["submission"]["id"])
                slowest = max(slowest, time.monotonic() - started)
            return slowest

        with ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load) for _ in range(4)]
            _until(lambda: len(acknowledged) > 20)
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            there = len(acknowledged)
            _until(lambda: len(acknowledged) > there + 20)
            _until(lambda: len(server.workers() - {victim}) == 2)
            stop.set()
            slowest = max(done.result(60) for done in loads)

        assert slowest < 25
        kept: set[str] = set()
        url: str | None = "/video-submissions?limit=500"
        while url:
            page = http.get(url)
            kept |= {row["id"] for row in page.json()}
            url = page.links.get("next", {}).get("url")
        assert acknowledged <= kept
        # A request whose answer was lost may have been kept as well: that is what ids are for.
        assert len(kept - acknowledged) <= next(broken)
        assert server.finish() == 0
    died = [line for line in server.log if line["event"] == "worker_died"]
    assert [(line["pid"], line["exit_code"]) for line in died] == [(victim, -9)]


@ON_SQLITE
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_is_under_way(
    settings: ServerSettings, tmp_path: Path, how: signal.Signals
) -> None:
    data = b"\x00\x00\x00\x18ftypmp42" + bytes(1_000_000)
    with _started(settings, tmp_path) as server, _client(server) as http:
        piece_id = http.get("/pieces").json()[0]["id"]
        facts = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        body = {"id": str(uuid4()), "piece_id": piece_id, "duration_seconds": 45, **facts}
        answer = http.post("/video-submissions", json=body).json()
        half_sent = threading.Event()

        def slowly() -> Iterator[bytes]:
            yield data[:500_000]
            half_sent.set()
            _until(lambda: not _accepts(server.url))
            yield data[500_000:]

        with ThreadPoolExecutor(1) as pool:
            put = pool.submit(
                httpx.put,
                answer["upload_url"],
                content=slowly(),
                headers=answer["upload_headers"],
                timeout=30,
            )
            assert half_sent.wait(20)
            if how is signal.SIGINT:  # as a terminal does: to the whole group
                for pid in server.workers():
                    os.kill(pid, how)
            assert server.finish(how) == 0
            assert put.result(30).status_code == 200


def _accepts(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return not _is_refused(url)


def _is_refused(url: str) -> bool:
    # The parent keeps the port open to the end: what counts is that nobody takes requests.
    try:
        httpx.get(f"{url}/health", timeout=0.5)
    except httpx.TransportError:
        return True
    return False


@ON_SQLITE
@pytest.mark.parametrize("after_seconds", [0.0, 0.3, 0.8])
def test_an_interrupt_while_the_workers_start_ends_them_quietly(
    settings: ServerSettings, tmp_path: Path, after_seconds: float
) -> None:
    with _starting(settings, tmp_path) as server:
        _until(lambda: len(server.workers()) == 2)
        time.sleep(after_seconds)
        for pid in server.workers():
            os.kill(pid, signal.SIGINT)
        assert server.finish(signal.SIGINT) == 0


@ON_SQLITE
def test_workers_end_with_the_one_who_started_them(
    settings: ServerSettings, tmp_path: Path
) -> None:
    with _started(settings, tmp_path) as server:
        orphans = server.workers()
        assert len(orphans) == 2
        server.finish(signal.SIGKILL)

        _until(lambda: not any(_is_worker(pid) for pid in orphans))


@ON_SQLITE
def test_the_metrics_are_those_of_all_workers(settings: ServerSettings, tmp_path: Path) -> None:
    with _started(settings, tmp_path, CADENZA_METRICS="on") as server:
        pids: set[int] = set()
        for _ in range(40):
            assert httpx.get(f"{server.url}/health").status_code == 200
        text = httpx.get(f"{server.url}/metrics").text
        assert 'cadenza_requests_total{method="GET",route="/health",status="200"} 40.0' in text
        pids |= server.workers()
        folder = Path(f"/proc/{min(pids)}/environ").read_bytes()
        assert b"PROMETHEUS_MULTIPROC_DIR=" in folder
        assert server.finish() == 0


def test_workers_that_never_serve_end_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = 0

    class Dead:
        pid, exitcode, sentinel = 1, 3, -1

        def is_alive(self) -> bool:
            return False

        def terminate(self) -> None: ...

        def join(self, _timeout: float | None = None) -> None: ...

    class End:
        def close(self) -> None: ...

    def start(*_: object) -> Any:
        nonlocal started
        started += 1
        return workers._Worker(Dead(), End(), time.monotonic())  # type: ignore[arg-type] # doubles

    monkeypatch.setattr(workers, "_start", start)
    monkeypatch.setattr(workers, "wait", lambda *_, **__: [])
    settings = ServerSettings(data_dir=tmp_path, workers=2)
    with (
        socket.socket() as listener,
        pytest.raises(StartError, match="as soon as they are started"),
    ):
        workers.supervise(settings, listener, lambda: None)
    assert started == 2 + 5


def test_a_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_KILL_SECONDS", 0.1)
    done: list[str] = []

    class Stubborn:
        pid = 1

        def is_alive(self) -> bool:
            return "kill" not in done

        def terminate(self) -> None:
            done.append("terminate")

        def kill(self) -> None:
            done.append("kill")

        def join(self, _timeout: float | None = None) -> None:
            done.append("join")

    class End:
        def close(self) -> None:
            done.append("close")

    workers._stop([workers._Worker(Stubborn(), End(), 0.0)])  # type: ignore[arg-type] # doubles

    assert done == ["close", "terminate", "join", "kill", "join"]


def test_another_process_manager_can_run_the_factory(
    settings: ServerSettings, tmp_path: Path
) -> None:
    """As docs/operations.md says; uvicorn's own manager stands for them all."""
    accounts = admin.seed_demo(settings)
    words = "uvicorn cadenza_server:create_app --factory --workers 2 --log-level warning --fd"
    with socket.create_server(("127.0.0.1", 0)) as listener, (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words.split(), str(listener.fileno())],
            env={
                **os.environ,
                "CADENZA_SERVER_DIR": str(settings.data_dir),
                "CADENZA_DB": settings.db,
                "CADENZA_WORKERS": "2",
                "CADENZA_DERIVATIVES": "off",
            },
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
        )
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            email = accounts.student_email
            answer = httpx.post(f"{url}/auth/dev-login", params={"email": email}, timeout=60)
            server = Running(process, url, tmp_path / "log", answer.json()["access_token"])
            with _client(server) as http:
                assert http.get("/ready").json()["status"] == "ready"
                piece_id = http.get("/pieces").json()[0]["id"]
                made = {_create(http, piece_id).json()["submission"]["id"] for _ in range(8)}
                assert {row["id"] for row in http.get("/video-submissions").json()} == made
            assert len(server.workers()) == 2
            assert server.finish(signal.SIGTERM) == 0
        finally:
            process.kill()
            process.wait(20)
