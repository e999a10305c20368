"""A recording on its way through the real command and daemon, on every store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cadenza_uploader import Home, TakeQueue, record_take
from tests.storage.world import World

# Slow enough for a kill to fall between two blocks, fast enough not to be waited for.
_BYTES_PER_SECOND = 60_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four seconds of moving picture and tone."""
    path = tmp_path_factory.mktemp("recorded") / "take.mp4"
    record_take(path, seconds=4.0)
    return path.read_bytes()


class Device:
    """A home of its own, and the command."""

    def __init__(self, world: World, path: Path) -> None:
        self.home = Home(path)
        self._environ = {
            **os.environ,
            "CADENZA_HOME": str(path),
            "CADENZA_URL": world.url,
            "CADENZA_TOKEN": world.student_token,
            "CADENZA_STORAGE_HOSTS": urlsplit(world.door.url).netloc,
            "CADENZA_TIMINGS": "fast",
        }

    def __call__(self, *words: object) -> Any:
        done = subprocess.run(
            _command(*words), capture_output=True, text=True, env=self._environ, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in words else None

    def start(self, *words: object, **environ: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            _command(*words), stdout=subprocess.DEVNULL, env={**self._environ, **environ}
        )

    def status(self, take_id: str) -> str:
        with TakeQueue.open(self.home) as queue:
            return queue.get(take_id).status.value

    def spool(self) -> list[Path]:
        return [path for path in self.home.spool.rglob("*") if path.is_file()]


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "cadenza_cli", *map(str, words)]


def test_a_take_arrives_though_the_daemon_is_killed_and_an_answer_is_lost(
    world: World, recording: bytes, tmp_path: Path
) -> None:
    device = Device(world, tmp_path / "home")
    take = tmp_path / "take.mp4"
    take.write_bytes(recording)
    queued = device("upload", take, "--piece", world.piece_id, "--no-daemon", "--json")
    (take_id,) = (one["id"] for one in queued["takes"])
    assert device.status(take_id) == "pending"

    daemon = device.start("daemon", "run", CADENZA_RATE_LIMIT=str(_BYTES_PER_SECOND))
    try:
        deadline = time.monotonic() + 60
        while device.status(take_id) != "uploading":
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(20)

    lost = world.door.lost
    world.door.lose_next_answer()
    device("daemon", "run", "--once")

    assert world.door.lost == lost + 1
    assert device.status(take_id) == "uploaded"
    assert device.spool() == []
    with world.client(world.teacher_token) as teacher:
        mine = [one for one in teacher.review.queue() if str(one.submission.id) == take_id]
        assert len(mine) == 1
        url = teacher.submissions.playback(take_id).video_url
    assert httpx.get(url).content == recording
