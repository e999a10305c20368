"""The server's half of the security list: one test for each requirement (`60-reliability.md` §5).

The longer ones have modules of their own; `tests/security_catalogue.py` names them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from cadenza_server.context import MAX_JSON_BYTES
from cadenza_server.pagination import MAX_LIMIT
from cadenza_server.security_headers import DATA_POLICY
from cadenza_server.tables import MediaAsset, Message, VideoMarker, metadata
from tests.server.talk import mark, say, send_video
from tests.server.world import MP4, World, declared, facts

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret that is long enough to be one"


# ── headers ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/health", "/auth/me", "/nowhere", "/storage/x.mp4", "/docs"])
def test_every_answer_tells_the_browser_what_not_to_do(world: World, path: str) -> None:
    headers = world.http.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "geolocation=()" in headers["permissions-policy"]
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "strict-transport-security" not in headers, "dev is served without TLS"


def test_an_api_answer_is_data_and_stays_out_of_caches(world: World) -> None:
    for answer in (world.ask("student", "GET", "/video-submissions"), world.http.get("/auth/me")):
        assert answer.headers["content-security-policy"] == DATA_POLICY
        assert answer.headers["cache-control"] == "no-store"


def test_outside_dev_browsers_are_told_to_stay_with_tls(make_world: Callable[..., World]) -> None:
    world = make_world(env="prod", secret=SECRET)

    assert "max-age=31536000" in world.http.get("/health").headers["strict-transport-security"]


def test_a_header_that_a_route_has_set_stays(world: World) -> None:
    @world.app.get("/made-for-this-test")
    def page() -> object:
        from fastapi import Response

        own = {"Content-Security-Policy": "default-src 'self'", "Cache-Control": "max-age=5"}
        return Response("{}", media_type="application/json", headers=own)

    headers = world.http.get("/made-for-this-test").headers

    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers.get_list("cache-control") == ["max-age=5"]


# ── SEC-07, SEC-08: what may be stored ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        {"Content-Type": "text/html"},
        {"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()},
        {"x-amz-checksum-sha256": None},
        {"If-None-Match": None},
        {"Content-Length": None},
    ],
    ids=str,
)
def test_an_upload_address_is_for_what_was_announced_and_nothing_else(
    world: World, change: dict[str, str | None]
) -> None:
    answer = world.create(**declared(MP4))
    headers = answer["upload_headers"]
    wanted = {name: value for name, value in (headers | change).items() if value is not None}
    body = MP4 if "Content-Length" in wanted else MP4 + b"x"

    refused = world.http.put(answer["upload_url"], content=body, headers=wanted)

    assert refused.status_code in (400, 403), refused.text
    assert str(world.people["student"]) + "/" in answer["submission"]["s3_key"]
    assert world.put(answer, MP4).status_code == 200
    assert world.put(answer, MP4).status_code == 412, "a second PUT replaces nothing"


@pytest.mark.parametrize("settled_by", ["confirm", "review"])
def test_no_address_outlives_what_settles_the_bytes(world: World, settled_by: str) -> None:
    answer = world.create(**({} if settled_by == "review" else declared(MP4)))
    submission_id = answer["submission"]["id"]
    assert world.put(answer, MP4).status_code == 200
    if settled_by == "confirm":
        assert world.confirm(submission_id, **facts(MP4)).status_code == 200
    else:
        path = f"/video-submissions/{submission_id}/reviewed"
        assert world.ask("teacher", "PATCH", path).status_code == 200

    again = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url")
    overwritten = world.put(answer, MP4)  # the old address is not over yet
    other = world.http.put(
        answer["upload_url"],
        content=b"x" * len(MP4),
        headers={"Content-Type": "video/mp4", "Content-Length": str(len(MP4))},
    )

    assert (again.status_code, again.json()["code"]) == (409, "already_uploaded")
    assert overwritten.status_code == 412
    assert other.status_code in (400, 403, 412)
    watched = world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url").json()
    assert world.http.get(watched["video_url"]).content == MP4


# ── SEC-16: how much one may ask ───────────────────────────────────────────────────────────────


def test_bodies_lists_and_callers_have_limits(make_world: Callable[..., World]) -> None:
    world = make_world(rate_read_per_minute=5, takes_per_day=1)
    long = b'{"piece_id": "' + b"x" * MAX_JSON_BYTES + b'"}'

    body = world.ask("student", "POST", "/video-submissions", content=long)
    pages = [world.ask("teacher", "GET", f"/pieces?limit={n}") for n in (0, MAX_LIMIT + 1, 10**30)]
    world.create()
    quota = world.ask("student", "POST", "/video-submissions", json=world.take())
    rate = [world.ask("student", "GET", "/auth/me").status_code for _ in range(6)]

    assert (body.status_code, body.json()["code"]) == (413, "too_large")
    assert [page.status_code for page in pages] == [422] * 3
    assert (quota.status_code, quota.json()["code"]) == (403, "quota_exceeded")
    assert rate == [200] * 5 + [429]


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{" * 60_000, b""])
def test_a_broken_body_is_a_422(world: World, content: bytes) -> None:
    for path in ("/pieces", "/video-submissions", "/routines"):
        answer = world.ask(
            "student", "POST", path, content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), path


# ── SEC-21, SEC-24: parts that are not there, and SQL ──────────────────────────────────────────


def test_the_server_opens_no_archive() -> None:
    for file in (ROOT / "cadenza_server").rglob("*.py"):
        text = file.read_text("utf-8")
        assert not re.search(r"\b(zipfile|tarfile|unpack_archive|pickle|yaml)\b", text), file


@pytest.mark.parametrize(
    "hostile",
    ["' OR '1'='1", "x'; DROP TABLE users; --", "%", "_", "\\", '"', "captured_at DESC", "1 UNION"],
)
def test_no_text_of_a_request_becomes_sql(world: World, hostile: str) -> None:
    world.uploaded()
    before = _count(world)

    strict = [
        world.ask("teacher", "GET", path, params={name: hostile})
        for path, name in [
            ("/review-queue", "sort"),
            ("/review-queue", "cursor"),
            ("/video-submissions", "media_state"),
            ("/video-submissions", "cursor"),
            ("/video-submissions", "piece_id"),
            ("/pieces", "cursor"),
        ]
    ]
    email = world.ask(
        "student", "POST", "/users/set-teacher", params={"teacher_email": f"t{hostile}"}
    )
    login = world.http.post("/auth/login", json={"email": hostile, "password": hostile})
    piece = world.ask("student", "POST", "/pieces", json={"title": hostile})

    assert {answer.status_code for answer in strict} == {422}
    assert (email.status_code, login.status_code, piece.status_code) == (404, 401, 201)
    assert piece.json()["title"] == hostile.strip()
    assert _count(world) == before | {"pieces": before["pieces"] + 1}


def _count(world: World) -> dict[str, int]:
    with world.services.db.reading() as session:
        return {
            table.name: session.core.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in metadata.sorted_tables
        }


# ── SEC-27: deleted is deleted ─────────────────────────────────────────────────────────────────


def test_a_deleted_take_leaves_no_word_and_no_byte(make_world: Callable[..., World]) -> None:
    world = make_world()
    video = MP4 + b"the-canary-in-the-video"
    submission_id = world.uploaded(video, notes="the-canary-in-the-notes")
    world.ask("student", "DELETE", f"/video-submissions/{submission_id}")

    assert _left_of_a_canary(world) == []


def _left_of_a_canary(world: World) -> list[str]:
    """Tables with it in a row, and files with it anywhere; of SQLite the database's files too."""
    with world.services.db.reading() as session:
        tables = [
            table.name
            for table in metadata.sorted_tables
            for row in session.core.execute(sa.select(table))
            if "the-canary" in repr(row)
        ]
    world.services.db.close()  # the write-ahead log goes into the database and is removed
    folders = [world.services.settings.data_dir]
    url = str(world.services.settings.database_url)
    if url.startswith("sqlite:///"):
        folders.append(Path(url.removeprefix("sqlite:///")).parent)
    return tables + [
        path.name
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and b"the-canary" in path.read_bytes()
    ]


