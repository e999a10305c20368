"""Running it: in a thread, in the foreground, and stopped by a signal."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cadenza_server import ServerSettings, serving
from cadenza_server.hosting import StartError
from cadenza_server.logs import JsonLines, configure_logging
from cadenza_server.serving import (
    ExposedDevServerError,
    run_in_thread,
    serve,
)
from tests.server.world import World


def test_a_server_in_a_thread_comes_and_goes(world: World) -> None:
    with run_in_thread(world.app) as server:
        assert server.url.startswith("http://127.0.0.1:")
        answer = httpx.get(f"{server.url}/health")
        assert answer.json()["status"] == "ok"
        assert "server" not in answer.headers, "no advertisement of what runs here"
        assert "date" in answer.headers, "clients read the server's clock there"

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health")


def test_a_port_that_is_taken_is_said_at_once(world: World) -> None:
    with (
        run_in_thread(world.app) as server,
        pytest.raises(OSError, match="in use"),
    ):
        run_in_thread(world.app, port=int(server.url.rpartition(":")[2]))


def test_a_server_that_does_not_start_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)

    with pytest.raises(StartError):
        run_in_thread(world.app)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_dev_server_is_not_shown_to_the_network(tmp_path: Path, host: str) -> None:
    settings = ServerSettings(data_dir=tmp_path / "data")

    with pytest.raises(ExposedDevServerError, match="anybody can sign in"):
        serve(settings, host=host, port=0)
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    try:
        listener = serving._listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        assert re.fullmatch(r"http://\[::1\]:\d+", serving._url(listener))


def _start(tmp_path: Path, **environ: str) -> subprocess.Popen[str]:
    program = (
        "from cadenza_server import ServerSettings; from cadenza_server.serving import serve\n"
        "serve(ServerSettings(), port=0, on_ready=lambda url: print(url, flush=True))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "CADENZA_SERVER_DIR": str(tmp_path), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_it_serves_until_it_is_told_to_stop(
    tmp_path: Path, how: signal.Signals
) -> None:
    with _start(tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/health?secret=in-the-query").status_code == 200
        process.send_signal(how)
        _, log = process.communicate(timeout=20)

    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    (access,) = [line for line in lines if line["event"] == "request"]
    assert (access["method"], access["path"], access["status"]) == ("GET", "/health", 200)
    assert access["level"] == "info"
    assert {"request_id", "duration_ms", "at"} <= set(access)
    assert "in-the-query" not in log


def test_as_a_module_it_refuses_bad_settings_without_showing_them(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "CADENZA_SERVER_DIR": str(tmp_path),
        "CADENZA_ENV": "prod",
        "CADENZA_SECRET": "hunter2",
    }

    done = subprocess.run(
        [sys.executable, "-m", "cadenza_server"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "CADENZA_SECRET needs at least 32 characters" in done.stderr
    assert "hunter2" not in done.stderr


def test_the_log_is_one_json_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.makeLogRecord(
        {"name": "cadenza.server", "msg": "unhandled_error", "levelname": "ERROR", "levelno": 40}
    )
    vars(record)["path_of_it"] = Path("/x")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record.exc_info = sys.exc_info()

    text = JsonLines().format(record)

    line = json.loads(text)
    assert "\n" not in text
    assert (line["event"], line["level"], line["path_of_it"]) == ("unhandled_error", "error", "/x")
    assert "ValueError: two" in line["error"]


def test_logging_is_set_up_for_this_server_alone() -> None:
    names = ("cadenza.server", "uvicorn.error")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    root = list(logging.getLogger().handlers)
    try:
        configure_logging()
        assert all(isinstance(logger.handlers[0].formatter, JsonLines) for logger in loggers)
        assert logging.getLogger().handlers == root
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
