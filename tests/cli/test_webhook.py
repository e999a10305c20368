"""Webhooks at a terminal: told once, verified, never on a command line."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cadenza_client import CadenzaClient
from cadenza_uploader import CredentialStore
from tests.cli.conftest import Answer, Cadenza

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
EVENT = {
    "id": "evt_1",
    "type": "submission.uploaded",
    "timestamp": "2026-11-20T17:10:11Z",
    "data": {"submission_id": "6f0c1a2b-0000-4000-8000-000000000001", "user_id": 7},
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _post(port: int, body: bytes, *, at: float, key: bytes = KEY, length: str | None = None) -> int:
    """Post as the server does; the status of the answer. Waits until somebody listens."""
    stamp = str(int(at))
    signed = hmac.new(key, b"evt_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    if length is not None:
        headers["content-length"] = length
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, headers)
    for _ in range(200):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("nobody listens")


@pytest.fixture
def listening(cadenza: Cadenza) -> Callable[..., tuple[int, Answer]]:
    """Run `webhook listen` while the test posts from another thread."""

    def start(posts: Callable[[int], None], *words: object) -> tuple[int, Answer]:
        port = _free_port()
        poster = threading.Thread(target=posts, args=[port], daemon=True)
        poster.start()
        answer = cadenza("webhook", "listen", "--port", port, *words)
        poster.join(10)
        return port, answer

    return start


def test_what_is_signed_is_shown_and_nothing_else(
    cadenza: Cadenza, listening: Callable[..., tuple[int, Answer]]
) -> None:
    statuses: list[int] = []

    def posts(port: int) -> None:
        now = cadenza.clock.now
        statuses.append(_post(port, b'{"id": "CANARY"}', at=now, key=b"somebody else"))
        statuses.append(_post(port, json.dumps(EVENT).encode(), at=now - 3600))
        statuses.append(_post(port, b"x", at=now, length="262145"))
        statuses.append(_post(port, json.dumps(EVENT).encode(), at=now))

    cadenza.env["CADENZA_WEBHOOK_SECRET"] = SECRET
    port, answer = listening(posts, "--count", 1)
    assert answer.exit_code == 0
    assert statuses == [400, 400, 413, 204]
    (line,) = answer.lines
    assert "submission.uploaded  6f0c1a2b" in line
    assert "CANARY" not in answer.stdout + answer.stderr
    assert answer.stderr.count("Refused a post") == 2
    assert f"Listening on http://127.0.0.1:{port}/" in answer.stderr
    assert SECRET not in answer.stdout + answer.stderr


def test_in_json_every_event_is_a_line(
    cadenza: Cadenza, listening: Callable[..., tuple[int, Answer]], tmp_path: Path
) -> None:
    def posts(port: int) -> None:
        for _ in range(2):
            _post(port, json.dumps(EVENT).encode(), at=cadenza.clock.now)

    file = tmp_path / "hook.secret"
    file.write_text(f"{SECRET}\n")
    _, answer = listening(posts, "--count", 2, "--json", "--secret-file", file)
    assert [json.loads(line)["id"] for line in answer.lines] == ["evt_1", "evt_1"]
    assert answer.stderr == ""


def test_ctrl_c_ends_it(cadenza: Cadenza, listening: Callable[..., tuple[int, Answer]]) -> None:
    def posts(port: int) -> None:
        _post(port, json.dumps(EVENT).encode(), at=cadenza.clock.now)
        os.kill(os.getpid(), signal.SIGINT)

    cadenza.env["CADENZA_WEBHOOK_SECRET"] = SECRET
    _, answer = listening(posts)
    assert answer.exit_code == 0
    assert len(answer.lines) == 1


def test_without_a_secret_nothing_is_listened_for(cadenza: Cadenza, tmp_path: Path) -> None:
    answer = cadenza("webhook", "listen")
    assert (answer.exit_code, "CADENZA_WEBHOOK_SECRET" in answer.stderr) == (2, True)
    file = tmp_path / "hook.secret"
    file.write_text("no secret at all")
    answer = cadenza("webhook", "listen", "--secret-file", file)
    assert answer.exit_code == 2
    assert "no secret at all" not in answer.stderr
    assert cadenza("webhook", "listen", "--secret-file", tmp_path / "none").exit_code == 1


def test_a_port_that_is_taken_is_named(cadenza: Cadenza) -> None:
    cadenza.env["CADENZA_WEBHOOK_SECRET"] = SECRET
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = cadenza("webhook", "listen", "--port", taken.getsockname()[1])
    assert (answer.exit_code, "--port" in answer.stderr) == (1, True)


# ── with the server ────────────────────────────────────────────────────────────────────────────


def test_the_whole_way_from_add_to_rm(teacher: Cadenza, tmp_path: Path) -> None:
    port = _free_port()
    file = tmp_path / "hook.secret"
    assert "No webhooks." in teacher("webhook", "ls").stdout
    added = teacher(
        "webhook", "add", f"http://127.0.0.1:{port}/", "--type", "submission.uploaded",
        "--secret-file", file, "--json",
    )  # fmt: skip
    assert added.exit_code == 0, added.stderr
    assert "secret" not in added.document
    assert file.stat().st_mode & 0o077 == 0
    assert file.read_text().startswith("whsec_")
    hook = added.document["id"]
    again = teacher("webhook", "add", f"http://127.0.0.1:{port}/", "--secret-file", file)
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    assert "submission.uploaded" in teacher("webhook", "ls").lines[1]
    assert "Nothing was posted yet." in teacher("webhook", "deliveries", hook[:8]).stdout

    # The server's clock is the real one, which this device's stands for here.
    ours = replace(teacher, clock=type(teacher.clock)(time.time()))
    posted: list[str] = []

    def from_another_device() -> None:
        credential = CredentialStore(teacher.home).load(teacher.env["CADENZA_URL"])
        assert credential is not None
        with CadenzaClient(teacher.env["CADENZA_URL"], token=credential.token, env={}) as client:
            delivery = client.webhooks.test(hook)
            client.webhooks.replay(delivery.id)
            posted.extend([delivery.event_id] * 2)

    elsewhere = threading.Timer(0.5, from_another_device)
    elsewhere.start()
    heard = ours("webhook", "listen", "--port", port, "--secret-file", file, "--count", 2, "-q")
    elsewhere.join()
    assert heard.lines == posted
    deadline = time.monotonic() + 30
    while teacher("webhook", "deliveries", hook).stdout.count("delivered") < 2:
        assert time.monotonic() < deadline
    document = teacher("webhook", "deliveries", hook, "--json").document["deliveries"]
    assert {one["response_code"] for one in document} == {204}

    assert "on its way" in teacher("webhook", "test", hook[:8]).stdout
    assert "on its way again" in teacher("webhook", "replay", document[0]["id"]).stdout
    assert "Nothing more is posted" in teacher("webhook", "rm", hook[:8]).stdout
    assert teacher("webhook", "test", hook).exit_code == 1


def test_a_secret_that_goes_nowhere_else_is_shown_once(teacher: Cadenza) -> None:
    shown = teacher("webhook", "add", "http://127.0.0.1:9/")
    assert "Secret, told this once: whsec_" in shown.stdout
    told = teacher("webhook", "add", "http://127.0.0.1:9/", "--json").document
    assert told["secret"].startswith("whsec_")
    assert "whsec_" not in teacher("webhook", "ls", "--json").stdout
    assert teacher("webhook", "rm", "").exit_code == 1, "which of the two?"


def test_an_address_the_server_does_not_post_to_is_refused(teacher: Cadenza) -> None:
    answer = teacher("webhook", "add", "https://169.254.169.254/latest")
    assert answer.exit_code == 6
