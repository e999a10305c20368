"""Watching, the audit trail, and deletion."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from cadenza_server.events import Fact, append, first_broken
from cadenza_server.tables import MediaAsset, UploadEvent
from tests.server.world import JPEG, MP4, World, declared, facts


def _set_asset(world: World, submission_id: str, **values: object) -> None:
    from uuid import UUID

    with world.services.db.writing() as session:
        asset = session.get(MediaAsset, UUID(submission_id))
        assert asset is not None
        for name, value in values.items():
            setattr(asset, name, value)


# ── watching ───────────────────────────────────────────────────────────────────


def test_nothing_to_watch_yet(world: World) -> None:
    submission_id = world.create()["submission"]["id"]

    response = world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url")

    assert (response.status_code, response.json()["code"]) == (409, "not_uploaded_yet")


def test_the_video_can_be_read_in_parts(world: World) -> None:
    submission_id = world.uploaded()
    playback = world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url").json()

    part = world.http.get(playback["video_url"], headers={"Range": "bytes=4-7"})

    assert (part.status_code, part.content) == (206, b"ftyp")
    assert part.headers["content-type"] == "video/mp4"
    assert playback["thumbnail_url"] is None


def test_a_download_has_a_name_to_keep_it_under(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}/video-url"

    url = world.ask("student", "GET", path, params={"download": True}).json()["video_url"]

    disposition = world.http.get(url).headers["content-disposition"]
    assert disposition == 'attachment; filename="2026-11-20-Bourr-e.mp4"'


def test_playback_urls_expire(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}/video-url"
    url = world.ask("student", "GET", path).json()["video_url"]

    world.clock.advance(seconds=3600)

    assert "Request has expired" in world.http.get(url).text
    assert world.ask("student", "GET", path).status_code == 200


def test_a_video_that_is_no_longer_kept(world: World) -> None:
    submission_id = world.uploaded()
    _set_asset(world, submission_id, state="expired")

    response = world.ask("student", "GET", f"/video-submissions/{submission_id}/video-url")

    assert (response.status_code, response.json()["code"]) == (410, "media_expired")


def test_reading_one_tells_everything_about_it(world: World) -> None:
    submission_id = world.uploaded(width=1280, height=720, page_number=3, measure_number=17)

    answer = world.ask("teacher", "GET", f"/video-submissions/{submission_id}").json()

    assert (answer["width"], answer["height"]) == (1280, 720)
    assert (answer["page_number"], answer["measure_number"]) == (3, 17)
    assert (answer["unread_count"], answer["marker_count"]) == (0, 0)
    assert answer["derivatives"] == []
    assert world.ask("student", "GET", f"/video-submissions/{declared(MP4)['id']}").json()[
        "code"
    ] == ("not_found")


# ── deletion (B-26) ────────────────────────────────────────────────────────────


def test_a_deleted_submission_is_gone_everywhere_and_its_bytes_too(world: World) -> None:
    answer = world.create(**declared(MP4))
    submission_id = answer["submission"]["id"]
    world.put(answer, MP4)
    world.put(answer, JPEG, "thumbnail")
    world.confirm(submission_id, **facts(MP4), thumbnail=True)
    path = f"/video-submissions/{submission_id}"
    url = world.ask("student", "GET", f"{path}/video-url").json()["video_url"]

    assert world.ask("student", "DELETE", path).status_code == 204

    for method, suffix in [
        ("GET", ""),
        ("GET", "/upload-url"),
        ("GET", "/video-url"),
        ("GET", "/events"),
        ("POST", "/confirm"),
    ]:
        gone = world.ask("student", method, path + suffix, json={} if method == "POST" else None)
        assert (gone.status_code, gone.json()["code"]) == (410, "submission_deleted"), suffix
    assert world.ask("teacher", "PATCH", f"{path}/reviewed").status_code == 410
    assert world.ask("other_student", "GET", path).status_code == 403, "strangers learn nothing"
    assert world.ask("student", "GET", "/video-submissions").json() == []
    assert world.ask("teacher", "GET", "/review-queue").json() == []
    assert world.http.get(url).status_code == 404
    root = world.services.settings.objects_dir
    assert [p for p in root.rglob("*") if p.is_file()] == [], "no bytes and no sidecar stay"


def test_deleting_twice_is_the_same_as_once(world: World) -> None:
    submission_id = world.create()["submission"]["id"]
    path = f"/video-submissions/{submission_id}"

    assert world.ask("student", "DELETE", path).status_code == 204
    assert world.ask("student", "DELETE", path).status_code == 204

    with world.services.db.reading() as session:
        names = session.scalars(select(UploadEvent.event).order_by(col(UploadEvent.seq))).all()
    assert names[-1:] == ["deleted"]
    assert names.count("deleted") == 1


def test_what_was_reviewed_stays(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}"
    world.ask("teacher", "PATCH", f"{path}/reviewed")

    response = world.ask("student", "DELETE", path)

    assert (response.status_code, response.json()["code"]) == (409, "already_reviewed")
    world.ask("teacher", "DELETE", f"{path}/reviewed")
    assert world.ask("student", "DELETE", path).status_code == 204


def test_what_is_held_stays(world: World) -> None:
    submission_id = world.uploaded()
    _set_asset(world, submission_id, hold=True)

    response = world.ask("student", "DELETE", f"/video-submissions/{submission_id}")

    assert (response.status_code, response.json()["code"]) == (423, "held")


def test_a_teacher_never_deletes(world: World) -> None:
    submission_id = world.uploaded()

    for who in ("teacher", "admin", "other_student"):
        response = world.ask(who, "DELETE", f"/video-submissions/{submission_id}")
        assert response.status_code == 403, who


# ── the trail ──────────────────────────────────────────────────────────────────


def test_the_trail_tells_the_whole_story_in_order(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}"
    world.ask("teacher", "GET", f"{path}/video-url")
    world.ask("teacher", "PATCH", f"{path}/reviewed")
    world.ask("teacher", "PATCH", f"{path}/reviewed")
    world.ask("teacher", "DELETE", f"{path}/reviewed")
    world.ask("teacher", "DELETE", f"{path}/reviewed")

    lines = world.ask("teacher", "GET", f"{path}/events").json()

    assert [line["event"] for line in lines] == [
        "created",
        "urls_issued",
        "confirmed",
        "playback_url_issued",
        "reviewed",
        "reopened",
    ]
    assert lines[3]["actor_id"] == world.people["teacher"]
    assert [line["prev_hash"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]


def test_the_database_itself_refuses_to_change_or_remove_a_line(world: World) -> None:
    world.create()

    for statement in (
        "UPDATE upload_events SET event = 'nothing'",
        "DELETE FROM upload_events",
    ):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            world.services.db.writing() as session,
        ):
            session.execute(text(statement))
    with world.services.db.reading() as session:
        assert len(session.scalars(select(UploadEvent)).all()) == 2


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE upload_events SET event = 'forged' WHERE seq = 3",
        "UPDATE upload_events SET actor_id = 99 WHERE seq = 3",
        "UPDATE upload_events SET data = '{}' WHERE seq = 3",
        "UPDATE upload_events SET at = '2020-01-01 00:00:00' WHERE seq = 3",
        "DELETE FROM upload_events WHERE seq = 3",
    ],
)
def test_whoever_tampers_past_the_trigger_breaks_the_chain(world: World, tampering: str) -> None:
    world.uploaded()
    world.uploaded()
    with world.services.db.reading() as session:
        assert first_broken(session.scalars(_whole_trail())) is None

    with world.services.db.writing() as session:
        names: tuple[str, ...] = ("no_update", "no_delete")
        if not world.services.db.is_sqlite:
            names = ("append_only ON upload_events",)
        for name in names:
            session.execute(text(f"DROP TRIGGER upload_events_{name}"))
        session.execute(text(tampering))

    with world.services.db.reading() as session:
        assert first_broken(session.scalars(_whole_trail())) == 3


def test_several_facts_of_one_moment_keep_their_order(world: World) -> None:
    with world.services.db.writing() as session:
        append(session, world.clock(), *(Fact(f"step_{n}", None) for n in range(3)))

    with world.services.db.reading() as session:
        lines = session.scalars(_whole_trail()).all()
    assert [(line.seq, line.event) for line in lines] == [
        (1, "step_0"),
        (2, "step_1"),
        (3, "step_2"),
    ]


def _whole_trail() -> SelectOfScalar[UploadEvent]:
    return select(UploadEvent).order_by(col(UploadEvent.seq))