def test_a_deleted_take_takes_its_thread_along(make_world: Callable[..., World]) -> None:
    """Words and videos of both sides, markers on both videos, notifications that were read."""
    world = make_world()
    take = world.uploaded(MP4 + b"the-canary-in-the-video")
    say(world, "teacher", take, "the-canary-in-a-message")
    clip = send_video(world, "teacher", take, MP4 + b"the-canary-in-a-reply", text="the-canary")
    mark(world, "student", take, text="the-canary-in-a-marker", marker_type="question")
    on_reply = {"timestamp_ms": 5, "text": "the-canary-on-a-reply"}
    world.ask("student", "POST", f"/messages/{clip['id']}/markers", json=on_reply)
    for who in ("student", "teacher"):
        assert "the-canary" in world.ask(who, "GET", "/notifications").text
        world.ask(who, "POST", "/notifications/read-all")

    assert world.ask("student", "DELETE", f"/video-submissions/{take}").status_code == 204

    for who in ("student", "teacher"):
        assert "the-canary" not in world.ask(who, "GET", "/notifications").text
    assert _left_of_a_canary(world) == []


def test_a_deleted_reply_takes_the_markers_on_it_along(make_world: Callable[..., World]) -> None:
    world = make_world()
    take = world.uploaded()
    clip = send_video(world, "teacher", take, MP4 + b"the-canary-in-a-reply")
    mark(world, "student", take, text="stays", marker_type="question")
    on_reply = {"timestamp_ms": 5, "text": "the-canary-on-a-reply"}
    world.ask("student", "POST", f"/messages/{clip['id']}/markers", json=on_reply)
    world.ask("teacher", "POST", "/notifications/read-all")

    assert world.ask("teacher", "DELETE", f"/messages/{clip['id']}").status_code == 204

    kept = world.ask("teacher", "GET", f"/video-submissions/{take}/markers").json()
    assert [marker["text"] for marker in kept] == ["stays"]
    assert _left_of_a_canary(world) == []


