"""Settings: from the environment, with the old names, and no default secret outside dev."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from cadenza_server import ServerSettings, create_app
from cadenza_server.settings import DEV_SECRET

SECRET = "a secret that is long enough to be one"


@pytest.mark.parametrize("env", ["staging", "prod"])
@pytest.mark.parametrize("secret", [DEV_SECRET, "short", ""])
def test_no_server_outside_dev_with_a_secret_anybody_knows(
    env: str, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADENZA_ENV", env)
    monkeypatch.setenv("CADENZA_SECRET", secret)
    monkeypatch.setenv("CADENZA_SERVER_DIR", str(tmp_path))

    with pytest.raises(ValidationError, match="CADENZA_SECRET"):
        create_app()
    assert list(tmp_path.iterdir()) == [], "refused before anything was made"


def test_nor_with_a_previous_secret_that_is_the_default_one() -> None:
    with pytest.raises(ValidationError, match="CADENZA_PREVIOUS_SECRETS"):
        ServerSettings(env="prod", secret=SECRET, previous_secrets={"k0": DEV_SECRET})


def test_secrets_are_not_shown() -> None:
    settings = ServerSettings(env="prod", secret=SECRET, previous_secrets={"k0": SECRET})

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in settings.model_dump_json()


def test_a_refused_secret_is_not_in_the_error() -> None:
    with pytest.raises(ValidationError) as refusal:
        ServerSettings(env="prod", secret="too short")

    assert "too short" not in str(refusal.value)


def test_everything_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "CADENZA_ENV": "prod",
        "CADENZA_SECRET": SECRET,
        "CADENZA_SECRET_ID": "k7",
        "CADENZA_PREVIOUS_SECRETS": '{"k6": "the secret of last year, long enough"}',
        "CADENZA_SERVER_DIR": str(tmp_path),
        "CADENZA_STORAGE_DIR": str(tmp_path / "bytes"),
        "CADENZA_PUBLIC_URL": "https://cadenza.example/",
        "CADENZA_MAX_UPLOAD_BYTES": "1000",
        "CADENZA_CORS_ORIGINS": "https://a.example, https://b.example",
        "CADENZA_RATE_WRITE_PER_MINUTE": "7",
    }.items():
        monkeypatch.setenv(name, value)

    settings = ServerSettings()

    assert settings.key_prefix == ""
    assert settings.secret.get_secret_value() == SECRET
    assert (settings.secret_id, list(settings.previous_secrets)) == ("k7", ["k6"])
    assert settings.database_url == f"sqlite:///{tmp_path / 'cadenza.db'}"
    assert settings.objects_dir == tmp_path / "bytes"
    assert settings.public_url == "https://cadenza.example"
    assert settings.max_upload_bytes == 1000
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.rate_per_minute("write") == 7
    assert settings.rate_per_minute("read") == 100
    assert settings.rate_per_minute("auth") == 10


@pytest.mark.parametrize(
    "name", ["CADENZA_UPLOAD_URL_EXPIRES_SECONDS", "S3_UPLOAD_URL_EXPIRES_SECONDS"]
)
def test_the_lifetime_of_urls_has_its_old_name_too(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "120")

    assert ServerSettings().upload_url_expires_seconds == 120


@pytest.mark.parametrize("seconds", [59, 604_801])
def test_the_lifetime_of_urls_has_bounds(seconds: int) -> None:
    with pytest.raises(ValidationError):
        ServerSettings(upload_url_expires_seconds=seconds)


def test_in_dev_a_queue_of_two_hundred_takes_is_not_throttled() -> None:
    # Three requests a take, in seconds rather than minutes.
    settings = ServerSettings()

    assert settings.rate_per_minute("write") >= 100 * 200 * 3
    assert settings.rate_per_minute("read") >= 100 * 200 * 3


@pytest.mark.parametrize(
    ("db", "url"),
    [
        ("elsewhere/x.db", "sqlite:///elsewhere/x.db"),
        ("/var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("postgresql+psycopg://h/cadenza", "postgresql+psycopg://h/cadenza"),
    ],
)
def test_a_database_is_a_path_or_a_url(db: str, url: str) -> None:
    assert ServerSettings(db=db).database_url == url


def test_the_default_place_is_the_users_own(clean_environ: Path) -> None:
    assert ServerSettings().data_dir.is_relative_to(clean_environ)
