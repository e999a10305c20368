"""A server with people and takes in it, and browsers that look at it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from cadenza_server.context import Services
from cadenza_server.page.session import COOKIE
from cadenza_server.tables import Piece, User

PEOPLE = {
    "teacher": ("Tessa Moreno", "teacher", None),
    "other_teacher": ("Olaf Berg", "teacher", None),
    "student": ("Sam Okafor", "student", "teacher"),
    "second": ("Mina Sato", "student", "teacher"),
    "third": ("Jonas Keller", "student", "teacher"),
    "stranger": ("Ida Lund", "student", "other_teacher"),
}


@dataclass
class Studio:
    """People, their tokens, and a way to put takes on the server as an uploader would."""

    app: FastAPI
    url: str
    clip: Path
    services: Services = field(init=False)
    ids: dict[str, int] = field(default_factory=dict)
    pieces: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services = self.app.state.services
        now = datetime.now(UTC) - timedelta(days=60)
        with self.services.db.writing() as session:
            for name, (full_name, kind, teacher) in PEOPLE.items():
                user = User(
                    email=email_of(name),
                    full_name=full_name,
                    user_type=kind,
                    teacher_id=self.ids[teacher] if teacher else None,
                    teacher_since=now if teacher else None,
                    share_history=teacher is not None,
                    created_at=now,
                )
                session.add(user)
                session.flush()
                assert user.id is not None
                self.ids[name] = user.id
                if kind == "student":
                    piece = Piece(
                        owner_id=user.id,
                        title="Bach, Cello Suite No. 3: Bourrée I",
                        created_at=now,
                        updated_at=now,
                    )
                    session.add(piece)
                    session.flush()
                    self.pieces[name] = str(piece.id)

    def token(self, name: str) -> str:
        """A bearer token of one of the people."""
        if name not in self._tokens:
            answer = httpx.post(f"{self.url}/auth/dev-login", params={"email": email_of(name)})
            self._tokens[name] = answer.raise_for_status().json()["access_token"]
        return self._tokens[name]

    def ask(self, name: str, method: str, path: str, json: Any = None) -> Any:
        """One request to the API as one of the people; its JSON."""
        headers = {"Authorization": f"Bearer {self.token(name)}"}
        answer = httpx.request(method, self.url + path, json=json, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def get(self, name: str, path: str) -> httpx.Response:
        """One page as one of the people, redirections not followed."""
        return httpx.get(self.url + path, cookies={COOKIE: self.token(name)})

    def take(
        self, name: str = "student", *, clip: Path | None = None, upload: bool = True, **more: Any
    ) -> str:
        """Put a take on the server; its id.

        Args:
            name: whose it is.
            clip: the video, unless it is the usual one.
            upload: False leaves it on its way.
            more: further fields of the create request.
        """
        data = (clip or self.clip).read_bytes()
        body = {
            "id": str(uuid4()),
            "piece_id": self.pieces[name],
            "duration_seconds": 12,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "page_number": 3,
            "measure_number": 17,
            **more,
        }
        created = self.ask(name, "POST", "/video-submissions", body)
        if upload:
            self.upload(name, created, data)
        return str(body["id"])

    def upload(self, name: str, created: Any, data: bytes) -> None:
        """PUT and confirm what was announced."""
        put = httpx.put(created["upload_url"], headers=created["upload_headers"], content=data)
        put.raise_for_status()
        self.ask(name, "POST", f"/video-submissions/{created['submission']['id']}/confirm", {})

    def mark(self, name: str, take: str, ms: int, text: str, **more: Any) -> str:
        """Put a marker on a take; its id."""
        body = {"timestamp_ms": ms, "text": text, "client_id": str(uuid4()), **more}
        made = self.ask(name, "POST", f"/video-submissions/{take}/markers", body)
        return str(made["id"])

    def mark_reply(self, name: str, message: str, ms: int, text: str, **more: Any) -> str:
        """Put a marker on a reply's video; its id."""
        body = {"timestamp_ms": ms, "text": text, "client_id": str(uuid4()), **more}
        return str(self.ask(name, "POST", f"/messages/{message}/markers", body)["id"])

    def say(self, name: str, take: str, text: str) -> str:
        """Write in the thread of a take; the message's id."""
        made = self.ask(name, "POST", f"/video-submissions/{take}/messages", {"text": text})
        return str(made["message"]["id"])

    def reply(self, name: str, take: str, text: str | None = None, **more: Any) -> str:
        """Answer with a video in the thread of a take, as a recorder would; the message's id.

        Args:
            name: who answers.
            take: in whose thread.
            text: said with it.
            more: `clip` and `picture` (bytes), and further fields of the create request.
        """
        data = (more.pop("clip", None) or self.clip).read_bytes()
        picture = more.pop("picture", None)
        body = {
            "id": str(uuid4()),
            "text": text,
            "include_video": True,
            "video_duration_seconds": 12,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "thumbnail_size_bytes": len(picture) if picture else None,
            **more,
        }
        sent = {field: value for field, value in body.items() if value is not None}
        made = self.ask(name, "POST", f"/video-submissions/{take}/messages", sent)
        for kind, content in (("", data), ("thumbnail_", picture)):
            if content:
                url, headers = made[f"{kind}upload_url"], made[f"{kind}upload_headers"]
                httpx.put(url, headers=headers, content=content).raise_for_status()
        message = str(body["id"])
        self.ask(name, "POST", f"/messages/{message}/confirm", {"thumbnail": bool(picture)})
        return message