def test_what_is_on_hold_outlives_its_thread(world: World) -> None:
    """The video is evidence, and so are the words with it; nobody reads them meanwhile."""
    take = world.uploaded()
    clip = send_video(world, "teacher", take, text="kept")
    say(world, "teacher", take, "gone")
    on_reply = {"timestamp_ms": 5, "text": "kept too"}
    world.ask("student", "POST", f"/messages/{clip['id']}/markers", json=on_reply)
    mark(world, "student", take, text="gone too", marker_type="question")
    with world.services.db.writing() as session:
        asset = session.get(MediaAsset, UUID(clip["id"]))
        assert asset is not None
        asset.hold = True

    assert world.ask("student", "DELETE", f"/video-submissions/{take}").status_code == 204

    with world.services.db.reading() as session:
        texts = {row[0] for row in session.execute(sa.select(col(Message.text)))}
        marked = {row[0] for row in session.execute(sa.select(col(VideoMarker.text)))}
    assert (texts, marked) == ({"kept", None}, {"kept too", ""})
    assert world.ask("teacher", "GET", f"/messages/{clip['id']}").status_code == 410


# ── SEC-30: comparing secrets ──────────────────────────────────────────────────────────────────


def test_signatures_are_compared_in_constant_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def watch(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watch)
    answer = world.create(**declared(MP4))
    url, _, signature = answer["upload_url"].rpartition("sig=")
    other = "B" if signature[0] == "A" else "A"
    forged = {**answer, "upload_url": f"{url}sig={other}{signature[1:]}"}

    assert world.put(forged, MP4).status_code == 403
    assert len(compared) == 1
    assert world.put(answer, MP4).status_code == 200
    assert len(compared) == 2


def test_a_secret_of_one_purpose_opens_no_other(world: World) -> None:
    ring = world.services.keyring
    message = hashlib.sha256(b"anything").digest()

    for purpose in ("token", "receipt", "storage"):
        signature = ring.sign(purpose, message)
        accepted = [
            other
            for other in ("token", "receipt", "storage")
            if ring.verify(other, ring.current_id, message, signature)
        ]
        assert accepted == [purpose]
