"""What tests say and mark in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from sqlalchemy import event, func
from sqlmodel import col, select

from cadenza_server.tables import Event
from tests.server.world import MP4, World, declared, facts


def say(world: World, who: str, submission_id: str, text: str | None = "Hm.", **more: Any) -> Any:
    """A new message; the message of the answer."""
    world.clock.advance(microseconds=1)  # no two are said at the same moment
    body = {"text": text, **more} if text is not None else more
    response = post(world, who, submission_id, **body)
    assert response.status_code == 201, response.text
    return response.json()["message"]


def post(world: World, who: str | None, submission_id: str, **body: Any) -> httpx.Response:
    return world.ask(who, "POST", f"/video-submissions/{submission_id}/messages", json=body)


def video(data: bytes = MP4, **more: Any) -> dict[str, Any]:
    """What a v2 client says of a message's video."""
    return {"include_video": True, "video_duration_seconds": 12, **declared(data), **more}


def send_video(
    world: World, who: str, submission_id: str, data: bytes = MP4, **more: Any
) -> dict[str, Any]:
    """A message whose video is uploaded and confirmed; as its sender then sees it."""
    answer = post(world, who, submission_id, **video(data, **more)).json()
    assert world.put(answer, data).status_code == 200
    confirmed = confirm(world, who, answer["message"]["id"], **facts(data))
    assert confirmed.status_code == 200, confirmed.text
    return dict(confirmed.json()["message"])


def confirm(world: World, who: str, message_id: str, **body: Any) -> httpx.Response:
    return world.ask(who, "POST", f"/messages/{message_id}/confirm", json=body)


def thread(world: World, who: str, submission_id: str) -> list[dict[str, Any]]:
    response = world.ask(who, "GET", f"/video-submissions/{submission_id}/messages")
    assert response.status_code == 200, response.text
    return list(response.json())


def mark(
    world: World, who: str, submission_id: str, at: int = 1000, text: str = "Here.", **more: Any
) -> Any:
    """A new marker on the take."""
    body = {"timestamp_ms": at, "text": text, **more}
    response = world.ask(who, "POST", f"/video-submissions/{submission_id}/markers", json=body)
    assert response.status_code == 201, response.text
    return response.json()


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["code"]


def told(world: World, after: int = 0) -> list[tuple[str, list[int]]]:
    """Types and audiences of what the outbox got since."""
    with world.services.db.reading() as session:
        rows = session.execute(
            select(Event.type, Event.audience)
            .where(col(Event.seq) > after, col(Event.type) != "notification.created")
            .order_by(col(Event.seq))
        ).all()
    return [(row[0], row[1]) for row in rows]


def last_seq(world: World) -> int:
    with world.services.db.reading() as session:
        return session.execute(select(func.max(Event.seq))).scalar_one() or 0


def statements_of(world: World, ask: Callable[[], object]) -> int:
    """How many queries a request costs, once the connection is warm."""
    ask()
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    engine = world.services.db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert statements
    return len(statements)
