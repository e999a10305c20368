"""Every refusal that the API's description promises really happens: each (operation, code).

What any route can refuse is provoked here for all of them; what is one route's own is listed in
`REACHED_BY` with the test that gets it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from cadenza_server.app import create_app
from cadenza_server.auth import issue_token
from cadenza_server.errors import ApiError
from cadenza_server.settings import ServerSettings
from cadenza_server.tables import VideoMarker
from tests.server.authorisation import TABLE, placeholders, prepare
from tests.server.databases import ON_SQLITE
from tests.server.documented import EXTRA, REACHED_BY
from tests.server.test_authorisation import PNG, filled
from tests.server.world import World

_NEVER_ENDS = {"GET /events/stream"}


def _documented(app: Any) -> dict[str, set[str]]:
    """Operation → the codes its description promises."""
    found: dict[str, set[str]] = {}
    for path, methods in app.openapi()["paths"].items():
        if path.startswith("/storage/"):
            continue  # S3's errors, tested in test_storage_http
        for method, operation in methods.items():
            found[f"{method.upper()} {path}"] = {
                code
                for status, response in operation["responses"].items()
                if int(status) >= 400
                for code in response["content"]["application/json"]["examples"]
            }
    return found


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    app = create_app(ServerSettings(data_dir=tmp_path_factory.mktemp("documented")))
    app.state.services.db.close()
    return _documented(app)


class _Caller:
    """Calls one route, well or in a way that has to be refused."""

    def __init__(self, world: World, route: str) -> None:
        self.world, self.route, self.row = world, route, TABLE[route]
        self.ids = prepare(world, route)
        who = next((one for one in ("owner", "teacher") if one in self.row.may), "owner")
        self.account = "student" if who == "owner" else "teacher"

    def __call__(self, account: str | None = "", **change: Any) -> str:
        """The code of the answer; empty when it is none."""
        ids = self.ids | change.pop("ids", {})
        method, target = (self.route + change.pop("query", self.row.query)).format_map(ids).split()
        options: dict[str, Any] = {}
        if self.row.image:
            options = {"content": PNG, "headers": {"Content-Type": "image/png"}}
        elif self.row.body is not None:
            options = {"json": filled(self.row.body, ids)}
        if "content" in change:
            options = {"headers": {"Content-Type": "application/json"}}
        who = self.account if account == "" else account
        response = self.world.ask(who, method, target, **{**options, **change})
        return _code(response)


def _code(response: httpx.Response) -> str:
    is_json = response.headers.get("content-type", "").startswith("application/json")
    document = response.json() if is_json and response.content else None
    return str(document.get("code", "")) if isinstance(document, dict) else ""


def _invalid(call: _Caller, document: dict[str, Any]) -> Iterator[str]:
    method, path = call.route.split(" ")
    operation = document["paths"][path][method.lower()]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            for value in ("\0", "-1", "x" * 2000):
                yield call(query=f"?{parameter['name']}={quote(value)}")
    yield call(content=b"[")
    yield call(content=b'{"duration_seconds": "x"}')
    if "page_number" in path:
        yield call(query="?measure_start=0")


def _with_broken(world: World, call: Callable[[], str], error: Exception, part: str = "db") -> str:
    """The answer while the database, or another part, does not work."""

    class Broken:
        def __call__(self) -> Any:
            raise error

        def __getattr__(self, name: str) -> Any:
            raise error

    whole = world.app.state.services
    world.app.state.services = replace(whole, **{part: Broken()})
    try:
        return call()
    finally:
        world.app.state.services = whole


def _reached(world: World, route: str) -> set[str]:
    call = _Caller(world, route)
    codes = _refused_at_once(world, call)
    if route in _NEVER_ENDS:
        return codes | {call(query="?after=-1")}
    codes |= {call("other_student"), call("other_teacher"), call("student")}
    for name in placeholders(route):
        codes |= {call(ids={name: one}) for one in (str(uuid4()), "2000000000", "x")}
    codes |= set(_invalid(call, world.app.openapi()))
    for change in EXTRA.get(route, ()):
        codes.add(call(**filled(change, {"foreign_piece_id": str(world.foreign_piece_id)})))
    if (take := _take_of(world, call.ids)) is not None:
        world.ask("student", "DELETE", f"/video-submissions/{take}")
        codes.add(call())
    return codes


def _refused_at_once(world: World, call: _Caller) -> set[str]:
    """What a route answers before it does anything."""
    codes = {call(None), _with_broken(world, call, RuntimeError("a bug"), "clock")}
    for error in (OperationalError("", None, Exception()), RuntimeError("a bug")):
        codes.add(_with_broken(world, call, error))
    services = world.services
    now = services.clock()
    old = issue_token(services.keyring, world.people[call.account], now=now, days=-1)
    codes.add(call(None, headers={"Authorization": f"Bearer {old}"}))
    world.app.state.services = replace(services, limiter=_Strict())
    codes.add(call())
    world.app.state.services = services
    return codes


def _take_of(world: World, ids: dict[str, str]) -> str | None:
    """The take that the thing belongs to."""
    if "marker_id" in ids:
        with world.services.db.reading() as session:
            marker = session.get(VideoMarker, UUID(ids["marker_id"]))
            return str(marker.submission_id) if marker else None
    if "message_id" in ids:
        answer = world.ask("student", "GET", f"/messages/{ids['message_id']}").json()
        return str(answer["submission_id"]) if "submission_id" in answer else None
    return ids.get("submission_id")


class _Strict:
    """Limits of nothing a minute."""

    def __getattr__(self, _name: str) -> Any:
        def refuse(*_arguments: object) -> None:
            raise ApiError("rate_limited", retry_after_seconds=1)

        return refuse


@ON_SQLITE
@pytest.mark.parametrize("route", [one for one, row in TABLE.items() if not row.page])
def test_every_documented_refusal_happens(
    world: World, documented: dict[str, set[str]], route: str
) -> None:
    elsewhere = {code for operation, code in REACHED_BY if operation == route}
    reached = _reached(world, route)

    assert sorted(documented[route] - reached - elsewhere) == []


def test_what_is_said_to_reach_one_exists(documented: dict[str, set[str]]) -> None:
    folder = Path(__file__).parent
    for (operation, code), where in REACHED_BY.items():
        assert code in documented[operation], (operation, code)
        module, _, name = where.partition("::")
        source = (folder / f"{module}.py").read_text("utf-8")
        assert re.search(rf"def {name}\(", source), where
