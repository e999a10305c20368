"""The whole way of a take, over sockets, on every store: what holds here holds in production.

Nothing in this file knows which store it runs on, but for the names of two S3 error codes that
the makers of stores choose differently.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
import time_machine

from cadenza_client import (
    AlreadyUploadedError,
    CadenzaClient,
    ChecksumMismatchError,
    ChecksumRefusedError,
    ConnectionLostError,
    GoneError,
    NewSubmission,
    NotUploadedYetError,
    ObjectExistsError,
    RetryPolicy,
    SizeMismatchError,
    UploadUrlExpiredError,
)
from cadenza_client.models import UploadTarget
from cadenza_server import admin
from tests.storage.world import JPEG, MP4, World


@pytest.fixture
def student(world: World) -> Iterator[CadenzaClient]:
    with world.client(world.student_token) as client:
        yield client


@pytest.fixture
def teacher(world: World) -> Iterator[CadenzaClient]:
    with world.client(world.teacher_token) as client:
        yield client


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take.mp4"
    path.write_bytes(MP4 + uuid4().bytes * 20_000)
    return path


def _id(new: NewSubmission) -> UUID:
    assert new.id is not None
    return new.id


def _target(student: CadenzaClient, new: NewSubmission) -> UploadTarget:
    target = student.submissions.create(new).video
    assert target is not None
    return target


def _send(target: UploadTarget, data: bytes, **headers: str) -> httpx.Response:
    """A PUT without a client's care: with the headers that were given, and with these."""
    return httpx.put(target.url, content=data, headers={**target.headers, **headers})


def _stored(world: World, new: NewSubmission) -> bytes | None:
    key = f"dev/cadenza/videos/{world.student_id}/{_id(new)}.mp4"
    found = world.storage.head(key)
    return None if found is None else world.storage.read_start(key, found.size_bytes)


# ── the way ────────────────────────────────────────────────────────────────────────────────────


def test_a_take_arrives_and_is_watched(
    world: World, student: CadenzaClient, teacher: CadenzaClient, take: Path, tmp_path: Path
) -> None:
    new = world.announce(take, thumbnail_size_bytes=len(JPEG))
    thumbnail = tmp_path / "thumb.jpg"
    thumbnail.write_bytes(JPEG)
    ticket = student.submissions.create(new)
    assert ticket.video is not None
    assert set(ticket.video.headers) == {
        "Content-Type",
        "Content-Length",
        "x-amz-checksum-sha256",
        "If-None-Match",
    }

    done = student.submissions.upload(_id(new), take, sha256=new.sha256, thumbnail=thumbnail)

    assert (done.receipt.verified, done.receipt.sha256) == ("sha256", new.sha256)
    assert done.receipt.etag == f'"{hashlib.md5(take.read_bytes()).hexdigest()}"'
    assert done.submission.thumbnail_s3_key is not None
    copy = tmp_path / "copy.mp4"
    watched = teacher.submissions.playback(_id(new))
    teacher.download(watched, copy)
    assert copy.read_bytes() == take.read_bytes()
    assert watched.thumbnail_url is not None
    assert httpx.get(watched.thumbnail_url).content == JPEG


def test_an_old_client_sends_nothing_but_a_content_type(
    world: World, student: CadenzaClient, teacher: CadenzaClient, take: Path
) -> None:
    """W7: what was not declared is not signed, or its upload would fail (profile v1)."""
    ticket = student.submissions.create(NewSubmission(piece_id=world.piece_id, duration_seconds=45))
    target, data = ticket.video, take.read_bytes()
    assert target is not None
    assert set(target.headers) <= {"Content-Type"}

    first = httpx.put(target.url, content=data[:-1], headers={"Content-Type": "video/mp4"})
    again = httpx.put(target.url, content=data, headers={"Content-Type": "video/mp4"})

    assert (first.status_code, again.status_code) == (200, 200), "it may honestly send again"
    assert ticket.submission is not None
    url = teacher.submissions.playback(ticket.submission.id).video_url
    assert httpx.get(url).content == data


