"""Journey 1: without a network, a take is queued, kept, explained, and costs nothing."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

from tests.journeys.conftest import Person, Studio


def test_an_offline_take_is_safe_and_says_what_it_waits_for(
    studio: Studio, student: Person, take: Path
) -> None:
    studio.close()

    ended = student("upload", take, "--piece", "bach", "--notes", "bar 17")

    assert ended.exit_code == 5
    take_id = student("queue", "ls", "-q").lines[0]
    assert ended.lines[0].startswith(f"Queued {take_id[:8]}")
    assert "waiting for network" in ended.lines[1]
    assert "safe in the queue" in ended.lines[1]

    listed = student("queue", "ls")
    assert listed.lines[1].split()[:2] == [take_id[:8], "pending"]
    assert "waiting for network" in listed.lines[1]

    assert student.spool() == [
        f"{take_id}/take.json", f"{take_id}/thumbnail.jpg", f"{take_id}/video.mp4",
    ]  # fmt: skip
    spooled = student.home.spool / take_id / "video.mp4"
    assert _sha256(spooled) == _sha256(take)

    shown = student("queue", "show", take_id, "--json").document
    assert shown["notes"] == "bar 17"
    assert shown["attempts"] == 0
    assert shown["hold"] is None or shown["hold"] == "network"
    assert all(not attempt["counted"] for attempt in shown["attempts_made"])

    told = student("explain", take_id)
    assert "network" in told.stdout


def test_nothing_reached_the_server(studio: Studio, student: Person, take: Path) -> None:
    studio.close()
    assert student("upload", take, "--piece", "bach").exit_code == 5
    studio.open()
    assert student("submissions", "ls", "--json").document["submissions"] == []


def test_queueing_alone_knocks_at_no_door(student: Person, take: Path) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.setblocking(False)
        student.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        student.env["CADENZA_TOKEN"] = "dev_token_user_2"
        piece = "4d4f387e-0407-50cb-9a90-398a98c882f1"
        assert student("upload", take, "--piece", piece, "--no-daemon").exit_code == 0
        try:
            door.accept()
        except BlockingIOError:
            return
    raise AssertionError("queueing a take made a connection")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
