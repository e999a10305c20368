"""Takes of callers that know what they have: as durable as any other, and nothing is probed."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cadenza_uploader import Home, PreparedFacts, TakeQueue, enqueue_prepared
from cadenza_uploader.errors import NotATakeError
from cadenza_uploader.take import Account, Stage, Status, TakeContext

ACCOUNT = Account("http://127.0.0.1:8000", 7)
CONTEXT = TakeContext(piece_id="0b1a2c3d-0000-4000-8000-000000000001")
FACTS = PreparedFacts(
    duration_ms=4500, width=1280, height=720, captured_at=datetime(2026, 11, 20, tzinfo=UTC)
)


def test_bytes_that_are_no_video_are_queued_as_they_are(tmp_path: Path) -> None:
    video, thumbnail = tmp_path / "a.bin", tmp_path / "a.jpg"
    video.write_bytes(b"not a video" * 100)
    thumbnail.write_bytes(b"not a picture")
    with TakeQueue.open(Home(tmp_path / "home").prepare()) as queue:
        take = enqueue_prepared(queue, video, thumbnail, CONTEXT, account=ACCOUNT, facts=FACTS)
        kept = queue.home.spool / take.video.name
        assert kept.read_bytes() == video.read_bytes()
        assert take.video.sha256 == hashlib.sha256(video.read_bytes()).hexdigest()
        assert take.thumbnail is not None
        assert take.duration_seconds == 5  # .5 rounds up
        assert (take.status, take.stage) == (Status.PENDING, Stage.RECORDED)
        assert queue.get(take.id) == take


def test_a_take_without_a_thumbnail_has_none(tmp_path: Path) -> None:
    video = tmp_path / "a.bin"
    video.write_bytes(b"x")
    with TakeQueue.open(Home(tmp_path / "home").prepare()) as queue:
        take = enqueue_prepared(queue, video, None, CONTEXT, account=ACCOUNT, facts=FACTS)
    assert take.thumbnail is None


def test_an_empty_file_leaves_nothing_behind(tmp_path: Path) -> None:
    video = tmp_path / "empty.mp4"
    video.touch()
    with TakeQueue.open(Home(tmp_path / "home").prepare()) as queue:
        with pytest.raises(NotATakeError, match="empty"):
            enqueue_prepared(queue, video, None, CONTEXT, account=ACCOUNT, facts=FACTS)
        assert queue.list() == []
        assert list(queue.home.spool.iterdir()) == []


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.mp4"
    os.mkfifo(fifo)
    with TakeQueue.open(Home(tmp_path / "home").prepare()) as queue:
        with pytest.raises(NotATakeError, match="regular"):
            enqueue_prepared(queue, fifo, None, CONTEXT, account=ACCOUNT, facts=FACTS)
        assert queue.list() == []