def test_a_take_is_watched_in_ranges(
    world: World, student: CadenzaClient, teacher: CadenzaClient, take: Path
) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)
    data = take.read_bytes()
    url = teacher.submissions.playback(_id(new)).video_url

    for asked, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1999", 1000, 1999),
        (f"bytes={len(data) - 10}-", len(data) - 10, len(data) - 1),
        ("bytes=-5", len(data) - 5, len(data) - 1),
    ):
        part = httpx.get(url, headers={"Range": asked})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
        assert part.content == data[first : last + 1]
    whole = httpx.get(url)
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    beyond = httpx.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, _code(beyond)) == (416, "InvalidRange")


def test_a_download_has_a_name(
    world: World, student: CadenzaClient, teacher: CadenzaClient, take: Path
) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)

    kept = httpx.get(teacher.submissions.playback(_id(new), download=True).video_url)

    assert kept.headers["content-disposition"].startswith('attachment; filename="20')
    assert kept.headers["content-disposition"].endswith('.mp4"')


def test_deleted_bytes_are_gone(world: World, student: CadenzaClient, take: Path) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)
    url = student.submissions.playback(_id(new)).video_url

    student.submissions.delete(_id(new))

    with pytest.raises(GoneError):
        student.submissions.playback(_id(new))
    assert _stored(world, new) is None
    answer = httpx.get(url)
    assert (answer.status_code, _code(answer)) == (404, "NoSuchKey")


# ── what a URL binds (SEC-07) ──────────────────────────────────────────────────────────────────


def test_an_expired_url_is_refused_and_a_fresh_one_works(
    world: World, student: CadenzaClient, take: Path
) -> None:
    new = world.announce(take)
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2)):
        target = _target(student, new)

    with pytest.raises(UploadUrlExpiredError):
        student.upload_media(target, take, content_type="video/mp4", sha256=None)
    answer = _send(target, take.read_bytes())

    assert (answer.status_code, _code(answer)) == (403, "AccessDenied")
    assert "Request has expired" in answer.text
    assert _stored(world, new) is None
    assert student.submissions.upload(_id(new), take).receipt.verified == "sha256"


def test_a_url_to_watch_ends_too(world: World, student: CadenzaClient, take: Path) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2)):
        url = student.submissions.playback(_id(new)).video_url

    answer = httpx.get(url)

    assert (answer.status_code, _code(answer)) == (403, "AccessDenied")


def _another_key(url: str) -> str:
    return url.replace(".mp4?", "_thumb.jpg?")


def _another_prefix(url: str) -> str:
    return url.replace("/dev/cadenza/", "/prod/cadenza/")


def _longer_life(url: str) -> str:
    return re.sub(r"(X-Amz-Expires|exp)=(\d)", r"\1=9", url)


def _one_more_parameter(url: str) -> str:
    return url + "&response-content-type=text%2Fhtml"


def _another_signature(url: str) -> str:
    return url[:-4] + ("AAAA" if not url.endswith("AAAA") else "BBBB")


@pytest.mark.parametrize(
    "tamper",
    [_another_key, _another_prefix, _longer_life, _one_more_parameter, _another_signature],
)
def test_a_changed_url_is_refused(
    world: World,
    student: CadenzaClient,
    take: Path,
    tamper: Callable[[str], str],
) -> None:
    new = world.announce(take)
    target = _target(student, new)
    changed = tamper(target.url)
    assert changed != target.url

    answer = httpx.put(changed, content=take.read_bytes(), headers=target.headers)

    assert (answer.status_code, _code(answer)) == (403, "SignatureDoesNotMatch")
    assert _stored(world, new) is None
    assert _send(target, take.read_bytes()).status_code == 200, "the right one still works"


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "POST"])
def test_a_url_is_good_for_one_method(
    world: World, student: CadenzaClient, take: Path, method: str
) -> None:
    new = world.announce(take)
    target = _target(student, new)
    student.submissions.upload(_id(new), take)

    answer = httpx.request(method, target.url)

    assert answer.status_code in (403, 405)
    assert _stored(world, new) == take.read_bytes()


