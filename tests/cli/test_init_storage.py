"""`cadenza server init-storage`: what it says of a directory, of a bucket, and of neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.s3server import S3Server, s3_server
from tests.cli.conftest import Cadenza


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CADENZA_SERVER_DIR", str(tmp_path / "server"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path / "server"


@pytest.fixture
def swift(tmp_path: Path) -> Iterator[S3Server]:
    with s3_server(folder=tmp_path, install=False) as server:
        yield server


def test_the_built_in_store_is_a_directory(cadenza: Cadenza, data_dir: Path) -> None:
    told = cadenza("server", "init-storage")

    assert told.stdout == f"✓ The objects are kept in {data_dir / 'objects'}.\n"
    assert (data_dir / "objects").is_dir()
    assert cadenza("server", "init-storage", "-q").lines == ["directory"]


@pytest.mark.real("swift")
def test_a_bucket_is_made_and_its_store_judged(
    cadenza: Cadenza, swift: S3Server, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    for name, value in {
        "CADENZA_STORAGE": "s3",
        "S3_BUCKET_NAME": "school-takes",
        "CADENZA_S3_ENDPOINT": swift.endpoint_url,
        "AWS_ACCESS_KEY_ID": swift.access_key,
        "AWS_SECRET_ACCESS_KEY": swift.secret_key,
        "CADENZA_PUBLIC_URL": "https://cadenza.example",
    }.items():
        monkeypatch.setenv(name, value)

    told = cadenza("server", "init-storage")
    again = cadenza("server", "init-storage", "--json").document

    assert told.exit_code == 0, "what a store lacks is no failure"
    assert told.lines[0] == "✓ The bucket school-takes was made."
    assert any(line.startswith("! The store has no CORS rules") for line in told.lines)
    assert {step["name"]: step["outcome"] for step in again["steps"]}["bucket"] == "unchanged"
    assert not (data_dir / "objects").exists()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    refused = cadenza("server", "init-storage")
    assert refused.exit_code == 1
    assert "may not use it" in refused.stderr
    assert "another" not in refused.stderr


def test_what_is_missing_is_a_matter_of_settings(
    cadenza: Cadenza, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADENZA_STORAGE", "s3")
    for command in ("init-storage", "run"):
        refused = cadenza("server", command)
        assert refused.exit_code == 2
        assert "CADENZA_S3_BUCKET" in refused.stderr


def test_a_server_without_credentials_does_not_start(
    cadenza: Cadenza, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADENZA_STORAGE", "s3")
    monkeypatch.setenv("CADENZA_S3_BUCKET", "school-takes")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    refused = cadenza("server", "run", "--port", "0")

    assert refused.exit_code == 2
    assert "credentials" in refused.stderr
    assert "init-storage" in refused.stderr
