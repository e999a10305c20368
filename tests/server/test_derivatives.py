"""Derivatives: wanted at the confirm, claimed by one worker, stored, told; and a WebM's MP4."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from cadenza_server.derivatives.running import ChildDiedError, StoppedError, run_child
from cadenza_server.derivatives.worker import LEASE, MAX_ATTEMPTS, DerivativeWorker
from cadenza_server.storage import ObjectMissingError, StorageUnavailableError
from tests.media.cases import LIVE
from tests.media.clips import make_take, write
from tests.server.databases import ON_SQLITE
from tests.server.world import BASE_URL, MP4, World, declared, facts

WEBM = b"\x1a\x45\xdf\xa3 and so on"
BOARD = {"columns": 2, "rows": 1, "count": 2, "tile_width": 160, "tile_height": 90}
PROBE = {
    "duration_ms": 2010,
    "width": 640,
    "height": 360,
    "rotation": 0,
    "fps": 29.97,
    "video_codec": "h264",
    "audio_codec": "aac",
}


@dataclass
class Child:
    """Instead of a child process: makes what it is told, at once."""

    fails: dict[str, str] = field(default_factory=dict)
    dies: list[str] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    orders: list[dict[str, Any]] = field(default_factory=list)
    sources: list[bytes] = field(default_factory=list)

    def __call__(self, order: dict[str, Any], *, on_tick: Callable[[], None]) -> Iterator[Any]:
        self.orders.append(order)
        self.sources.append(Path(order["source"]).read_bytes())
        directory, kinds = Path(order["directory"]), list(order["kinds"])
        self.meanwhile()
        on_tick()
        made = {
            "normalise": ("normalised.mp4", {"size_bytes": 3}),
            "waveform": ("waveform.json", {"has_audio": True, "interval_ms": 20, "count": 2}),
            "loudness": (None, {"has_audio": True, "integrated_lufs": -20.0}),
            "storyboard": ("storyboard.jpg", BOARD),
        }
        yield {"probe": PROBE}
        for kind, (file, found) in made.items():
            if kind not in kinds:
                continue
            if kind in self.fails:
                yield {"kind": kind, "error": self.fails[kind]}
                continue
            if kind == "loudness" and self.dies:
                raise ChildDiedError(self.dies.pop(0))
            if file:
                (directory / file).write_bytes(f"made {kind}".encode())
            yield {"kind": kind, "facts": found, "file": file}


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(derivatives="on")


def _worker(world: World, child: Any = None, **options: Any) -> DerivativeWorker:
    services = world.services
    storage = services.storage_at(BASE_URL)
    return DerivativeWorker(
        services.db, storage, world.clock, **{"run": child or Child(), **options}
    )


def _states(world: World, submission_id: str) -> dict[str, str]:
    read = world.ask("student", "GET", f"/video-submissions/{submission_id}").json()
    return {one["kind"]: one["state"] for one in read["derivatives"]}


def _media_state(world: World, submission_id: str) -> str:
    read = world.ask("student", "GET", f"/video-submissions/{submission_id}").json()
    return str(read["media_state"])


def _playback(world: World, submission_id: str, who: str = "teacher") -> Any:
    return world.ask(who, "GET", f"/video-submissions/{submission_id}/video-url")


def _events(world: World) -> list[tuple[str, Any]]:
    with world.services.db.reading() as session:
        rows = session.execute(sa.text("SELECT type, data FROM events ORDER BY seq")).all()
    return [
        (row[0], json.loads(row[1]) if isinstance(row[1], str) else row[1])
        for row in rows
        if row[0] not in ("notification.created", "submission.created", "submission.uploaded")
    ]


def _attempts(world: World) -> set[int]:
    with world.services.db.reading() as session:
        return set(session.execute(sa.text("SELECT attempts FROM derivatives")).scalars())


def _webm(world: World, data: bytes = WEBM, **fields: Any) -> str:
    answer = world.create(content_type="video/webm", **declared(data), **fields)
    assert ".source.webm" in answer["upload_url"]
    assert answer["upload_headers"]["Content-Type"] == "video/webm"
    assert world.put(answer, data).status_code == 200
    submission_id = str(answer["submission"]["id"])
    assert world.confirm(submission_id, **facts(data)).status_code == 200
    return submission_id


# ── from the confirm to ready ──────────────────────────────────────────────────


def test_what_is_made_after_the_confirm(world: World) -> None:
    submission_id = world.uploaded()
    assert _states(world, submission_id) == {
        "storyboard": "pending",
        "waveform": "pending",
        "loudness": "pending",
    }
    before = _playback(world, submission_id).json()
    assert before["storyboard_url"] is before["waveform_url"] is None

    child = Child()
    worker = _worker(world, child)
    assert worker.run_once() is True
    assert worker.run_once() is False
    assert child.sources == [MP4]
    assert child.orders[0]["kinds"] == ["loudness", "storyboard", "waveform"]
    assert set(_states(world, submission_id).values()) == {"ready"}
    assert _media_state(world, submission_id) == "ready"
    after = _playback(world, submission_id).json()
    assert world.http.get(after["storyboard_url"]).content == b"made storyboard"
    assert world.http.get(after["storyboard_url"]).headers["content-type"] == "image/jpeg"
    assert world.http.get(after["waveform_url"]).content == b"made waveform"
    assert after["derivatives"] == {
        "storyboard": BOARD,
        "waveform": {"has_audio": True, "interval_ms": 20, "count": 2},
        "loudness": {"has_audio": True, "integrated_lufs": -20.0},
        "fps": 29.97,
        "duration_ms": 2010,
    }
    read = world.ask("teacher", "GET", f"/video-submissions/{submission_id}").json()
    assert (read["width"], read["height"]) == (640, 360)  # measured, whatever was declared


def test_those_who_watch_are_told(world: World) -> None:
    submission_id = world.uploaded()
    _worker(world).run_once()

    told = _events(world)
    assert [kind for kind, _ in told] == ["derivative.changed"] * 3 + ["submission.ready"]
    assert {data.get("kind") for _, data in told[:3]} == {"storyboard", "waveform", "loudness"}
    assert {data["submission_id"] for _, data in told} == {submission_id}


def test_a_confirm_twice_makes_nothing_twice(world: World) -> None:
    submission_id = world.uploaded()
    _worker(world).run_once()
    world.confirm(submission_id)

    assert _worker(world).run_once() is False
    assert _media_state(world, submission_id) == "ready"


def test_bytes_sent_again_are_looked_at_again(world: World) -> None:
    answer = world.create()
    submission_id = answer["submission"]["id"]
    for data in (MP4 + b"1", MP4 + b"two"):
        world.put(answer, data)
        _playback(world, submission_id)
        child = Child()
        assert _worker(world, child).run_once() is True
        assert child.sources == [data]


def test_switched_off_nothing_is_wanted(make_world: Callable[..., World]) -> None:
    world = make_world(derivatives="off")
    submission_id = world.uploaded()

    assert _states(world, submission_id) == {}
    refused = world.ask(
        "student", "POST", "/video-submissions", json=world.take(content_type="video/webm")
    )
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media")


# ── what goes wrong ────────────────────────────────────────────────────────────


def test_a_video_that_can_not_be_read_is_still_delivered(world: World) -> None:
    submission_id = world.uploaded()
    child = Child(fails=dict.fromkeys(("storyboard", "waveform", "loudness"), "damaged"))
    _worker(world, child).run_once()

    assert set(_states(world, submission_id).values()) == {"failed"}
    assert _media_state(world, submission_id) == "ready"  # failed counts as finished
    assert _playback(world, submission_id).status_code == 200
    assert _worker(world).run_once() is False


def test_what_was_made_before_the_crash_stays_made(world: World) -> None:
    submission_id = world.uploaded()
    child = Child(dies=["crashed"])
    _worker(world, child).run_once()
    assert _states(world, submission_id) == {
        "waveform": "ready",
        "loudness": "pending",
        "storyboard": "pending",
    }
    assert _worker(world, child).run_once() is False  # not at once
    world.clock.advance(minutes=1)
    assert _worker(world, child).run_once() is True

    assert child.orders[1]["kinds"] == ["loudness", "storyboard"]
    assert set(_states(world, submission_id).values()) == {"ready"}


def test_three_crashes_are_enough(world: World) -> None:
    submission_id = world.uploaded()
    child = Child(dies=["crashed"] * MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS):
        assert _worker(world, child).run_once() is True
        world.clock.advance(minutes=5)

    assert _states(world, submission_id)["loudness"] == "failed"
    assert _worker(world, child).run_once() is False
    with world.services.db.reading() as session:
        query = sa.text("SELECT error_code FROM derivatives WHERE kind = 'loudness'")
        assert session.execute(query).scalar_one() == "crashed"
    assert _media_state(world, submission_id) == "ready"


def test_a_child_that_says_too_little_is_a_crash(world: World) -> None:
    world.uploaded()

    def silent(order: Any, *, on_tick: Any) -> Iterator[Any]:
        yield from ()

    _worker(world, silent).run_once()
    assert _attempts(world) == {1}
    world.clock.advance(minutes=1)
    assert _worker(world).run_once() is True


@pytest.mark.parametrize("error", [StorageUnavailableError("away"), OSError("disk full")])
def test_a_store_that_is_away_costs_no_attempt(
    world: World, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = world.uploaded()
    worker = _worker(world)

    def fail(store: Any, key: str, destination: Path) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(type(worker._storage), "fetch", fail)
        assert worker.run_once() is True
    assert _attempts(world) == {0}
    assert worker.run_once() is False
    world.clock.advance(minutes=1)
    assert worker.run_once() is True
    assert _media_state(world, submission_id) == "ready"


def test_an_object_that_is_gone_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = world.uploaded()
    worker = _worker(world)

    def fail(store: Any, key: str, destination: Path) -> None:
        raise ObjectMissingError(key)

    monkeypatch.setattr(type(worker._storage), "fetch", fail)
    worker.run_once()

    assert set(_states(world, submission_id).values()) == {"failed"}


def test_a_take_deleted_meanwhile_leaves_nothing_behind(world: World) -> None:
    submission_id = world.uploaded()
    child = Child(
        meanwhile=lambda: world.ask("student", "DELETE", f"/video-submissions/{submission_id}")
    )
    worker = _worker(world, child)
    worker.run_once()

    stored = [one.key for one in worker._storage.listing("")]
    assert stored == []
    assert [kind for kind, _ in _events(world)] == ["submission.deleted"]


def test_deleting_removes_what_was_made(world: World) -> None:
    submission_id = world.uploaded()
    worker = _worker(world)
    worker.run_once()
    assert len(list(worker._storage.listing(""))) == 3
    world.ask("student", "DELETE", f"/video-submissions/{submission_id}")

    assert list(worker._storage.listing("")) == []


# ── several workers ────────────────────────────────────────────────────────────


def test_two_workers_do_not_make_the_same(world: World) -> None:
    submissions = [world.uploaded() for _ in range(6)]
    child = Child()

    def work(_: int) -> None:
        worker = _worker(world, child)
        while worker.run_once():
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))

    assert len(child.orders) == 6
    assert {_media_state(world, one) for one in submissions} == {"ready"}
    assert _attempts(world) == {1}


def test_who_dies_loses_the_lease(world: World) -> None:
    submission_id = world.uploaded()

    def die() -> None:
        raise SystemError

    with pytest.raises(SystemError):
        _worker(world, Child(meanwhile=die)).run_once()
    assert _worker(world).run_once() is False
    world.clock.advance(seconds=LEASE.total_seconds())
    assert _worker(world).run_once() is True
    assert _media_state(world, submission_id) == "ready"
    assert _attempts(world) == {2}


def test_what_kills_the_server_each_time_is_given_up(world: World) -> None:
    submission_id = world.uploaded()

    def die() -> None:
        raise SystemError

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(SystemError):
            _worker(world, Child(meanwhile=die)).run_once()
        world.clock.advance(seconds=LEASE.total_seconds())
    child = Child(meanwhile=die)
    assert _worker(world, child).run_once() is True

    assert child.orders == []
    assert set(_states(world, submission_id).values()) == {"failed"}
    assert _media_state(world, submission_id) == "ready"
    assert _worker(world).run_once() is False


@ON_SQLITE
def test_what_a_killed_server_left_behind_is_swept_away(world: World, tmp_path: Path) -> None:
    for name, hours in (("old", 3), ("new", 1)):
        directory = tmp_path / f"cadenza-derivatives-{name}"
        directory.mkdir()
        (directory / "source").write_bytes(b"x")
        then = time.time() - hours * 3600
        os.utime(directory, (then, then))
    worker = _worker(world, workspace=tmp_path)
    worker.run_once()
    left = {path.name for path in tmp_path.glob("cadenza-derivatives-*")}
    assert left == {"cadenza-derivatives-new"}

    world.uploaded()
    worker.run_once()
    assert {path.name for path in tmp_path.glob("cadenza-derivatives-*")} == left


def test_who_lost_the_lease_changes_nothing(world: World) -> None:
    submission_id = world.uploaded()

    def be_late() -> None:
        world.clock.advance(minutes=3)
        assert _worker(world).run_once() is True

    _worker(world, Child(meanwhile=be_late, fails={"storyboard": "damaged"})).run_once()

    assert set(_states(world, submission_id).values()) == {"ready"}


def test_a_lease_is_renewed_while_the_child_works(world: World) -> None:
    world.uploaded()

    def take_long(order: Any, *, on_tick: Callable[[], None]) -> Iterator[Any]:
        for _ in range(10):
            world.clock.advance(seconds=31)
            on_tick()
            assert _worker(world).run_once() is False
        yield from Child()(order, on_tick=on_tick)

    _worker(world, take_long).run_once()
    assert _attempts(world) == {1}


def test_stopping_gives_the_work_back(world: World) -> None:
    submission_id = world.uploaded()
    worker = _worker(world)
    worker.stop()
    worker.run_once()
    assert _attempts(world) == {0}
    assert set(_states(world, submission_id).values()) == {"pending"}

    assert _worker(world).run_once() is True  # another process goes on at once


# ── WebM ───────────────────────────────────────────────────────────────────────


def test_a_webm_is_watched_as_an_mp4(world: World) -> None:
    submission_id = _webm(world)
    waiting = _playback(world, submission_id)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not_uploaded_yet")
    assert waiting.json()["fields"] == {"preparing": True}
    assert _states(world, submission_id)["normalise"] == "pending"

    child = Child()
    worker = _worker(world, child)
    worker.run_once()
    assert child.sources == [WEBM]
    playback = _playback(world, submission_id).json()
    assert world.http.get(playback["video_url"]).content == b"made normalise"
    assert world.http.get(playback["video_url"]).headers["content-type"] == "video/mp4"
    assert not [one.key for one in worker._storage.listing("") if one.key.endswith(".webm")]
    assert ("derivative.changed", "normalise") in [
        (kind, data.get("kind")) for kind, data in _events(world)
    ]


def test_the_receipt_of_a_webm_is_the_same_after_its_mp4_was_made(world: World) -> None:
    submission_id = _webm(world)
    before = world.confirm(submission_id, **facts(WEBM)).json()["receipt"]
    _worker(world).run_once()
    after = world.confirm(submission_id, **facts(WEBM)).json()["receipt"]

    assert before == after
    assert before["sha256"] == hashlib.sha256(WEBM).hexdigest()


def test_a_webm_can_not_be_replaced_once_confirmed(world: World) -> None:
    answer = world.create(content_type="video/webm")  # says nothing of size or checksum
    submission_id = answer["submission"]["id"]
    world.put(answer, WEBM)
    _playback(world, submission_id)

    urls = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url")
    assert urls.json()["code"] == "already_uploaded"
    assert world.put(answer, WEBM + b"other").status_code in (403, 412)


def test_a_webm_that_is_none_is_invalid(world: World) -> None:
    submission_id = _webm(world)
    kinds = ("normalise", "storyboard", "waveform", "loudness")
    _worker(world, Child(fails=dict.fromkeys(kinds, "damaged"))).run_once()

    assert _media_state(world, submission_id) == "invalid"
    answer = _playback(world, submission_id)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media")


def test_after_a_crash_the_rest_is_made_of_the_mp4(world: World) -> None:
    submission_id = _webm(world)
    child = Child(dies=["crashed"])
    _worker(world, child).run_once()
    assert _playback(world, submission_id).status_code == 200
    world.clock.advance(minutes=1)
    _worker(world, child).run_once()

    assert child.sources == [WEBM, b"made normalise"]
    assert _media_state(world, submission_id) == "ready"


def test_the_same_webm_may_be_announced_again(world: World) -> None:
    body = world.take(id=str(uuid4()), content_type="video/webm")
    first = world.ask("student", "POST", "/video-submissions", json=body)
    assert world.ask("student", "POST", "/video-submissions", json=body).status_code == 200
    body["content_type"] = "video/mp4"
    assert first.status_code == 201
    assert world.ask("student", "POST", "/video-submissions", json=body).status_code == 409
    body["content_type"] = "video/avi"
    assert world.ask("student", "POST", "/video-submissions", json=body).status_code == 422


def test_a_message_may_be_a_webm(world: World) -> None:
    submission_id = world.uploaded()
    _worker(world).run_once()
    message_id = str(uuid4())
    body = {
        "id": message_id,
        "include_video": True,
        "video_duration_seconds": 5,
        "content_type": "video/webm",
        **facts(WEBM),
    }
    path = f"/video-submissions/{submission_id}/messages"
    answer = world.ask("teacher", "POST", path, json=body).json()
    assert world.put(answer, WEBM).status_code == 200
    confirmed = world.ask("teacher", "POST", f"/messages/{message_id}/confirm", json=facts(WEBM))
    assert confirmed.status_code == 200, confirmed.text
    waiting = world.ask("student", "GET", f"/messages/{message_id}/video-url")
    assert waiting.json()["fields"] == {"preparing": True}
    _worker(world).run_once()

    ready = world.ask("student", "GET", f"/messages/{message_id}/video-url")
    assert world.http.get(ready.json()["video_url"]).content == b"made normalise"
    read = world.ask("student", "GET", f"/messages/{message_id}").json()
    assert {one["state"] for one in read["derivatives"]} == {"ready"}
    last, data = _events(world)[-1]
    assert (last, data["message_id"]) == ("message.updated", message_id)


# ── for real ───────────────────────────────────────────────────────────────────


def _real(world: World, path: Path, **fields: Any) -> tuple[str, dict[str, Any]]:
    data = path.read_bytes()
    submission_id = (
        _webm(world, data, **fields) if path.suffix == ".webm" else world.uploaded(data, **fields)
    )
    assert _worker(world, run_child).run_once() is True
    return submission_id, _playback(world, submission_id).json()


@ON_SQLITE
def test_a_real_take(world: World, tmp_path: Path) -> None:
    submission_id, playback = _real(world, make_take(tmp_path / "take.mp4", 3.0))

    assert set(_states(world, submission_id).values()) == {"ready"}
    made = playback["derivatives"]
    assert made["fps"] == 30.0
    assert 2990 <= made["duration_ms"] <= 3030
    assert made["loudness"]["integrated_lufs"] < -10
    assert made["loudness"]["silent_share"] < 0.1
    wave = world.http.get(playback["waveform_url"]).json()
    assert len(wave["peaks"]) == made["waveform"]["count"]
    assert max(wave["peaks"]) > 0.05
    assert world.http.get(playback["storyboard_url"]).content.startswith(b"\xff\xd8")
    with world.services.db.reading() as session:
        row = session.execute(sa.text("SELECT * FROM media_assets")).one()
    assert (row.video_codec, row.audio_codec, row.width, row.height) == ("h264", "aac", 1280, 720)


@ON_SQLITE
def test_a_real_recording_of_a_browser(world: World, tmp_path: Path) -> None:
    # No duration in it anywhere, and no index: MediaRecorder writes to a pipe.
    path = tmp_path / "take.webm"
    write(
        path,
        "webm",
        width=640,
        height=360,
        frames=90,
        codec="libvpx",
        audio="libopus",
        unseekable=True,
        muxer=LIVE,
    )
    submission_id, playback = _real(world, path)

    assert _media_state(world, submission_id) == "ready"
    video = world.http.get(playback["video_url"]).content
    assert video[4:8] == b"ftyp"
    assert video.index(b"moov") < video.index(b"mdat")  # it starts to play at once
    assert 2950 <= playback["derivatives"]["duration_ms"] <= 3100
    assert UUID(submission_id)


@ON_SQLITE
def test_a_real_file_that_is_damaged(world: World) -> None:
    submission_id = world.uploaded(MP4 + b"nothing of a video" * 50)
    assert _worker(world, run_child).run_once() is True

    assert set(_states(world, submission_id).values()) == {"failed"}
    assert _media_state(world, submission_id) == "ready"


# ── the child's parent ─────────────────────────────────────────────────────────


def _run(program: str, **options: Any) -> list[Any]:
    return list(run_child({}, on_tick=lambda: None, program=program, **options))


def test_what_a_child_says_is_heard() -> None:
    assert _run("print('{\"a\": 1}'); print('{\"b\": 2}')") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("raise SystemExit(3)", "crashed"),
        ("import os; os.abort()", "crashed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "took_too_long"),
        ("import os, signal; signal.signal(25, 0); os.kill(os.getpid(), 25)", "too_large"),
        ("print('no JSON')", "crashed"),
        ("print('[1]')", "crashed"),
        ("print('x' * 100_000, end='')", "crashed"),
        ("import os, time; os.close(1); time.sleep(60)", "crashed"),
    ],
)
def test_how_children_die(program: str, code: str) -> None:
    with pytest.raises(ChildDiedError, match=f"^{code}$"):
        _run(program)


def test_a_child_that_hangs_is_ended() -> None:
    with pytest.raises(ChildDiedError, match="took_too_long"):
        _run("import time; time.sleep(60)", wall_seconds=0.5)


def test_a_child_is_ended_when_we_stop() -> None:
    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        list(run_child({}, on_tick=stop, program="import time; time.sleep(60)"))


def test_no_secret_goes_to_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_SECRET", "s3cret")
    program = "import os, json; print(json.dumps(dict(os.environ)))"

    (environment,) = _run(program)
    assert "CADENZA_SECRET" not in environment