def test_a_url_to_watch_cannot_store(world: World, student: CadenzaClient, take: Path) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)
    url = student.submissions.playback(_id(new)).video_url

    answer = httpx.put(url, content=b"other", headers={"Content-Type": "video/mp4"})

    assert (answer.status_code, _code(answer)) == (403, "SignatureDoesNotMatch")
    assert _stored(world, new) == take.read_bytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Type", "text/html"),
        ("x-amz-checksum-sha256", "A" * 43 + "="),
    ],
)
def test_a_changed_header_is_refused(
    world: World, student: CadenzaClient, take: Path, name: str, value: str
) -> None:
    new = world.announce(take)
    answer = _send(_target(student, new), take.read_bytes(), **{name: value})

    assert (answer.status_code, _code(answer)) == (403, "SignatureDoesNotMatch")
    assert _stored(world, new) is None


@pytest.mark.parametrize("name", ["x-amz-checksum-sha256", "If-None-Match"])
def test_a_header_left_out_is_refused(
    world: World, student: CadenzaClient, take: Path, name: str
) -> None:
    new = world.announce(take)
    target = _target(student, new)
    headers = {k: v for k, v in target.headers.items() if k != name}

    answer = httpx.put(target.url, content=take.read_bytes(), headers=headers)

    assert answer.status_code == 403
    assert _stored(world, new) is None


def test_without_a_signature_nothing_is_told(
    world: World, student: CadenzaClient, take: Path
) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)
    bare = student.submissions.playback(_id(new)).video_url.partition("?")[0]

    answers = [httpx.get(bare), httpx.get(bare.replace(str(_id(new)), str(uuid4())))]

    assert {answer.status_code for answer in answers} <= {400, 401, 403}
    assert answers[0].status_code == answers[1].status_code, "there or not, it is the same"


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("change", [-1, 1])
def test_another_length_than_signed_is_refused(
    world: World, student: CadenzaClient, take: Path, change: int
) -> None:
    new = world.announce(take)
    target = _target(student, new)
    data = (take.read_bytes() + b"+")[: take.stat().st_size + change]

    answer = _send(target, data, **{"Content-Length": str(len(data))})

    assert (answer.status_code, _code(answer)) == (403, "SignatureDoesNotMatch")
    assert _stored(world, new) is None


def test_damaged_bytes_are_refused(world: World, student: CadenzaClient, take: Path) -> None:
    new = world.announce(take)
    target = _target(student, new)
    take.write_bytes(take.read_bytes()[:-1] + b"!")

    with pytest.raises(ChecksumRefusedError) as refusal:
        student.upload_media(target, take, content_type="video/mp4", sha256=None)

    assert (refusal.value.status_code, refusal.value.s3_code) == (400, "BadDigest")
    assert _stored(world, new) is None
    with pytest.raises(NotUploadedYetError):
        student.submissions.confirm(_id(new), size_bytes=new.size_bytes or 0, sha256=new.sha256)


def test_what_is_there_is_not_overwritten(world: World, student: CadenzaClient, take: Path) -> None:
    new = world.announce(take)
    target = _target(student, new)
    student.upload_media(target, take, content_type="video/mp4", sha256=None)

    with pytest.raises(ObjectExistsError):
        student.upload_media(target, take, content_type="video/mp4", sha256=None)

    student.submissions.confirm(_id(new), size_bytes=new.size_bytes or 0, sha256=new.sha256)
    assert _send(target, take.read_bytes()).status_code == 412
    with pytest.raises(AlreadyUploadedError):
        student.submissions.upload_urls(_id(new))


