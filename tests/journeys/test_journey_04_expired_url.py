"""Journey 4: the upload URL is too old when it is used; nobody notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cadenza_server import admin
from cadenza_server.app import create_app
from cadenza_server.clock import utc_now
from cadenza_server.serving import run_in_thread
from cadenza_server.settings import ServerSettings
from tests.journeys.conftest import Person


class LatePuts:
    """The server, whose clock jumps by two hours when the first uploads arrive."""

    def __init__(self, settings: ServerSettings, *, late_puts: int) -> None:
        self._late_puts = late_puts
        self._ahead = timedelta()
        self.puts: list[int] = []
        self.app = create_app(settings, clock=lambda: utc_now() + self._ahead)
        self.app.add_middleware(_Watch, seen=self._seen)

    def _seen(self, method: str, path: str) -> Callable[[int], None]:
        if method == "PUT" and path.startswith("/storage/"):
            if self._late_puts > 0:
                self._late_puts -= 1
                self._ahead += timedelta(hours=2)
            return self.puts.append
        return lambda _status: None


class _Watch:
    def __init__(self, app: Any, seen: Callable[[str, str], Callable[[int], None]]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = self._seen(scope["method"], scope["path"])

        async def watch(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered(message["status"])
            await send(message)

        await self._app(scope, receive, watch)


@pytest.mark.parametrize("late_puts", [1, 2])
def test_an_expired_url_is_replaced_without_a_word(
    tmp_path: Path, take: Path, people: Callable[[str, str], Person], late_puts: int
) -> None:
    settings = ServerSettings(data_dir=tmp_path / "server", secret=SecretStr("s" * 40))
    demo = admin.seed_demo(settings)
    late = LatePuts(settings, late_puts=late_puts)
    with run_in_thread(late.app) as running:
        student = people(running.url, demo.student_email)

        ended = student("upload", take, "--piece", "bach")

        assert ended.exit_code == 0
        assert ended.lines[1].endswith("uploaded; your teacher can see it.")
        assert ended.stderr == ""
        assert late.puts.count(403) == late_puts
        assert sorted(set(late.puts)) == [200, 403]
        (shown,) = student("queue", "ls", "--json").document["takes"]
        assert (shown["status"], shown["attempts"]) == ("uploaded", 0)
        history = student("queue", "show", shown["id"], "--json").document
        assert not [one for one in history["attempts_made"] if one["counted"]]
        assert len(student("submissions", "ls", "-q").lines) == 1
