"""Three ways to reach a client, and what happens when it does not behave."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cadenza_conformance import Report, load_scenarios, run_suite, select
from cadenza_conformance._transport._pull import PullFactory
from cadenza_conformance.adapters.python import PythonAdapter
from cadenza_conformance.transports import (
    AdapterError,
    AdapterFactory,
    exec_adapter,
    http_adapter,
    pull_adapter,
)

SCENARIOS = select(load_scenarios(), ["happy-one", "url-expired-once"])


class Client:
    """The reference client in this process, with the `reset` that taking turns needs."""

    def __init__(self) -> None:
        self._adapter = PythonAdapter()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["cmd"] == "reset":
            self._adapter.on_stop()
            self._adapter = PythonAdapter()
            return {"ok": True}
        return self._adapter.answer(request)


@contextmanager
def a_web_service(client: Client) -> Iterator[str]:
    """The client behind HTTP, as a team would put it there."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            reply = json.dumps(client.answer(json.loads(self.rfile.read(length)))).encode()
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _pull(url: str, client: Client) -> None:
    """What an app in a simulator does."""
    while True:
        with urllib.request.urlopen(f"{url}/next") as answer:
            if answer.status == 204:
                continue
            command = json.load(answer)
        if command["cmd"] == "bye":
            return
        number = command.pop("seq")
        reply = {**client.answer(command), "seq": number}
        post = urllib.request.Request(f"{url}/result", json.dumps(reply).encode(), method="POST")
        urllib.request.urlopen(post).close()


def _run(factory: AdapterFactory, **options: Any) -> Report:
    from cadenza_conformance import Options

    return asyncio.run(run_suite(factory, SCENARIOS, Options(**options)))


def test_a_web_service_is_judged() -> None:
    with a_web_service(Client()) as url:
        report = _run(http_adapter(url))
    assert [result.verdict for result in report.results] == ["PASS", "PASS"]
    assert "kill" not in report.capabilities  # nobody said how


def test_a_client_that_asks_for_work_is_judged() -> None:
    async def play() -> Report:
        factory = pull_adapter(port=0)
        assert isinstance(factory, PullFactory)
        original, threads = factory.open, list[threading.Thread]()

        async def opened() -> None:
            await original()
            threads.append(threading.Thread(target=_pull, args=(factory.url, Client())))
            threads[0].start()

        factory.open = opened  # type: ignore[method-assign] # the client starts when the port is open
        report = await run_suite(factory, SCENARIOS)
        await asyncio.to_thread(threads[0].join, 10)
        assert not threads[0].is_alive()
        return report

    report = asyncio.run(play())
    assert [result.verdict for result in report.results] == ["PASS", "PASS"]


def test_what_is_no_result_is_told_so() -> None:
    async def play() -> list[int]:
        factory = pull_adapter(port=0)
        assert isinstance(factory, PullFactory)
        await factory.open()
        try:
            return [
                await asyncio.to_thread(_status, f"{factory.url}/result", b"[]"),
                await asyncio.to_thread(_status, f"{factory.url}/result", b'{"seq": 99}'),
                await asyncio.to_thread(_status, f"{factory.url}/nonsense", b""),
            ]
        finally:
            await factory.close()

    assert asyncio.run(play()) == [400, 200, 404]


def _status(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        ("import sys; sys.exit(3)", "ended with code 3"),
        ("print('good morning', flush=True); input(); input()", "not JSON"),
        ("input(); print('[]', flush=True); input()", "not an object"),
        ('input(); print(\'{"ok": false, "error": "tired"}\', flush=True); input()', "tired"),
    ],
)
def test_an_adapter_that_does_not_speak_the_protocol_proves_nothing(
    program: str, seen: str
) -> None:
    report = _run(exec_adapter([sys.executable, "-c", program]))
    assert {result.verdict for result in report.results} == {"INCONCLUSIVE"}
    assert seen in report.results[0].reason
    assert report.exit_code == 2


def test_a_program_that_is_not_there_proves_nothing(tmp_path: Path) -> None:
    report = _run(exec_adapter([str(tmp_path / "nobody")]))
    assert report.results[0].verdict == "INCONCLUSIVE"
    assert "cannot be started" in report.results[0].reason


DIES = """
import json, sys
for line in sys.stdin:
    command = json.loads(line)["cmd"]
    if command == "start":
        sys.exit(1)
    print(json.dumps({"ok": True, "client": "mayfly", "capabilities": ["enqueue", "status"]}),
          flush=True)
"""


def test_a_client_that_dies_by_itself_has_failed() -> None:
    report = _run(exec_adapter([sys.executable, "-c", DIES]))
    assert {result.verdict for result in report.results} == {"FAIL"}
    assert "ended with code 1" in report.results[0].findings[0].seen


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(AdapterError, match="http://"):
        http_adapter("ftp://somewhere")


def test_kill_and_start_commands_are_run_without_a_shell(tmp_path: Path) -> None:
    from cadenza_conformance._transport._commands import Commands

    touched = tmp_path / "a file; with $odd words"
    commands = Commands(f"touch '{touched}'", "false")
    assert commands.can_kill
    asyncio.run(commands.kill())
    assert touched.exists()
    with pytest.raises(AdapterError, match="code 1"):
        asyncio.run(commands.start())
    with pytest.raises(AdapterError, match="not given"):
        asyncio.run(Commands().kill())


def test_an_http_client_is_killed_and_waited_for() -> None:
    """`kill` runs one command, `up` another, until somebody listens again."""
    from cadenza_conformance._transport._commands import Commands
    from cadenza_conformance._transport._http import HttpFactory

    with a_web_service(Client()) as url:
        adapter = HttpFactory(url, Commands("true", "true")).make("x")

        async def play() -> dict[str, Any]:
            await adapter.kill()
            assert not adapter.is_up
            await adapter.up()
            return await adapter.call("hello", timeout_seconds=5, schema="cadenza-conformance/1.0")

        assert asyncio.run(play())["client"] == "cadenza-python"
        assert adapter.log_text() == ""