def test_a_confirm_compares_what_was_not_declared(
    world: World, student: CadenzaClient, take: Path
) -> None:
    """Whatever the store verifies or tells: the receipt's checksum is that of the stored bytes."""
    bare = NewSubmission(id=uuid4(), piece_id=world.piece_id, duration_seconds=45)
    student.upload_media(_target(student, bare), take, content_type="video/mp4", sha256=None)
    size = take.stat().st_size

    with pytest.raises(SizeMismatchError):
        student.submissions.confirm(_id(bare), size_bytes=size + 1, sha256=None)
    with pytest.raises(ChecksumMismatchError) as refusal:
        student.submissions.confirm(_id(bare), size_bytes=size, sha256="ab" * 32)

    right = hashlib.sha256(take.read_bytes()).hexdigest()
    assert (refusal.value.fields or {})["stored"] == right
    done = student.submissions.confirm(_id(bare), size_bytes=size, sha256=right)
    assert (done.receipt.verified, done.receipt.sha256) == ("sha256", right)


def test_a_take_seen_before_it_was_confirmed_is_still_verified(
    world: World, student: CadenzaClient, teacher: CadenzaClient, take: Path
) -> None:
    """A list looks lazily and reads nothing back; the confirm after it does."""
    new = world.announce(take)
    student.upload_media(_target(student, new), take, content_type="video/mp4", sha256=None)

    seen = teacher.submissions.playback(_id(new))
    done = student.submissions.confirm(_id(new), size_bytes=new.size_bytes or 0, sha256=new.sha256)

    assert seen.video_url
    assert (done.receipt.verified, done.receipt.sha256) == ("sha256", new.sha256)


def test_bytes_that_came_past_the_checksum_are_found_at_the_confirm(
    world: World, student: CadenzaClient, teacher: CadenzaClient, take: Path
) -> None:
    """As on a store that ignores checksums: right length, wrong bytes (S09)."""
    new = world.announce(take)
    key = f"dev/cadenza/videos/{world.student_id}/{_id(new)}.mp4"
    _target(student, new)
    world.storage.put(key, take.read_bytes()[:-1] + b"!", "video/mp4")
    if world.store == "swift":
        assert teacher.submissions.playback(_id(new)).video_url, "found by its size"

    with pytest.raises(ChecksumMismatchError):
        student.submissions.confirm(_id(new), size_bytes=new.size_bytes or 0, sha256=new.sha256)

    assert student.submissions.get(_id(new)).media_state == "awaiting_upload"
    assert student.submissions.upload(_id(new), take).receipt.verified == "sha256"


# ── lost answers ───────────────────────────────────────────────────────────────────────────────


def test_a_lost_answer_to_an_upload_is_found_out(
    world: World, student: CadenzaClient, take: Path
) -> None:
    """The bytes are stored and nobody said so: the second try ends at the confirm (O11)."""
    new = world.announce(take)
    _target(student, new)
    world.door.lose_next_answer()
    before = world.door.lost

    done = student.submissions.upload(_id(new), take)

    assert world.door.lost == before + 1
    assert done.receipt.verified == "sha256"
    assert _stored(world, new) == take.read_bytes()


def test_one_attempt_tells_that_the_outcome_is_not_known(world: World, take: Path) -> None:
    with world.client(world.student_token, retry=RetryPolicy.none()) as careful:
        new = world.announce(take)
        target = _target(careful, new)
        world.door.lose_next_answer()

        with pytest.raises(ConnectionLostError) as lost:
            careful.upload_media(target, take, content_type="video/mp4", sha256=None)

        assert lost.value.sent == "all"
        assert _stored(world, new) == take.read_bytes()


# ── setting it up ──────────────────────────────────────────────────────────────────────────────


def test_setting_up_again_changes_nothing(world: World, student: CadenzaClient, take: Path) -> None:
    new = world.announce(take)
    _target(student, new)
    student.submissions.upload(_id(new), take)

    again = {step.name: step.outcome for step in admin.init_storage(world.settings)}

    assert again.get("bucket", "unchanged") == "unchanged"
    assert _stored(world, new) == take.read_bytes()


def _code(answer: httpx.Response) -> str:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]
