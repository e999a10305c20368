"""black-box: no adapter. A person or a UI test uses the client, and the server judges alone.

`serve` opens one base URL for each scenario that needs nothing but a recording being made and
sent. The client is pointed at it, records once, and the verdict is read from the server. What
only the client could tell is not judged (Autobahn, OpenID).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from html import escape

from cadenza_conformance._driver import kit_version
from cadenza_conformance._judge import judge
from cadenza_conformance._server._wire import Answer, Connection, Head
from cadenza_conformance._server._world import World
from cadenza_conformance.catalogue import load_scenarios
from cadenza_conformance.faultserver import FaultServer
from cadenza_conformance.report import Result, result_of
from cadenza_conformance.scenario import Expect, Scenario, ServerFacts
from cadenza_conformance.trace import Trace

__all__ = ["BlackBox", "is_playable"]

_HARMLESS_STEPS = frozenset({"enqueue", "start", "await", "await_requests", "sleep_ms", "check"})
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_JSON = {"Content-Type": "application/json"}


def is_playable(scenario: Scenario) -> bool:
    """Whether a scenario can be played by a person with one recording."""
    return (
        len(scenario.given.recordings) == 1
        and scenario.given.server.tls is None
        and {"enqueue", "status"} >= set(scenario.requires)
        and all(step.name in _HARMLESS_STEPS for step in scenario.steps)
    )


class BlackBox:
    """A fault server with a base URL for each playable scenario.

    Args:
        host: address to listen on; loopback unless it is asked for (SEC-29).
        port: of the API role.
        scenarios: which; default: all that are playable.
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, scenarios: list[Scenario] | None = None
    ) -> None:
        chosen = load_scenarios() if scenarios is None else scenarios
        self._scenarios = [_for_a_person(s) for s in chosen if is_playable(s)]
        self._server = FaultServer(host=host, port=port, outside=self._answer)
        self._host = host

    @property
    def url(self) -> str:
        """The page with all base URLs."""
        return f"http://{self._host}:{self._server.port}/"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self._server.is_loopback

    async def serve(
        self, stop: asyncio.Event, *, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        """Serve until `stop` is set; `on_ready` is called once the port is open."""
        async with self._server:
            for scenario in self._scenarios:
                self._server.add(World(scenario.id, scenario))
            on_ready()
            await stop.wait()

    def base_url(self, scenario: str) -> str:
        """Where a client is pointed for a scenario."""
        return self._server.addresses(scenario).api

    def result(self, scenario: Scenario) -> Result:
        """The verdict on what has come so far."""
        world = self._server.world(scenario.id)
        assert world is not None
        return result_of(scenario, judge(scenario, _trace(world)), _trace(world))

    async def _answer(self, connection: Connection, head: Head) -> bool:
        by_path = {f"/verdict/{s.id}": s for s in self._scenarios}
        if head.path == "/":
            answer = Answer(200, _HTML, self._page().encode())
        elif head.path in by_path:
            body = self.result(by_path[head.path]).model_dump_json(indent=1)
            answer = Answer(200, _JSON, body.encode())
        elif head.path.startswith("/again/"):
            answer = self._again(head.path.removeprefix("/again/"))
        elif head.path == "/scenarios":
            told = [self._entry(scenario) for scenario in self._scenarios]
            answer = Answer(200, _JSON, json.dumps(told, indent=1).encode())
        else:
            answer = Answer(404, _JSON, b'{"detail": "Not Found"}')
        await connection.write(answer.encode(date="", close=True))
        return False

    def _again(self, name: str) -> Answer:
        for scenario in self._scenarios:
            if scenario.id == name:
                self._server.add(World(name, scenario))
                return Answer(200, _JSON, json.dumps(self._entry(scenario)).encode())
        return Answer(404, _JSON, b'{"detail": "Not Found"}')

    def _entry(self, scenario: Scenario) -> dict[str, str]:
        world = self._server.world(scenario.id)
        assert world is not None
        return {
            "scenario": scenario.id,
            "title": scenario.title,
            "api": self.base_url(scenario.id),
            "token": world.token,
        }

    def _page(self) -> str:
        rows = "\n".join(
            f"<tr><td><code>{entry['scenario']}</code><br>{escape(entry['title'])}</td>"
            f"<td><code>{escape(entry['api'])}</code></td><td><code>{entry['token']}</code></td>"
            f'<td><a href="/verdict/{entry["scenario"]}">verdict</a> '
            f'<a href="/again/{entry["scenario"]}">again</a></td></tr>'
            for entry in map(self._entry, self._scenarios)
        )
        return (
            '<!DOCTYPE html><meta charset="utf-8"><title>Cadenza conformance</title>'
            "<h1>Point a client at one of these</h1><p>Sign in with the token (or by "
            "<code>POST …/auth/dev-login?email=student@example.org</code>), make one recording, "
            "wait until the client is done, and read the verdict.</p>"
            f"<table><tr><th>scenario<th>base URL<th>token<th></tr>{rows}</table>"
            f"<p><small>cadenza-conformance {kit_version()}</small></p>"
        )


def _for_a_person(scenario: Scenario) -> Scenario:
    """Without what only the client could tell, and without the bytes nobody knows beforehand."""
    server = {name: ServerFacts(confirmed=facts.confirmed)
              for name, facts in scenario.expect.server.items()}  # fmt: skip
    expect = scenario.expect.model_copy(
        update={"client": {}, "server": server, "secrets_absent_in": (), "headers": {}}
    )
    return scenario.model_copy(update={"expect": Expect.model_validate(expect.model_dump())})


def _trace(world: World) -> Trace:
    told = {
        event.recording: str(event.body["sha256"])
        for event in world.events
        if event.recording and event.body.get("sha256")
    }
    recordings = {r.id: told.get(r.id, "") for r in world.scenario.given.recordings}
    return Trace(
        scenario=world.scenario.id,
        client="black-box",
        version="",
        capabilities=world.scenario.requires,
        events=world.events,
        submissions=world.final_submissions(),
        objects=world.final_objects(),
        sha256=recordings,
        unused_rules=world.unused_rules(),
        seconds=round(world.now, 3),
    )
