"""`cadenza server …`: set up, seed, refuse what is unsafe, and really serve."""

from __future__ import annotations

import builtins
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cadenza


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CADENZA_SERVER_DIR", str(tmp_path / "server"))
    return tmp_path / "server"


def test_init_makes_the_database_and_may_be_repeated(cadenza: Cadenza, data_dir: Path) -> None:
    assert cadenza("server", "init").stdout == f"Ready in {data_dir}.\n"
    assert cadenza("server", "init", "--json").document == {"data_dir": str(data_dir)}
    assert (data_dir / "cadenza.db").exists()


def test_seed_demo_names_people_and_piece(cadenza: Cadenza, data_dir: Path) -> None:
    first = cadenza("server", "seed-demo", "--json").document
    assert first == cadenza("server", "seed-demo", "--json").document
    assert set(first) == {
        "student_email", "student_id", "teacher_email", "teacher_id", "password",
        "piece_id", "piece_title", "exercise_id",
    }  # fmt: skip
    told = cadenza("server", "seed-demo")
    assert first["piece_id"] in told.stdout
    assert first["student_email"] in told.stdout
    assert cadenza("server", "seed-demo", "-q").lines == [first["piece_id"]]


def test_user_add_reads_the_password_from_standard_input(cadenza: Cadenza, data_dir: Path) -> None:
    words = ["server", "user", "add", "Tessa@example.org", "--name", "Tessa", "--role", "teacher"]
    answer = cadenza(*words, "--password-stdin", "--json", typed="correct horse\n")
    assert answer.document == {"id": 1, "email": "Tessa@example.org", "user_type": "teacher"}
    again = cadenza(*words, "--password-stdin", typed="correct horse\n")
    assert again.exit_code == 1
    assert "has an account already" in again.stderr
    sam = cadenza(
        "server", "user", "add", "sam@example.org", "--teacher", "nobody@example.org",
        "--password-stdin", typed="correct horse\n",
    )  # fmt: skip
    assert sam.exit_code == 1
    assert "nobody@example.org" in sam.stderr


def test_reconcile_tells_what_is_missing_and_believes_no_great_loss(
    cadenza: Cadenza, data_dir: Path
) -> None:
    from sqlmodel import Session, create_engine

    from cadenza_server.tables import MediaAsset

    assert cadenza("server", "reconcile").stdout.startswith("0 of 0 objects are there.\n")
    cadenza("server", "seed-demo")
    key = "dev/cadenza/videos/2/lost.mp4"
    engine = create_engine(f"sqlite:///{data_dir / 'cadenza.db'}")
    with Session(engine) as session:
        now = datetime(2026, 11, 20, tzinfo=UTC)
        session.add(MediaAsset(owner_id=1, s3_key=key, state="uploaded", created_at=now))
        session.commit()
    engine.dispose()
    (data_dir / "objects" / "dev" / "cadenza").mkdir(parents=True)
    (data_dir / "objects" / "dev" / "cadenza" / "new.mp4").write_bytes(b"12345")

    refused = cadenza("server", "reconcile", "--apply")
    looked = cadenza("server", "reconcile", "--expect-missing", "1")
    applied = cadenza("server", "reconcile", "--expect-missing", "1", "--apply", "--json")

    assert (refused.exit_code, looked.exit_code, applied.exit_code) == (1, 1, 1)
    assert "1 of 1 objects are missing" in refused.stderr
    assert f"! missing: {key}\n" in looked.stdout
    assert "Unknown to the database: 1 (5 bytes; they stay)" in looked.stdout
    assert (applied.document["marked"], applied.document["missing"]) == (1, [key])
    assert "Marked 0, restored 0." in cadenza("server", "reconcile", "--apply").stdout


@pytest.mark.parametrize(
    ("typed", "words", "exit_code"),
    [("", "empty", 2), ("short\n", "at least 8", 1)],
)
def test_a_password_that_will_not_do(
    cadenza: Cadenza, data_dir: Path, typed: str, words: str, exit_code: int
) -> None:
    answer = cadenza("server", "user", "add", "a@b.example", "--password-stdin", typed=typed)
    assert answer.exit_code == exit_code
    assert words in answer.stderr


def test_without_a_person_the_option_is_named(cadenza: Cadenza, data_dir: Path) -> None:
    answer = cadenza("server", "user", "add", "a@b.example")
    assert answer.exit_code == 2
    assert "--password-stdin" in answer.stderr


def test_demo_accounts_only_in_dev(
    cadenza: Cadenza, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADENZA_ENV", "prod")
    refused = cadenza("server", "seed-demo")
    assert refused.exit_code == 2
    assert "CADENZA_SECRET must be set" in refused.stderr
    monkeypatch.setenv("CADENZA_SECRET", "s" * 40)
    refused = cadenza("server", "seed-demo")
    assert refused.exit_code == 1
    assert "dev only" in refused.stderr


def test_a_dev_server_is_for_this_machine_only(cadenza: Cadenza, data_dir: Path) -> None:
    answer = cadenza("server", "run", "--host", "0.0.0.0", "--port", "0")
    assert answer.exit_code == 2
    assert "0.0.0.0 is refused" in answer.stderr


def test_a_taken_port_is_said(cadenza: Cadenza, data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = cadenza("server", "run", "--port", port)
    assert answer.exit_code == 1
    assert f"port {port} cannot be used" in answer.stderr
    assert "--port 0" in answer.stderr


def test_without_the_servers_parts_the_command_says_what_to_install(
    cadenza: Cadenza, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def without_fastapi(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("cadenza_server"):
            raise ModuleNotFoundError("No module named 'fastapi'", name="fastapi")
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_fastapi)
    answer = cadenza("server", "init")
    assert answer.exit_code == 1
    assert "cadenza[server]" in answer.stderr


def test_run_serves_says_where_and_stops_on_sigterm(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", "server", "run", "--port", "0", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"CADENZA_SERVER_DIR": str(tmp_path / "server"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        url = json.loads("".join(lines))["url"]
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()
