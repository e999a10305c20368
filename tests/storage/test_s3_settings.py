"""A bucket by settings alone: every name it may have, and a plain sentence where one is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cadenza_server import ServerSettings, create_app
from cadenza_server.storage import StorageSetupError
from cadenza_server.stores import open_s3

KEYS = {"s3_access_key_id": "AKIDEXAMPLE", "s3_secret_access_key": "a very secret key"}


def s3(**changes: Any) -> ServerSettings:
    chosen: dict[str, Any] = {
        "storage": "s3",
        "s3_bucket": "takes",
        "s3_region": "eu-west-1",
        **KEYS,
        **changes,
    }
    return ServerSettings(**chosen)


@pytest.mark.parametrize(
    "bucket",
    ["CADENZA_S3_BUCKET", "AWS_S3_BUCKET", "S3_BUCKET_NAME", "S3_COACH_VIDEOS_BUCKET"],
)
@pytest.mark.parametrize("region", ["AWS_REGION", "S3_REGION", "CADENZA_S3_REGION"])
def test_the_names_of_older_documents_are_understood(
    bucket: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-51: three names for one bucket, two for the region."""
    monkeypatch.setenv("CADENZA_STORAGE", "s3")
    monkeypatch.setenv(bucket, "takes")
    monkeypatch.setenv(region, "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a very secret key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a token")
    monkeypatch.setenv("CADENZA_SSE", "")

    settings = ServerSettings()

    assert (settings.s3_bucket, settings.region) == ("takes", "eu-west-1")
    assert settings.s3_session_token is not None
    assert settings.s3_session_token.get_secret_value() == "a token"
    assert settings.encryption == "AES256"


def test_the_first_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CADENZA_STORAGE": "s3",
        "S3_BUCKET_NAME": "older",
        "CADENZA_S3_BUCKET": "newer",
        "S3_REGION": "us-west-2",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)

    settings = ServerSettings()

    assert (settings.s3_bucket, settings.region) == ("newer", "eu-west-1")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"s3_bucket": None}, "CADENZA_S3_BUCKET"),
        ({"s3_region": None}, "AWS_REGION"),
        ({"s3_secret_access_key": None}, "AWS_SECRET_ACCESS_KEY"),
        ({"s3_access_key_id": None}, "AWS_ACCESS_KEY_ID"),
        ({"s3_endpoint": "media.school.example"}, "CADENZA_S3_ENDPOINT"),
        ({"s3_public_endpoint": "ftp://media.school.example"}, "CADENZA_S3_ENDPOINT"),
        ({"s3_bucket": "Takes Of Ours"}, "s3_bucket"),
    ],
)
def test_what_is_missing_is_said_by_its_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named) as refusal:
        s3(**changes)

    assert "a very secret key" not in str(refusal.value)


def test_none_of_it_matters_without_a_bucket() -> None:
    assert ServerSettings(s3_endpoint="nonsense").storage == "local"


def test_secrets_are_not_shown() -> None:
    settings = s3(s3_session_token="a secret token")

    assert "a very secret key" not in repr(settings)
    assert "a secret token" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "encryption", "addressing"),
    [
        ({}, "AES256", "virtual"),
        ({"sse": "off"}, "off", "virtual"),
        ({"s3_bucket": "takes.school.example"}, "AES256", "path"),
        ({"s3_endpoint": "https://media.example"}, "off", "path"),
        ({"s3_endpoint": "https://media.example", "sse": "AES256"}, "AES256", "path"),
        ({"s3_endpoint": "https://a.example", "s3_addressing": "virtual"}, "off", "virtual"),
        ({"s3_addressing": "path"}, "AES256", "path"),
    ],
)
def test_what_is_right_at_aws_and_elsewhere(
    changes: dict[str, Any], encryption: str, addressing: str
) -> None:
    settings = s3(**changes)

    assert (settings.encryption, settings.addressing) == (encryption, addressing)


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, "https://takes.s3.eu-west-1.amazonaws.com/k.mp4?"),
        ({"s3_region": "us-east-1"}, "https://takes.s3.amazonaws.com/k.mp4?"),
        ({"s3_addressing": "path"}, "https://s3.eu-west-1.amazonaws.com/takes/k.mp4?"),
        ({"s3_endpoint": "https://media.example:9000"}, "https://media.example:9000/takes/k.mp4?"),
        (
            {"s3_endpoint": "http://10.0.0.9:9000", "s3_public_endpoint": "https://media.example"},
            "https://media.example/takes/k.mp4?",
        ),
        (
            {"s3_endpoint": "https://media.example", "s3_addressing": "virtual"},
            "https://takes.media.example/k.mp4?",
        ),
    ],
)
def test_where_clients_are_sent(changes: dict[str, Any], start: str) -> None:
    store = open_s3(s3(**changes))

    url = store.presign_get("k.mp4", expires_in=60)

    assert url.startswith(start)
    assert url.startswith(store.origin + "/")


def test_without_credentials_the_server_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(StorageSetupError, match="credentials"):
        open_s3(s3(s3_access_key_id=None, s3_secret_access_key=None))


def test_credentials_come_from_a_profile_too(
    clean_environ: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    folder = clean_environ / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n"
    )

    store = open_s3(s3(s3_access_key_id=None, s3_secret_access_key=None))

    assert "AKIDPROFILE" in store.presign_get("k", expires_in=60)


_WITHOUT_BOTO3 = """
import sys
from cadenza_server import ServerSettings, create_app
app = create_app(ServerSettings())
assert "/storage/{key}" in app.openapi()["paths"]
assert "boto3" not in sys.modules and "botocore" not in sys.modules
sys.modules["boto3"] = None
try:
    create_app(ServerSettings(storage="s3", s3_bucket="takes", s3_region="eu-west-1"))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_boto3_is_an_extra_that_only_a_bucket_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_BOTO3],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CADENZA_SERVER_DIR": str(tmp_path)},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("StorageSetupError CADENZA_STORAGE=s3 needs boto3: pip install")


def test_a_server_with_a_bucket_serves_no_objects_and_waits_in_threads(tmp_path: Path) -> None:
    """A look at an object is a request over the network: it has no place on the event loop."""
    app = create_app(s3(data_dir=tmp_path))
    try:
        assert app.state.services.in_threads
        assert "/storage/{key}" not in app.openapi()["paths"]
        assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    finally:
        app.state.services.db.close()
