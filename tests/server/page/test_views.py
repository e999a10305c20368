"""What the pages show to whom, and never as markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update

from cadenza_server.auth import issue_token
from cadenza_server.page.assets import Assets
from cadenza_server.page.session import COOKIE
from cadenza_server.page.views import inbox
from cadenza_server.serving import RunningServer
from cadenza_server.tables import Derivative, MediaAsset, Piece, User, VideoSubmission
from tests.server.world import JPEG, MP4, World, facts

NASTY = '<img src=x onerror="alert(1)">'


def page(world: World, who: str | None, path: str, **headers: str) -> httpx.Response:
    """One page as a browser asks for it."""
    sent = {"Accept": "text/html", **headers}
    if who is not None:
        services = world.services
        token = issue_token(services.keyring, world.people[who], now=world.clock(), days=30)
        sent["Cookie"] = f"{COOKIE}={token}; " + headers.get("Cookie", "")
    return world.http.get(path, headers=sent)


def rows(answer: httpx.Response) -> list[str]:
    """The ids of the takes on a page, in order."""
    return re.findall(r'id="take-([0-9a-f-]{36})"', answer.text)


@pytest.mark.parametrize(
    ("who", "path", "status", "to"),
    [
        (None, "/", 303, "/login"),
        (None, "/inbox", 303, "/login?next=%2Finbox"),
        (None, "/inbox?sort=piece", 303, "/login?next=%2Finbox%3Fsort%3Dpiece"),
        ("teacher", "/", 303, "/inbox"),
        ("student", "/inbox", 303, "/"),
        ("student", "/students", 303, "/"),
        ("teacher", "/students/2147483647", 404, None),
        ("teacher", "/students/nobody", 404, None),
        ("teacher", "/inbox?sort=colour", 404, None),
    ],
)
def test_everybody_is_led_to_their_own_page(
    world: World, who: str | None, path: str, status: int, to: str | None
) -> None:
    answer = page(world, who, path)
    assert (answer.status_code, answer.headers.get("location")) == (status, to)


@pytest.mark.parametrize("path", ["/help", "/settings", "/notifications", "/"])
@pytest.mark.parametrize("who", ["student", "admin"])
def test_the_other_pages_open_for_everybody(world: World, who: str, path: str) -> None:
    assert page(world, who, path).status_code in (200, 303)


@pytest.mark.parametrize("who", ["other_teacher", "other_student", "student", "admin"])
def test_a_students_page_is_the_teachers_alone(world: World, who: str) -> None:
    answer = page(world, who, f"/students/{world.people['second_student']}")
    assert answer.status_code == 403
    assert "This is not yours to see" in answer.text
    assert "Second Student" not in answer.text


def test_an_expired_cookie_leads_to_signing_in_and_is_taken_back(world: World) -> None:
    token = issue_token(world.services.keyring, world.people["student"], now=world.clock(), days=1)
    world.clock.advance(days=2)
    headers = {"Accept": "text/html", "Cookie": f"{COOKIE}={token}"}
    answer = world.http.get("/settings", headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?expired=1&next=%2Fsettings"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "signed out after a while" in world.http.get("/login?expired=1").text


def test_questions_lead_the_queue_then_the_longest_wait(world: World) -> None:
    first = world.uploaded()
    world.clock.advance(hours=3)
    second = world.uploaded(piece_id=str(world.piece_id))
    answer = page(world, "teacher", "/inbox")
    assert rows(answer) == [first, second]
    text = {"text": "How fast?"}
    asked = world.ask("student", "POST", f"/video-submissions/{second}/messages", json=text)
    assert asked.status_code == 201
    answer = page(world, "teacher", "/inbox")
    assert rows(answer) == [second, first]
    assert "Questions first" in answer.text
    assert "<title>(2) Inbox · Cadenza</title>" in answer.text
    assert rows(page(world, "teacher", "/inbox?questions=1")) == [second]


def test_the_promise_is_counted_down_and_a_broken_one_is_said(world: World) -> None:
    world.uploaded()
    for hours, words, mark in [
        (5, "43 h left", ""),
        (38, "5 h left", "soon"),
        (6, "1 h late", "late"),
    ]:
        world.clock.advance(hours=hours)
        text = page(world, "teacher", "/inbox").text
        assert words in text
        assert (f"is-{mark}" in text) is bool(mark)


def test_the_queue_is_filtered_by_student_and_grouped(world: World) -> None:
    mine = world.uploaded(notes="bar 17")
    student, other = world.people["student"], world.people["second_student"]
    assert rows(page(world, "teacher", f"/inbox?student={student}")) == [mine]
    answer = page(world, "teacher", f"/inbox?student={other}&sort=student")
    assert "Nothing here with this filter" in answer.text
    grouped = page(world, "teacher", "/inbox?sort=piece").text
    assert re.search(r"<h2[^>]*>Bourrée</h2>", grouped)
    assert re.search(r"<h2[^>]*>Student</h2>", page(world, "teacher", "/inbox?sort=student").text)


def test_what_is_on_the_way_is_shown_apart(world: World) -> None:
    take = world.create(id=str(uuid4()), size_bytes=len(MP4))["submission"]["id"]
    answer = page(world, "teacher", "/inbox")
    assert rows(answer) == [take]
    assert "On the way" in answer.text
    assert "Nothing waits for you" in answer.text
    assert "Sending" in page(world, "student", "/").text


def test_a_take_that_arrived_unannounced_is_found(world: World) -> None:
    take = world.uploaded_v1()
    answer = page(world, "teacher", "/inbox")
    assert rows(answer) == [take]
    assert "On the way" not in answer.text


def test_a_long_queue_has_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "ROWS", 2)
    ids = []
    for _ in range(3):
        ids.append(world.uploaded())
        world.clock.advance(minutes=1)
    first = page(world, "teacher", "/inbox")
    assert "1 more take" in first.text
    assert rows(first) == ids[:2]
    last = page(world, "teacher", "/inbox?start=2")
    assert rows(last) == ids[2:]
    assert "From the start" in last.text


def test_the_student_sees_what_became_of_each_take(world: World) -> None:
    take = world.uploaded()

    def word() -> str:
        found = re.search(r"data-status>.*?</svg> ([^<]+)</span>", page(world, "student", "/").text)
        assert found is not None
        return found[1]

    assert word() == "Sent"
    world.ask("teacher", "PATCH", f"/video-submissions/{take}/reviewed")
    assert word() == "Reviewed"
    text = {"text": "Again, slower."}
    world.ask("teacher", "POST", f"/video-submissions/{take}/messages", json=text)
    assert word() == "New reply (1)"
    for state, said in [("invalid", "Can’t be played"), ("expired", "No longer kept")]:
        with world.services.db.writing() as session:
            session.core.execute(update(MediaAsset).values(state=state))
        assert word() == said


def test_takes_are_narrowed_to_a_piece(world: World) -> None:
    take = world.uploaded()
    assert rows(page(world, "student", "/?piece=Bourr%C3%A9e")) == [take]
    assert rows(page(world, "student", "/?piece=Gigue")) == []


def test_progress_counts_by_piece_and_shows_mastery(world: World) -> None:
    for _ in range(2):
        take = world.uploaded()
    world.ask("teacher", "PATCH", f"/video-submissions/{take}/reviewed")
    with world.services.db.writing() as session:
        now = world.clock()
        session.core.execute(update(VideoSubmission).values(is_mastered=True, mastered_at=now))
    text = page(world, "teacher", f"/students/{world.people['student']}").text
    assert "2 takes, 1 reviewed" in text
    assert "Mastered" in text
    assert "Scales in thirds" in text  # the assigned routine
    assert "Half hour" in text


def test_a_student_without_takes_or_teacher_is_taught_what_to_do(world: World) -> None:
    world.ask("student", "DELETE", "/users/remove-teacher")
    text = page(world, "student", "/").text
    assert "You have no teacher yet" in text
    assert "Your first take" in text
    assert "Nobody sees your takes yet" in page(world, "student", "/settings").text


def test_the_roster_says_who_waits(world: World) -> None:
    world.uploaded()
    text = page(world, "teacher", "/students").text
    assert text.index("Student") < text.index("Second Student")
    assert "1 waiting" in text
    assert "No take yet" in text
    assert "Nobody yet" in page(world, "admin", "/students").text
    assert "Your studio is ready" in page(world, "admin", "/inbox").text


def test_notifications_are_a_page_for_browsers_and_a_list_for_programs(world: World) -> None:
    world.uploaded()
    text = page(world, "teacher", "/notifications").text
    assert "Student sent a take" in text
    assert "is-unread" in text
    assert world.ask("teacher", "GET", "/notifications").json()[0]["title"] == "Student sent a take"


@pytest.mark.parametrize("path", ["/inbox", "/students", "/students/{student}", "/notifications"])
def test_what_people_typed_is_text_and_nothing_else(world: World, path: str) -> None:
    with world.services.db.writing() as session:
        session.core.execute(update(User).values(full_name=NASTY))
        session.core.execute(update(Piece).values(title=NASTY))
    world.uploaded(notes=NASTY)
    text = page(world, "teacher", path.format(student=world.people["student"])).text
    assert NASTY not in text
    assert "&lt;img src=x" in text
    assert NASTY not in page(world, "student", "/").text


def test_pictures_come_from_the_store_by_signed_addresses(world: World) -> None:
    created = world.create(id=str(uuid4()), **facts(MP4), thumbnail_size_bytes=len(JPEG))
    world.put(created, MP4)
    assert world.put(created, JPEG, "thumbnail").status_code == 200
    take = created["submission"]["id"]
    world.confirm(take, thumbnail=True)
    with world.services.db.writing() as session:
        session.add(
            Derivative(
                asset_id=UUID(take),
                kind="storyboard",
                state="ready",
                key="dev/board.jpg",
                facts={"columns": 2, "count": 3, "tile_width": 160, "tile_height": 90},
                created_at=world.clock(),
            )
        )
    text = page(world, "teacher", "/inbox").text
    picture = re.search(r'<img src="([^"]+)"', text)
    assert picture is not None
    assert world.http.get(picture[1].replace("&amp;", "&")).content == JPEG
    assert re.search(r'data-storyboard="[^"]+board.jpg[^"]+" data-tiles="2x3x160x90"', text)


def test_a_page_runs_nothing_but_its_own_files(world: World) -> None:
    answer = page(world, "teacher", "/inbox")
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'self'", "script-src 'self'", "style-src 'self'", "base-uri 'none'",
                 "frame-ancestors 'none'", "form-action 'self'", "connect-src 'self'"):  # fmt: skip
        assert f"{part};" in f"{policy};"
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    for path in ("/inbox", "/students", "/settings", "/help", "/notifications"):
        text = page(world, "teacher", path).text
        assert not re.search(r"<script(?![^>]* src=)|<style|style=|\son\w+=", text), path
        assert "http://" not in text.replace("http://cadenza.test", ""), path


def test_a_store_elsewhere_is_named_in_the_policy(make_world: Callable[..., World]) -> None:
    world = make_world(public_url="https://cadenza.example")
    policy = page(world, "teacher", "/inbox").headers["content-security-policy"]
    assert "media-src 'self' blob:;" in policy

    class Elsewhere:
        def __init__(self, storage: Any) -> None:
            self._storage = storage

        def presign_get(self, key: str, **_options: Any) -> str:
            return f"https://bucket.example/{key}?signature"

        def __getattr__(self, name: str) -> Any:
            return getattr(self._storage, name)

    services = world.services
    original = services.storage_at
    object.__setattr__(services, "storage_at", lambda url: Elsewhere(original(url)))
    policy = page(world, "teacher", "/inbox").headers["content-security-policy"]
    assert "media-src 'self' blob: https://bucket.example;" in policy
    assert "connect-src 'self' https://bucket.example;" in policy


@pytest.mark.parametrize(
    ("cookie", "theme"), [("dark", "dark"), ("light", "light"), ('"><x', "auto")]
)
def test_the_theme_of_the_cookie_is_drawn_at_once(world: World, cookie: str, theme: str) -> None:
    answer = page(world, "student", "/", Cookie=f"cadenza_theme={cookie}")
    assert f'<html lang="en" data-theme="{theme}">' in answer.text


def test_static_files_are_kept_for_ever_under_the_name_of_their_content(world: World) -> None:
    assets = Assets.load()
    url = assets.url("css/tokens.css")
    assert url in page(world, None, "/login").text
    answer = world.http.get(url, headers={"Accept-Encoding": "identity"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.content == assets.files["css/tokens.css"].data
    again = world.http.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in answer.headers
    plain = {"Accept-Encoding": "identity"}
    old = world.http.get("/static/0123456789ab/css/tokens.css", headers=plain)
    assert (old.status_code, old.headers["cache-control"]) == (200, "public, no-cache")
    for name in ("css/no.css", "../views/inbox.py", "%2e%2e/views/inbox.py"):
        assert world.http.get(f"/static/{assets.release}/{name}").status_code == 404
    with pytest.raises(KeyError):
        assets.url("css/no.css")


def test_static_files_travel_packed(running: RunningServer) -> None:
    assets = Assets.load()
    answer = httpx.get(running.url + assets.url("css/base.css"))
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == assets.files["css/base.css"].data
    assert int(answer.headers["content-length"]) < len(answer.content) / 2


def test_too_many_requests_are_told_in_words(make_world: Callable[..., World]) -> None:
    world = make_world(rate_read_per_minute=2)
    for _ in range(2):
        page(world, "student", "/help")
    answer = page(world, "student", "/help")
    assert answer.status_code == 429
    assert "A little slower" in answer.text
    assert "Retry-After" in answer.headers
