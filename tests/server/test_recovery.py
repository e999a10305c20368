"""What an administrator has to be able to do: restore, change the secrets, upgrade."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import make_url
from sqlmodel import col, select

from cadenza_server import ServerSettings, create_app
from cadenza_server.database import Database, alembic_config
from cadenza_server.events import first_broken
from cadenza_server.receipts import Receipt, verify_receipt
from cadenza_server.reconciling import reconcile
from cadenza_server.tables import UploadEvent, metadata
from tests.server.databases import NewDatabase
from tests.server.world import BASE_URL, MP4, START, FakeClock, InProcess, World, declared, facts

OLD, NEW = "the old secret, which is long enough", "the new secret, which is long enough"


@pytest.fixture
def start() -> Iterator[Callable[..., httpx.Client]]:
    """`start(clock, **settings)`: a server on what is there already."""
    with ExitStack() as stack:

        def make(clock: FakeClock, **settings: Any) -> httpx.Client:
            app = create_app(ServerSettings(**settings), clock=clock, monotonic=clock.monotonic)
            stack.callback(app.state.services.db.close)
            client = httpx.Client(transport=InProcess(app), base_url=BASE_URL)
            return stack.enter_context(client)

        yield make


def _sign_in(http: httpx.Client, who: str) -> dict[str, str]:
    answer = http.post(f"/auth/dev-login?email={who}@studio.example").json()
    return {"Authorization": f"Bearer {answer['access_token']}"}


# ── backup and restore ─────────────────────────────────────────────────────────────────────────


def _dump(url: str, file: Path) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":  # what sqlite3's `.backup` does, while it is in use
        with sqlite3.connect(str(parsed.database)) as source, sqlite3.connect(file) as copy:
            source.backup(copy)
        source.close()
        copy.close()
        return
    command_line = ["pg_dump", "--format=custom", f"--file={file}", *_where(parsed)]
    subprocess.run(command_line, check=True, timeout=120, capture_output=True)


def _restore(file: Path, url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        shutil.copy(file, str(parsed.database))
        return
    command_line = ["pg_restore", "--no-owner", "--exit-on-error", *_where(parsed), str(file)]
    subprocess.run(command_line, check=True, timeout=120, capture_output=True)


def _where(url: sa.URL) -> list[str]:
    return [f"--host={url.query['host']}", f"--username={url.username}", f"--dbname={url.database}"]


def test_a_restored_backup_has_everything_and_says_what_it_lacks(
    world: World, new_database: NewDatabase, tmp_path: Path, start: Callable[..., httpx.Client]
) -> None:
    settings = world.services.settings
    takes = [world.uploaded(MP4 + bytes([n])) for n in range(11)]
    world.ask("teacher", "PATCH", f"/video-submissions/{takes[0]}/reviewed")
    told = world.confirm(takes[1], **facts(MP4 + bytes([1]))).json()["receipt"]
    _dump(settings.database_url, tmp_path / "dump")  # the database first …
    late = world.uploaded(MP4 + b"late")
    shutil.copytree(settings.objects_dir, tmp_path / "objects")  # … and then the objects
    world.services.db.close()
    shutil.rmtree(settings.data_dir)

    url = new_database(migrated=False)
    data_dir = tmp_path / "restored"
    shutil.copytree(tmp_path / "objects", data_dir / "objects")
    _restore(tmp_path / "dump", url)
    lost = next((data_dir / "objects").rglob(f"{takes[2]}.mp4"))
    lost.unlink()
    http = start(world.clock, data_dir=data_dir, db=url)

    student, teacher = _sign_in(http, "student"), _sign_in(http, "teacher")
    listed = http.get("/video-submissions", headers=student).json()
    assert {take["id"] for take in listed} == set(takes)
    assert [take["id"] for take in listed if take["reviewed_at"]] == [takes[0]]
    links = http.get(f"/video-submissions/{takes[1]}/video-url", headers=teacher).json()
    assert http.get(links["video_url"]).content == MP4 + bytes([1])
    services = http._transport._app.state.services  # type: ignore[attr-defined]  # our own transport
    assert verify_receipt(services.keyring, Receipt.model_validate(told))
    with services.db.reading() as session:
        trail = session.scalars(select(UploadEvent).order_by(col(UploadEvent.seq))).all()
    assert first_broken(trail) is None
    # The lost object is found, and the take that came after the dump is not called a loss.
    report = reconcile(services.db, services.storage_at(BASE_URL), key_prefix="dev/", apply=True)
    assert [str(one.asset_id) for one in report.missing] == [takes[2]]
    assert [key.rpartition("/")[2] for key in report.unknown] == [f"{late}.mp4"]
    assert report.marked == 1
    watched = http.get(f"/video-submissions/{takes[2]}/video-url", headers=teacher)
    assert (watched.status_code, watched.json()["code"]) == (410, "media_expired")
    # And it goes on: a client that still has the late take sends it again under its id.
    piece = listed[0]["piece_id"]
    body = {"piece_id": piece, "duration_seconds": 45, **declared(MP4 + b"late"), "id": late}
    again = http.post("/video-submissions", json=body, headers=student)
    assert again.status_code == 201


# ── changing the secrets ───────────────────────────────────────────────────────────────────────


def test_the_secret_is_changed_and_nobody_is_signed_out(
    make_world: Callable[..., World], start: Callable[..., httpx.Client]
) -> None:
    world = make_world(secret=OLD, secret_id="k1")
    token = world.http.post("/auth/dev-login?email=student@studio.example").json()["access_token"]
    waiting = world.create(**declared(MP4))
    take = world.uploaded()
    receipt = world.confirm(take, **facts(MP4)).json()["receipt"]
    settings = world.services.settings
    same: dict[str, Any] = {"data_dir": settings.data_dir, "db": settings.database_url}
    headers = {"Authorization": f"Bearer {token}"}

    rotated = start(world.clock, **same, secret=NEW, secret_id="k2", previous_secrets={"k1": OLD})

    assert rotated.get("/auth/me", headers=headers).status_code == 200
    put = rotated.put(waiting["upload_url"], content=MP4, headers=waiting["upload_headers"])
    assert put.status_code == 200, "an upload that was under way goes on"
    ring = rotated._transport._app.state.services.keyring  # type: ignore[attr-defined]  # our own
    assert verify_receipt(ring, Receipt.model_validate(receipt))
    path = f"/video-submissions/{take}/confirm"
    new = rotated.post(path, json=facts(MP4), headers=headers).json()["receipt"]
    assert (receipt["key_id"], new["key_id"]) == ("k1", "k2"), "the old one signs nothing new"
    fresh = rotated.post("/auth/dev-login?email=student@studio.example").json()["access_token"]

    retired = start(world.clock, **same, secret=NEW, secret_id="k2")

    assert retired.get("/auth/me", headers=headers).status_code == 401, "retired is retired"
    again = {"Authorization": f"Bearer {fresh}"}
    assert retired.get("/auth/me", headers=again).status_code == 200


def test_a_new_secret_under_the_old_id_opens_nothing_old(
    make_world: Callable[..., World], start: Callable[..., httpx.Client]
) -> None:
    world = make_world(secret=OLD)
    token = world.http.post("/auth/dev-login?email=student@studio.example").json()["access_token"]
    settings = world.services.settings

    http = start(world.clock, data_dir=settings.data_dir, db=settings.database_url, secret=NEW)

    assert http.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


# ── upgrading ──────────────────────────────────────────────────────────────────────────────────


def _fill_first_version(db: Database) -> tuple[str, dict[str, int]]:
    """Rows as the first version wrote them: through its own columns, read from the database."""
    with db.engine.begin() as connection:
        old = sa.MetaData()
        old.reflect(connection)
        tables = old.tables
        student, take, piece = 2, uuid4(), uuid4()
        people: dict[str, Any] = {"share_history": True, "is_studio_admin": False, "features": {}}
        _insert(connection, tables["users"], people | {
            "id": 1, "email": "teacher@studio.example", "user_type": "teacher"})  # fmt: skip
        _insert(connection, tables["users"], people | {
            "id": student, "email": "student@studio.example", "user_type": "student",
            "teacher_id": 1})  # fmt: skip
        _insert(connection, tables["pieces"], {
            "id": piece, "owner_id": student, "title": "Air", "updated_at": START})  # fmt: skip
        _insert(connection, tables["media_assets"], {
            "id": take, "owner_id": student, "kind": "take", "state": "uploaded", "hold": False,
            "s3_key": f"dev/cadenza/videos/{student}/{take}.mp4", "content_type": "video/mp4",
            "size_bytes": len(MP4), "etag": '"e"', "confirmed_at": START})  # fmt: skip
        _insert(connection, tables["video_submissions"], {
            "id": take, "asset_id": take, "user_id": student, "piece_id": piece, "notes": "old",
            "duration_seconds": 9, "captured_at": START, "create_fingerprint": "f",
            "is_mastered": False})  # fmt: skip
        counts = {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in tables.items()
            if name in metadata.tables
        }
    return str(take), counts


def _insert(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> None:
    typed = metadata.tables[table.name]
    known = {name: value for name, value in row.items() if name in table.columns}
    assert known.keys() == row.keys(), "the first version had these columns"
    values = known | {"created_at": START}
    plain = sa.table(table.name, *(sa.column(name, typed.columns[name].type) for name in values))
    connection.execute(sa.insert(plain).values(values))


def test_a_server_of_the_first_version_is_upgraded_with_its_data(
    new_database: NewDatabase, tmp_path: Path, start: Callable[..., httpx.Client]
) -> None:
    url = new_database(migrated=False)
    db = Database(url)
    with db.engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
    take, before = _fill_first_version(db)
    db.close()

    http = start(FakeClock(), data_dir=tmp_path / "server", db=url)  # starting it upgrades it

    teacher = _sign_in(http, "teacher")
    shown = http.get(f"/video-submissions/{take}", headers=teacher).json()
    assert (shown["notes"], shown["media_state"]) == ("old", "uploaded")
    assert (shown["unread_count"], shown["marker_count"]) == (0, 0)
    assert http.get("/review-queue", headers=teacher).json()[0]["submission"]["id"] == take
    said = http.post(f"/video-submissions/{take}/messages", json={"text": "Good."}, headers=teacher)
    assert said.status_code == 201, said.text
    services = http._transport._app.state.services  # type: ignore[attr-defined]  # our own
    with services.db.reading() as session:
        after = {
            name: session.core.execute(
                sa.select(sa.func.count()).select_from(metadata.tables[name])
            ).scalar_one()
            for name in before
        }
    assert after | {"upload_events": 0} == before | {"upload_events": 0}
