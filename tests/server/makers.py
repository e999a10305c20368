"""Things to ask about, for the rows of `authorisation.TABLE`."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from tests.server.talk import mark, post, say, send_video, video
from tests.server.world import MP4, World, declared


def _submission(world: World, given: str) -> str:
    if given == "created":
        return str(world.create(**declared(MP4))["submission"]["id"])
    return world.uploaded_v1() if given == "uploaded" else world.uploaded()


def _message(world: World, given: str) -> str:
    """One of the owner's with words, so that both sides see it, and a video."""
    take = world.uploaded()
    if given == "created":
        return str(post(world, "student", take, **video(text="Soon.")).json()["message"]["id"])
    return str(send_video(world, "student", take, text="Like this?")["id"])


def _notification(world: World, _given: str) -> str:
    say(world, "former_teacher", world.uploaded())
    return str(world.ask("student", "GET", "/notifications").json()[0]["id"])


def _webhook(world: World, _given: str = "") -> str:
    body = {"url": "https://hooks.example.org/"}
    return str(world.ask("student", "POST", "/webhooks", json=body).json()["id"])


def _delivery(world: World, _given: str) -> str:
    return str(world.ask("student", "POST", f"/webhooks/{_webhook(world)}/test").json()["id"])


#: placeholder → what makes the thing and gives its id.
MAKERS: dict[str, Callable[[World, str], str]] = {
    "submission_id": _submission,
    "student_id": lambda world, _given: str(world.people["student"]),
    "piece_id": lambda world, _given: str(world.piece_id),
    "routine_id": lambda world, _given: str(world.routine_id),
    "session_id": lambda world, _given: str(world.session_id),
    "page_number": lambda _world, _given: "1",
    "message_id": _message,
    "marker_id": lambda world, _given: str(mark(world, "student", world.uploaded())["id"]),
    "notification_id": _notification,
    "webhook_id": _webhook,
    "delivery_id": _delivery,
    "new_id": lambda _world, _given: str(uuid4()),
}
