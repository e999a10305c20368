"""The S3 server verifies what it promises, and nothing of it stays behind."""

import base64
import hashlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
import time_machine
from botocore.config import Config

from benchmarks.s3server import S3Server, s3_server

pytestmark = pytest.mark.real("swift")

_DATA = b"a practice take" * 1000
_CHECKSUM = "x-amz-checksum-sha256"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(folder=tmp_path_factory.mktemp("s3"), install=False) as running:
        yield running


@pytest.fixture(scope="module")
def s3(server: S3Server) -> Iterator[Any]:
    options = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    client = boto3.client("s3", **server.client_options(), config=options)
    client.create_bucket(Bucket="takes")
    yield client
    client.close()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def presigned(s3: Any, key: str, *, size_bytes: int = len(_DATA), expires_in: int = 600) -> str:
    parameters = {
        "Bucket": "takes",
        "Key": key,
        "ContentLength": size_bytes,
        "ChecksumSHA256": sha256(_DATA),
    }
    return str(s3.generate_presigned_url("put_object", Params=parameters, ExpiresIn=expires_in))


def test_a_presigned_put_stores_the_bytes(s3: Any) -> None:
    url = presigned(s3, "take.mp4")
    assert httpx.put(url, content=_DATA, headers={_CHECKSUM: sha256(_DATA)}).status_code == 200
    assert s3.get_object(Bucket="takes", Key="take.mp4")["Body"].read() == _DATA


def test_bytes_other_than_the_signed_checksum_are_refused(s3: Any) -> None:
    url = presigned(s3, "damaged.mp4")
    answer = httpx.put(url, content=_DATA[:-1] + b"!", headers={_CHECKSUM: sha256(_DATA)})
    assert answer.status_code == 400
    assert "<Code>BadDigest</Code>" in answer.text


def test_a_checksum_header_that_was_not_signed_is_refused(s3: Any) -> None:
    other = _DATA[:-1] + b"!"
    answer = httpx.put(
        presigned(s3, "swapped.mp4"), content=other, headers={_CHECKSUM: sha256(other)}
    )
    assert answer.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


def test_an_expired_url_is_refused(s3: Any) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
        url = presigned(s3, "late.mp4", expires_in=60)
    answer = httpx.put(url, content=_DATA, headers={_CHECKSUM: sha256(_DATA)})
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


def test_a_size_other_than_the_signed_one_is_refused(s3: Any) -> None:
    url = presigned(s3, "long.mp4", size_bytes=len(_DATA) + 1)
    answer = httpx.put(url, content=_DATA, headers={_CHECKSUM: sha256(_DATA)})
    assert answer.status_code == 403


def test_the_secret_is_not_in_the_repr(server: S3Server) -> None:
    assert server.secret_key not in repr(server)


def test_it_listens_on_loopback_only_and_leaves_nothing(server: S3Server, tmp_path: Path) -> None:
    with s3_server(folder=tmp_path, install=False) as second:
        address = urlsplit(second.endpoint_url)
        assert address.hostname == "127.0.0.1"
        assert second.endpoint_url != server.endpoint_url
    assert address.port is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", address.port), timeout=5)
    assert list(tmp_path.iterdir()) == []
