"""The demo studio: alive, told once, and only in dev."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from cadenza_server import ServerSettings, create_app
from cadenza_server.admin import DEMO_PASSWORD, AdminError
from cadenza_server.demo_studio import DemoClip, fill_studio
from cadenza_server.serving import run_in_thread
from tests.server.world import JPEG, MP4

CLIP = DemoClip(MP4, 8, JPEG)


def test_the_inbox_is_alive(tmp_path: Path) -> None:
    settings = ServerSettings(data_dir=tmp_path, env="dev", derivatives="off")

    assert fill_studio(settings, CLIP) == 7
    assert fill_studio(settings, CLIP) == 0

    with run_in_thread(create_app(settings)) as server, httpx.Client(base_url=server.url) as http:
        body = {"email": "teacher@demo.example", "password": DEMO_PASSWORD}
        token = http.post("/auth/login", json=body).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        queue = http.get("/review-queue").json()
        asking = [item["has_question"] for item in queue]
        assert asking == sorted(asking, reverse=True)
        assert set(asking) == {True, False}
        assert len({item["student_name"] for item in queue}) == 4
        assert all(item["waiting_seconds"] > 0 for item in queue)
        assert sum(item["submission"]["marker_count"] for item in queue) >= 4
        picture = queue[0]["submission"]["thumbnail_url"]
        assert http.get(picture).content == JPEG
        assert http.get("/unread").json()["total"] == 3
        [reviewed] = [
            one
            for student in http.get("/users/my-students").json()
            for one in http.get(f"/students/{student['id']}/video-submissions").json()
            if one["reviewed_at"]
        ]
        thread = http.get(f"/video-submissions/{reviewed['id']}/messages").json()
        assert [message["media_state"] for message in thread] == ["uploaded", None]
        assert thread[0]["read_at"] is not None
        markers = http.get(f"/video-submissions/{reviewed['id']}/markers").json()
        assert [marker["status"] for marker in markers] == ["open", "open", "tried"]
        assert http.get("/notifications?unread=true").json()


def test_never_outside_dev(tmp_path: Path) -> None:
    settings = ServerSettings(data_dir=tmp_path, env="prod", secret="s" * 40)

    with pytest.raises(AdminError, match="for dev only"):
        fill_studio(settings, CLIP)