def email_of(name: str) -> str:
    """The address of one of the people."""
    return f"{name}@studio.example"


@dataclass
class Visit:
    """One person's browser, and everything in it that should not have happened."""

    context: BrowserContext
    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)
    #: Console lines and failed requests a test brings about on purpose contain one of these.
    expected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("page", self._watch)
        self._watch(self.page)

    def go(self, path: str) -> Page:
        """Open a path of the server."""
        self.page.goto(self.url + path)
        return self.page

    def open_take(self, take: str, query: str = "") -> Page:
        """Open a take and wait until its picture is there."""
        page = self.go(f"/v/{take}{query}")
        page.locator('[data-media="ready"]').wait_for()
        return page

    def video(self, script: str) -> Any:
        """Evaluate a function of the take's video element."""
        return self.page.locator("[data-part=video]").evaluate(script)

    def until(self, script: str, *, seconds: float = 5.0, **argument: Any) -> Any:
        """Wait until a script gives something true, and give that.

        The page's policy forbids Playwright's own `wait_for_function`: it needs `eval`.
        """
        deadline = time.monotonic() + seconds
        while not (value := self.page.evaluate(script, argument)):
            assert time.monotonic() < deadline, f"never came true: {script}"
            time.sleep(0.02)
        return value

    def check(self) -> None:
        """Fail for console errors, uncaught exceptions and requests to anywhere else."""
        surprises = [t for t in self.troubles if not any(e in t for e in self.expected)]
        assert not surprises, "\n".join(surprises)

    def _watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"uncaught: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        own = urlsplit(self.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != own.netloc:
            self.troubles.append(f"external request: {request.url}")


@contextmanager
def visiting(browser: Browser, studio: Studio, name: str | None, **options: Any) -> Iterator[Visit]:
    """A browser of its own for somebody, signed in unless `name` is None; checked at the end."""
    chosen: dict[str, Any] = {
        "viewport": {"width": 1280, "height": 900},
        "locale": "en-GB",
        "timezone_id": "UTC",
        "permissions": ["camera", "microphone"],
        **options,
    }
    context = browser.new_context(**chosen)
    context.set_default_timeout(10_000)
    if name is not None:
        context.add_cookies([{"name": COOKIE, "value": studio.token(name), "url": studio.url}])
    visit = Visit(context, context.new_page(), studio.url)
    try:
        yield visit
        visit.check()
    finally:
        context.close()
