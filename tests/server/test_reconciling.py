"""Comparing the store with the database after something was lost (B-46)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cadenza_server.reconciling import MAX_MISSING, ReconcileAbortedError, Report, reconcile
from cadenza_server.storage import Listed, Storage, StorageUnavailableError
from cadenza_server.tables import MediaAsset
from tests.server.databases import ON_SQLITE
from tests.server.test_authorisation import PNG
from tests.server.world import BASE_URL, JPEG, MP4, World


def _store(world: World) -> Storage:
    return world.services.storage_at(BASE_URL)


def _run(world: World, **options: object) -> Report:
    services = world.services
    prefix = services.settings.key_prefix
    return reconcile(
        services.db,
        _store(world),
        key_prefix=prefix,
        clock=world.clock,
        **options,  # type: ignore[arg-type]  # each test names its own
    )


def _key(world: World, submission_id: str) -> str:
    return str(_asset(world, submission_id).s3_key)


def _asset(world: World, submission_id: str) -> MediaAsset:
    with world.services.db.reading() as session:
        asset = session.get(MediaAsset, UUID(submission_id))
        assert asset is not None
        return asset


def _watch(world: World, submission_id: str) -> int:
    return world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url").status_code


def test_a_store_that_has_everything_is_clean(world: World) -> None:
    answer = world.create(thumbnail_size_bytes=len(JPEG))
    world.put(answer, MP4)
    world.put(answer, JPEG, "thumbnail")
    world.confirm(answer["submission"]["id"], thumbnail=True)
    world.ask(
        "student", "PUT", f"/pieces/{world.piece_id}/pages/1", content=PNG,
        headers={"Content-Type": "image/png"},
    )  # fmt: skip

    report = _run(world, apply=True)

    assert report.is_clean
    assert (report.known, report.found, report.unknown) == (3, 3, [])


def test_what_is_stored_and_not_confirmed_is_no_stranger(world: World) -> None:
    answer = world.create()
    world.put(answer, MP4)
    _store(world).put(f"{world.services.settings.key_prefix}cadenza/old.mp4", MP4, "video/mp4")
    _store(world).put("of-another-program/x.mp4", MP4, "video/mp4")

    report = _run(world)

    assert report.arrived == [answer["submission"]["s3_key"]]
    assert report.unknown == [f"{world.services.settings.key_prefix}cadenza/old.mp4"]
    assert report.unknown_bytes == len(MP4)


def test_a_lost_video_is_marked_and_comes_back_with_its_object(world: World) -> None:
    takes = [world.uploaded() for _ in range(11)]
    lost = takes[3]
    key = _key(world, lost)
    _store(world).delete(key)

    looked = _run(world)
    assert [one.key for one in looked.missing] == [key]
    assert _asset(world, lost).state == "uploaded", "it only looked"

    assert _run(world, apply=True).marked == 1
    assert (_watch(world, lost), _watch(world, takes[0])) == (410, 200)
    again = _run(world, apply=True)
    assert (len(again.missing), again.marked) == (1, 0), "told again, marked once"

    _store(world).put(key, MP4, "video/mp4")
    assert _run(world).returned[0].asset_id == UUID(lost)
    assert _run(world, apply=True).restored == 1
    assert _watch(world, lost) == 200
    assert (_asset(world, lost).state, _asset(world, lost).state_reason) == ("uploaded", None)
    assert [name for name in world.event_names(lost) if name.startswith("object_")] == [
        "object_missing", "object_returned",
    ]  # fmt: skip


def test_an_object_of_another_size_is_told_and_left_alone(world: World) -> None:
    take = world.uploaded()
    _store(world).put(_key(world, take), MP4 + b"x", "video/mp4")

    report = _run(world, apply=True)

    assert [one.asset_id for one in report.changed] == [UUID(take)]
    assert not report.is_clean
    assert _asset(world, take).state == "uploaded"


def test_an_empty_listing_is_not_believed(world: World) -> None:
    take = world.uploaded()
    _store(world).delete(_key(world, take))

    with pytest.raises(ReconcileAbortedError, match="lists nothing at all: 1 of 1") as refused:
        _run(world, apply=True)

    assert len(refused.value.report.missing) == 1
    assert _asset(world, take).state == "uploaded"


@ON_SQLITE
@pytest.mark.parametrize(
    ("known", "lost", "believed"),
    [(10, 1, True), (10, 2, False), (21 * MAX_MISSING, MAX_MISSING + 1, False)],
)
def test_too_great_a_loss_is_not_believed(
    world: World, known: int, lost: int, believed: bool
) -> None:
    template = _asset(world, world.uploaded())
    keys = [template.s3_key, *(f"{template.s3_key}.{n}" for n in range(known - 1))]
    with world.services.db.writing() as session:
        for n, key in enumerate(keys[1:], 1):
            copy = template.model_dump() | {"id": UUID(int=n), "s3_key": key}
            session.add(MediaAsset(**copy))

    class Listing:
        def listing(self, prefix: str) -> Iterator[Listed]:
            return iter([Listed(key, len(MP4)) for key in keys[lost:]])

        def head(self, key: str) -> None:
            return None

    options = {"key_prefix": "dev/", "apply": True}
    if not believed:
        with pytest.raises(ReconcileAbortedError, match=f"{lost} of {known} objects are missing"):
            reconcile(world.services.db, Listing(), **options)  # type: ignore[arg-type]  # a double
        options["expect_missing"] = lost
    report = reconcile(world.services.db, Listing(), **options)  # type: ignore[arg-type]  # a double
    assert report.marked == lost


def test_a_listing_that_breaks_off_changes_nothing(world: World) -> None:
    take = world.uploaded()
    root = world.services.settings.objects_dir

    class Half:
        def listing(self, prefix: str) -> Iterator[Listed]:
            yield Listed("dev/cadenza/one", 1)
            raise StorageUnavailableError("gone")

    with pytest.raises(StorageUnavailableError):
        reconcile(world.services.db, Half(), apply=True)  # type: ignore[arg-type]  # a double
    assert _asset(world, take).state == "uploaded"
    assert Path(root).is_dir()


def test_an_object_that_comes_while_it_looks_is_not_marked(world: World) -> None:
    takes = [world.uploaded() for _ in range(11)]
    real = _store(world)

    class Slow:
        def listing(self, prefix: str) -> Iterator[Listed]:
            return (one for one in real.listing(prefix) if takes[0] not in one.key)

        def head(self, key: str) -> object:
            return real.head(key)

    report = reconcile(world.services.db, Slow(), key_prefix="dev/", apply=True)  # type: ignore[arg-type]  # a double

    assert (len(report.missing), report.marked) == (1, 0)


def test_what_is_deleted_while_it_looks_stays_deleted(world: World) -> None:
    takes = [world.uploaded() for _ in range(11)]
    real = _store(world)

    class Slow:
        def listing(self, prefix: str) -> Iterator[Listed]:
            path = f"/video-submissions/{takes[0]}"
            assert world.ask("student", "DELETE", path).status_code == 204
            return real.listing(prefix)

        def head(self, key: str) -> object:
            return real.head(key)

    report = reconcile(world.services.db, Slow(), key_prefix="dev/", apply=True)  # type: ignore[arg-type]  # a double

    assert (len(report.missing), report.marked) == (1, 0)
    assert _asset(world, takes[0]).state == "deleted"
