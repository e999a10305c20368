"""Every route × everybody who might call it, from the table in `authorisation.py` (SEC-14, B-67).

403 and not 404 for strangers: ids are random, and a client has to tell "not yours" from "gone"
(`20-product-and-api.md` §2.7).
"""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from fastapi.routing import iter_route_contexts

from cadenza_server.auth import issue_token
from cadenza_server.page.session import COOKIE
from cadenza_server.tables import metadata
from tests.server.authorisation import PAGE, PEOPLE, TABLE, Row, as_page, prepare
from tests.server.world import BASE_URL, World

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x03"
_ACCOUNTS = {who: who for who in PEOPLE} | {"anonymous": None, "owner": "student"}
# Those who are refused come first: what they try must change nothing for those who may.
_ORDER = PEOPLE[:1] + PEOPLE[:0:-1]


def call(world: World, who: str, route: str, ids: dict[str, str], **more: Any) -> int:
    """Make one call of the table; the status."""
    row = TABLE[route]
    method, path = (route + row.query).format_map(ids).split(" ")
    options: dict[str, Any] = {"headers": {}, **more}
    if row.body is not None and "json" not in options:
        options["json"] = filled(row.body, ids)
    if row.image:
        options |= {"content": PNG, "headers": {"Content-Type": "image/png"}}
    if row.stream:
        return asyncio.run(_status_of_stream(world, _ACCOUNTS[who], path))
    if row.page and (account := _ACCOUNTS[who]):
        options["headers"] |= {"Cookie": f"{COOKIE}={_session(world, account)}"}
        return world.ask(None, method, path, **options).status_code
    return world.ask(_ACCOUNTS[who], method, path, **options).status_code


def _session(world: World, account: str) -> str:
    services = world.services
    return issue_token(services.keyring, world.people[account], now=services.clock(), days=1)


def filled(value: Any, ids: dict[str, str]) -> Any:
    """A body with its placeholders filled."""
    if isinstance(value, str):
        return value.format_map(ids)
    if isinstance(value, dict):
        return {name: filled(part, ids) for name, part in value.items()}
    return value


async def _status_of_stream(world: World, account: str | None, target: str) -> int:
    """The status of an answer that does not end; the caller hangs up after its head."""
    path, _, query = target.partition("?")
    headers = [(b"host", BASE_URL.removeprefix("http://").encode())]
    if account:
        token = f"Bearer dev_token_user_{world.people[account]}"
        headers.append((b"authorization", token.encode()))
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "headers": headers,
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("cadenza.test", 80), "state": {},
    }  # fmt: skip
    status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.shield(status)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and not status.done():
            status.set_result(message["status"])

    await asyncio.wait_for(world.app(scope, receive, send), 10)
    return await status


def _everything(world: World) -> dict[str, list[Any]]:
    """What all tables hold, but for the counters of the rate limits."""
    with world.services.db.reading() as session:
        return {
            table.name: sorted(map(repr, session.core.execute(sa.select(table))))
            for table in metadata.sorted_tables
            if "rate" not in table.name
        }


@pytest.mark.parametrize("route", TABLE)
def test_who_may_call_it(world: World, route: str) -> None:
    row = TABLE[route]
    ids = prepare(world, route)
    refused = [who for who in _ORDER if row.status(who) >= 300 and who not in row.may]
    before = _everything(world)

    answers = {who: call(world, who, route, ids) for who in refused}
    unchanged = _everything(world) == before
    answers |= {who: call(world, who, route, ids) for who in _ORDER if who not in refused}

    assert {who: answers[who] for who in PEOPLE} == {who: row.status(who) for who in PEOPLE}
    assert unchanged, "a refused call changed something"


def test_every_route_has_a_row(world: World) -> None:
    served = set()
    for route in iter_route_contexts(world.app.routes):
        assert route.path is not None
        # The object store has signed URLs instead of people, and a test module of its own; the
        # others are the documentation's pages and files that everybody may read.
        if route.path.startswith(("/storage/", "/docs", "/redoc", "/openapi.json", "/static")):
            continue
        served |= {f"{method} {route.path}" for method in route.methods or () if method != "HEAD"}

    assert served == set(TABLE)


def test_the_page_is_what_the_tests_run() -> None:
    assert PAGE.read_text("utf-8") == as_page(), "run: python -m tests.server.authorisation"


def test_a_row_says_who_everybody_is() -> None:
    row = Row({"owner"}, 204, but={"other_student": 404})

    assert [row.status(who) for who in PEOPLE] == [401, 204, 403, 403, 403, 404, 403]
    assert all(set(row.may) | set(row.but) <= set(PEOPLE) for row in TABLE.values())


def test_no_route_answers_a_forged_or_foreign_token(world: World) -> None:
    key = world.services.keyring.key("token")
    assert key is not None
    forged = [
        "dev_token_user_9999",
        "dev_token_user_-1",
        "dev_token_user_1 ",
        jwt.encode({"sub": "1", "exp": 2**40}, "x" * 32, algorithm="HS256"),
        jwt.encode({"sub": "1", "exp": 2**40}, "", algorithm="none"),
        jwt.encode({"sub": str(2**40), "exp": 2**40}, key, algorithm="HS256"),
        "",
        "a.b.c",
    ]
    for token in forged:
        headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": "Bearer"}
        response = world.http.get("/auth/me", headers=headers)
        expected = 200 if token == "dev_token_user_1 " else 401  # the header's own white space
        assert response.status_code == expected, token
