"""The doctor finds what is wrong, says it with the measured value, and names the remedy."""

from __future__ import annotations

import importlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from cadenza_client import CadenzaClient
from cadenza_client import errors as e
from cadenza_uploader import Finding, examine
from cadenza_uploader._credentials import Credential, CredentialStore
from cadenza_uploader._home import Home
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import CredentialsError
from cadenza_uploader.take import Hold
from tests.uploader.fake_server import FakeServer
from tests.uploader.world import URL, Clock, add_take, new_take, remove_video


class Patient:
    """A home and a server to be looked at."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.server = FakeServer()
        self.offset_seconds: float | None = 0.2
        self.settings = Settings.load({}, home=home.path, url=URL)
        CredentialStore(home).save(Credential(URL, 7, "ada@example.org", "Ada", "student", "tok"))

    def client(self) -> CadenzaClient:
        client: Any = self.server.client()
        client.clock_offset_seconds = self.offset_seconds
        return cast("CadenzaClient", client)

    def findings(self, factory: Callable[[], CadenzaClient] | None = None) -> list[Finding]:
        return examine(self.settings, client_factory=factory or self.client)

    def found(self, name: str) -> list[Finding]:
        return [finding for finding in self.findings() if finding.name == name]

    def troubles(self) -> list[str]:
        return [f.name for f in self.findings() if f.level == "problem"]


@pytest.fixture
def patient(home: Home, monkeypatch: pytest.MonkeyPatch) -> Patient:
    # The desktop's keyring belongs to whoever runs the tests.
    monkeypatch.setattr("cadenza_uploader._credentials.system_keyring", lambda: None)
    return Patient(home)


def test_a_healthy_home_has_no_problem(patient: Patient) -> None:
    findings = patient.findings()
    assert [f.name for f in findings if f.level == "problem"] == []
    assert {f.name for f in findings} == {
        *("home", "disk", "sqlite", "queue", "uploader", "codecs", "server", "sign-in"),
    }
    signed_in = next(f for f in findings if f.name == "sign-in")
    assert signed_in.sentence == "Signed in as Ada (ada@example.org)."


def test_every_trouble_names_a_remedy_or_its_cause(patient: Patient) -> None:
    patient.home.path.chmod(0o755)
    patient.server.always["health"] = lambda: e.ConnectFailedError("nobody", kind="refused")
    for finding in patient.findings():
        assert finding.sentence.endswith((".", "nobody"))
        assert finding.level == "ok" or finding.fix


def test_what_others_may_read_is_named_with_its_mode(patient: Patient) -> None:
    patient.home.path.chmod(0o755)
    (finding,) = patient.found("permissions")
    assert "(mode 0755)" in finding.sentence
    assert finding.fix == f"chmod go-rwx {patient.home.path}"


def test_a_home_that_cannot_be_written_is_a_problem(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    (finding,) = patient.found("permissions")
    assert (finding.level, "cannot be written" in finding.sentence) == ("problem", True)


def test_a_home_that_cannot_be_made_leaves_the_rest_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cadenza_uploader._credentials.system_keyring", lambda: None)
    settings = Settings.load({}, home=tmp_path / "a" / "home", url=URL, token=SecretStr("t"))
    (tmp_path / "a").write_text("in the way")
    findings = examine(settings, client_factory=FakeServer().client)
    assert (findings[0].name, findings[0].level) == ("home", "problem")
    assert [f.name for f in findings[1:]] == ["sqlite", "codecs", "server", "sign-in"]


def test_little_space_is_a_warning_with_the_number(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000_000))
    (finding,) = patient.found("disk")
    assert (finding.level, finding.sentence[:6]) == ("warning", "0.5 GB")


def test_an_old_sqlite_is_explained(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    assert "WAL-reset bug" in patient.found("sqlite")[0].sentence
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 52, 0))
    assert "WAL-reset bug" not in patient.found("sqlite")[0].sentence


# ── the queue ──────────────────────────────────────────────────────────────────────────────────


def test_a_damaged_queue_is_rebuilt_by_a_command(patient: Patient) -> None:
    patient.home.database.write_bytes(b"\0" * 4096)
    patient.home.database.chmod(0o600)
    (finding,) = patient.found("queue")
    assert finding.level == "problem"
    assert (finding.fix or "").startswith("cadenza queue rebuild")


def test_what_sqlite_itself_finds_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TakeQueue, "check", lambda _: "row 7 missing from index")
    (finding,) = patient.found("queue")
    assert "row 7 missing from index" in finding.sentence
    assert (finding.fix or "").startswith("cadenza queue rebuild")


def test_a_queue_of_a_newer_version_is_not_called_damaged(patient: Patient, clock: Clock) -> None:
    with TakeQueue.open(patient.home, clock=clock) as queue, queue._write() as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('cadenza-queue', 'm999_future', 'x')"
        )
    (finding,) = patient.found("queue")
    assert "newer version" in finding.sentence
    assert finding.fix is None


def test_holds_lost_files_strays_and_remnants_are_found(patient: Patient, clock: Clock) -> None:
    with TakeQueue.open(patient.home, clock=clock) as queue:
        lost = add_take(queue, seed=1)
        remove_video(patient.home, lost)
        queue.hold_queue(Hold.NETWORK, "refused")
    stray = new_take(patient.home, seed=2)
    (patient.home.spool / ".part-x").mkdir()
    findings = patient.findings()
    (hold,) = [f for f in findings if f.name == "hold"]
    assert hold.sentence == "The queue waits (network): refused"
    spool = [f for f in findings if f.name == "spool"]
    assert spool[0].fix == f"cadenza explain {lost.short_id}"
    assert stray.id in spool[1].sentence
    assert len(spool) in (2, 3)


def test_a_running_uploader_is_seen(patient: Patient) -> None:
    assert patient.found("uploader")[0].fix == "cadenza daemon run"
    with Instance(patient.home):
        assert patient.found("uploader")[0].level == "ok"


def test_codecs_that_cannot_be_loaded_are_a_problem(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"no {name}")

    monkeypatch.setattr(importlib, "import_module", missing)
    finding = next(f for f in patient.findings() if f.name == "codecs")
    assert (finding.level, "no av" in finding.sentence) == ("problem", True)


# ── the server ─────────────────────────────────────────────────────────────────────────────────


def test_an_address_that_is_none_is_said(patient: Patient) -> None:
    def unusable() -> CadenzaClient:
        raise e.ConfigError("not an http(s) address: nonsense")

    finding = patient.findings(unusable)[-1]
    assert (finding.name, finding.level) == ("server", "problem")
    assert "--url" in (finding.fix or "")


def test_a_server_that_is_away_ends_the_questions(patient: Patient) -> None:
    patient.server.always["health"] = lambda: e.ConnectFailedError("nobody", kind="refused")
    assert patient.findings()[-1].name == "server"
    assert patient.troubles() == ["server"]


@pytest.mark.parametrize(
    ("offset", "words"), [(400.0, "400 s behind"), (-400.0, "400 s ahead of"), (60.0, None)]
)
def test_a_clock_that_is_far_off_is_a_warning(
    patient: Patient, offset: float, words: str | None
) -> None:
    patient.offset_seconds = offset
    found = patient.found("clock")
    assert [words in f.sentence for f in found if words] == ([True] if words else [])
    assert bool(found) == bool(words)


def test_nobody_signed_in_is_a_problem(patient: Patient) -> None:
    CredentialStore(patient.home).forget(URL)
    (finding,) = patient.found("sign-in")
    assert finding == Finding("sign-in", "problem", "Nobody is signed in.", "cadenza login")


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (e.AuthenticationError("expired"), "cadenza login"),
        (e.ServerError("busy"), None),
    ],
)
def test_a_sign_in_that_is_refused_or_cannot_be_asked_about(
    patient: Patient, error: Exception, fix: str | None
) -> None:
    patient.server.always["me"] = lambda: error
    (finding,) = patient.found("sign-in")
    assert (finding.level, finding.fix) == ("problem", fix)


def test_a_sign_in_that_cannot_be_read_is_a_finding(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> Credential:
        raise CredentialsError("The keyring is locked.")

    monkeypatch.setattr(CredentialStore, "load", locked)
    (finding,) = patient.found("sign-in")
    assert finding.sentence == "The keyring is locked."
