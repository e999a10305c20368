"""Running it: is it ready, what does it count, what does it write down."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from cadenza_server.database import alembic_config
from cadenza_server.logs import JsonLines, TextLines, configure_logging, trace_of
from cadenza_server.readiness import newest_migration
from cadenza_server.storage import StorageUnavailableError
from tests.server.world import World

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


# ── ready ──────────────────────────────────────────────────────────────────────


def test_a_server_that_can_work_says_so(world: World) -> None:
    answer = world.http.get("/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_the_newest_migration_is_alembics_head() -> None:
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()

    assert newest_migration() == head


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '0001'",
                                    "DELETE FROM alembic_version"])  # fmt: skip
def test_a_database_that_is_not_migrated_is_not_ready(world: World, change: str) -> None:
    with world.services.db.writing() as session:
        session.core.execute(sa.text(change))

    answer = world.http.get("/ready")

    assert answer.status_code == 503
    assert answer.json()["fields"] == {
        "migrations": "The database is not migrated: run `cadenza server init`."
    }
    assert world.http.get("/health").status_code == 200


def test_in_the_middle_of_an_upgrade_the_old_workers_go_on(world: World) -> None:
    with world.services.db.writing() as session:
        session.core.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    assert world.http.get("/ready").status_code == 200


def test_a_database_that_is_gone_is_said_without_its_address(world: World) -> None:
    with world.services.db.writing() as session:
        session.core.execute(sa.text("DROP TABLE alembic_version"))

    answer = world.http.get("/ready")

    assert answer.status_code == 503
    assert answer.json()["fields"] == {"database": "The database does not answer."}
    assert "alembic" not in answer.text
    assert world.http.get("/health").status_code == 200


def test_a_store_that_does_not_answer_is_not_ready(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailableError("s3.internal:443 refused AKIAIOSFODNN7EXAMPLE")

    monkeypatch.setattr("cadenza_server.builtin_store.BuiltinStore.read_start", fail)

    answer = world.http.get("/ready")

    assert answer.status_code == 503
    assert answer.json()["fields"] == {"storage": "The store does not answer."}


def test_a_store_that_cannot_be_written_is_not_ready(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)

    assert world.http.get("/ready").json()["fields"] == {
        "storage": "The object store's folder can't be written."
    }


def test_checks_that_take_too_long_are_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cadenza_server.routes.operations._PATIENCE_SECONDS", 0.0)

    answer = world.http.get("/ready")

    assert answer.json()["fields"] == {"server": "The checks took too long."}


# ── metrics ────────────────────────────────────────────────────────────────────


def test_there_are_no_metrics_unless_they_are_switched_on(world: World) -> None:
    assert world.http.get("/metrics").status_code == 404


def test_requests_are_counted_by_route_and_never_by_path(make_world: Callable[..., World]) -> None:
    world = make_world(metrics="on")
    submission_id = world.uploaded()
    world.ask("student", "GET", f"/video-submissions/{submission_id}")
    world.http.get("/nowhere/student@studio.example")
    world.http.request("BREW", "/health")

    text = world.http.get("/metrics").text

    lines = [line for line in text.splitlines() if line.startswith("cadenza_requests_total{")]
    assert (
        'cadenza_requests_total{method="GET",route="/video-submissions/{submission_id}",'
        'status="200"} 1.0' in lines
    )
    assert any('route="/storage/{key}"' in line for line in lines)
    assert 'cadenza_requests_total{method="GET",route="unmatched",status="404"} 1.0' in lines
    assert any('method="other"' in line for line in lines)
    assert submission_id not in text
    assert "@" not in text
    assert "cadenza_request_seconds_bucket{" in text
    assert "cadenza_build{" in text


def test_metrics_may_ask_for_a_token(make_world: Callable[..., World]) -> None:
    token = "a-token-of-the-monitoring"
    world = make_world(metrics="on", metrics_token=token)

    assert world.http.get("/metrics").status_code == 401
    wrong = {"Authorization": "Bearer a-token-of-somebody-else"}
    assert world.http.get("/metrics", headers=wrong).status_code == 401
    answer = world.http.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")


# ── the log ────────────────────────────────────────────────────────────────────


def test_a_line_has_the_request_and_its_trace_and_nobodys_name(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cadenza.server.access")
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "request-0001"}
    world.http.post("/auth/dev-login?email=student@studio.example", headers=headers)

    (record,) = [line for line in caplog.records if line.name == "cadenza.server.access"]
    for formatter in (JsonLines(), TextLines()):
        line = formatter.format(record)
        assert "student" not in line
        assert "127.0.0.1" not in line
        for part in ("request-0001", TRACE, SPAN, "/auth/dev-login", "200"):
            assert part in line
    shown = json.loads(JsonLines().format(record))
    assert {"at", "level", "logger", "event", "request_id", "method", "path", "status",
            "duration_ms", "user_id", "trace_id", "span_id", "taskName"} >= set(shown)  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_no_traceparent_is_not_repeated(header: str) -> None:
    assert trace_of(header) == {}


def test_a_later_version_of_traceparent_is_read_too() -> None:
    assert trace_of(f"01-{TRACE}-{SPAN}-01-more") == {"trace_id": TRACE, "span_id": SPAN}


def test_a_line_stays_one_line_and_an_error_shows_where() -> None:
    record = logging.makeLogRecord({"msg": "request", "path": "/x\n00:00 info forged"})
    assert "\n" not in TextLines().format(record)

    try:
        raise ValueError("why")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: why" in json.loads(JsonLines().format(record))["error"]
    assert "ValueError: why" in TextLines().format(record)


def test_style_and_level_are_as_set(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("cadenza.server", "uvicorn.error")
    before = {name: dict(vars(logging.getLogger(name))) for name in names}
    try:
        configure_logging("text", "warning")
        logging.getLogger("cadenza.server.access").info("request")
        logging.getLogger("cadenza.server").warning("worker_died", extra={"pid": 7})
    finally:
        for name, state in before.items():
            vars(logging.getLogger(name)).update(state)
            logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined] # no API

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("warning worker_died pid=7")


def test_the_settings_of_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cadenza_server import ServerSettings

    monkeypatch.setenv("CADENZA_WORKERS", "4")
    monkeypatch.setenv("CADENZA_DB_POOL_SIZE", "3")
    monkeypatch.setenv("CADENZA_METRICS_TOKEN", "x" * 16)
    settings = ServerSettings()

    assert (settings.workers, settings.db_pool_size, settings.metrics) == (4, 3, "off")
    assert "xxxx" not in repr(settings)
