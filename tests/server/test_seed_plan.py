"""The test plan of the first source document, by its names (F000-64 … F000-69)."""

from __future__ import annotations

from uuid import UUID

from tests.server.world import MP4, World


def test_create_video_submission(world: World) -> None:
    response = world.ask("student", "POST", "/video-submissions", json=world.take(notes="bar 17"))

    assert response.status_code == 201
    answer = response.json()
    submission = answer["submission"]
    key = f"dev/cadenza/videos/{world.people['student']}/{UUID(submission['id'])}"
    assert submission["s3_key"] == f"{key}.mp4"
    assert f"/storage/{key}.mp4?" in answer["upload_url"]
    assert f"/storage/{key}_thumb.jpg?" in answer["thumbnail_upload_url"]
    assert answer["expires_in"] == 3600
    listed = world.ask("student", "GET", "/video-submissions").json()
    assert [row["id"] for row in listed] == [submission["id"]]
    assert listed[0]["notes"] == "bar 17"
    assert listed[0]["reviewed_at"] is None


def test_create_submission_requires_duration(world: World) -> None:
    body = world.take(duration_seconds=None)

    response = world.ask("student", "POST", "/video-submissions", json=body)

    assert response.status_code == 422
    assert response.json()["code"] == "duration_required"
    assert world.ask("student", "GET", "/video-submissions").json() == []


def test_teacher_views_student_submissions(world: World) -> None:
    mine = world.create()["submission"]["id"]
    second_piece = world.ask("second_student", "POST", "/pieces", json={"title": "Etude"}).json()
    world.create("second_student", piece_id=second_piece["id"])
    path = f"/students/{world.people['student']}/video-submissions"

    response = world.ask("teacher", "GET", path)

    assert response.status_code == 200
    assert [row["id"] for row in response.json()] == [mine]
    world.ask("teacher", "PATCH", f"/video-submissions/{mine}/reviewed")
    assert world.ask("teacher", "GET", path, params={"pending_review": True}).json() == []
    reviewed = world.ask("teacher", "GET", path, params={"pending_review": False}).json()
    assert [row["id"] for row in reviewed] == [mine]


def test_non_teacher_cannot_view_other_submissions(world: World) -> None:
    world.create()
    path = f"/students/{world.people['student']}/video-submissions"

    for stranger in ("other_teacher", "other_student", "second_student", "student"):
        response = world.ask(stranger, "GET", path)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden"), stranger


def test_mark_reviewed(world: World) -> None:
    submission_id = world.create()["submission"]["id"]
    path = f"/video-submissions/{submission_id}/reviewed"

    assert world.ask("student", "PATCH", path).status_code == 403
    world.clock.advance(hours=1)
    response = world.ask("teacher", "PATCH", path)

    assert response.status_code == 200
    assert response.json()["reviewed_at"] == "2026-11-20T18:00:00Z"
    assert response.json()["reviewed_by_id"] == world.people["teacher"]
    seen = world.ask("student", "GET", f"/video-submissions/{submission_id}").json()
    assert seen["reviewed_at"] == "2026-11-20T18:00:00Z"


def test_get_playback_url(world: World) -> None:
    submission_id = world.uploaded()
    path = f"/video-submissions/{submission_id}/video-url"

    for viewer in ("student", "teacher"):
        answer = world.ask(viewer, "GET", path)
        assert answer.status_code == 200, viewer
        assert answer.json()["expires_in"] == 3600
        assert world.http.get(answer.json()["video_url"]).content == MP4
    for stranger in ("other_student", "other_teacher"):
        assert world.ask(stranger, "GET", path).status_code == 403, stranger
    assert world.ask(None, "GET", path).status_code == 401
