"""Uploading to a real S3-compatible server: against boto3's `upload_file` and against rclone."""

import contextlib
import itertools
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figure import Pairs, Run, SkippedError, in_turn, seconds
from benchmarks.peers import program
from benchmarks.s3server import S3Server, S3ServerUnavailableError, free_ports, s3_server
from benchmarks.uploads import (
    TAKE_BYTES,
    checksum_header,
    curl_seconds,
    random_file,
    sha256_of,
    storage_client,
)
from cadenza_client import CadenzaClient
from cadenza_client.models import UploadTarget

_BUCKET = "takes"
_CONTENT_TYPE = "video/mp4"
_RCLONE_SECONDS = 60


def against_curl(run: Run) -> Pairs:
    """MB/s of a presigned PUT by `upload_media`, and by `curl -T`: what the server can take."""
    curl = program("curl")
    with _storage(run) as storage:

        def send(key: str) -> float:
            url, headers = storage.presign(key)
            return curl_seconds(curl, storage.path, url, headers)

        return storage.compare(send)


def against_boto3(run: Run) -> Pairs:
    """MB/s of a presigned PUT by `upload_media`, and of `upload_file` as boto3 comes."""
    with _storage(run) as storage:
        upload = partial(storage.s3.upload_file, storage.path, _BUCKET)
        return storage.compare(lambda key: seconds(partial(upload, key)))


def against_rclone(run: Run) -> Pairs:
    """MB/s of a presigned PUT by `upload_media`, and of rclone, already running as a daemon."""
    rclone = program("rclone")
    with _storage(run) as storage, _rclone(rclone, storage.server, run.folder) as copy:
        return storage.compare(lambda key: seconds(partial(copy, storage.path, key)))


@dataclass(frozen=True)
class _Storage:
    """The server, a bucket in it, the file to send and a client to send it with."""

    run: Run
    server: S3Server
    s3: Any  # boto3 has no types
    client: CadenzaClient
    path: Path
    sha256: str

    def compare(self, peer: Callable[[str], float]) -> Pairs:
        """Send in turn, each to a new key; every object is looked at and removed, off the clock.

        Args:
            peer: sends the file to a key and says how many seconds that took.
        """
        numbers = itertools.count()
        size = self.path.stat().st_size

        def checked(send: Callable[[str], float], who: str) -> float:
            key = f"{who}/{next(numbers)}.mp4"
            took = send(key)
            stored = self.s3.head_object(Bucket=_BUCKET, Key=key)["ContentLength"]
            if stored != size:
                raise RuntimeError(f"{who} stored {stored} bytes of {size}")
            self.s3.delete_object(Bucket=_BUCKET, Key=key)
            return took

        pairs = in_turn(
            lambda: checked(self._put, "ours"), lambda: checked(peer, "peer"), pairs=self.run.pairs
        )
        return pairs.rate(size / 1e6)

    def presign(self, key: str) -> tuple[str, dict[str, str]]:
        """What the server does: sign the size, the type and the checksum."""
        checksum = checksum_header(self.sha256)
        url = self.s3.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": _BUCKET,
                "Key": key,
                "ContentType": _CONTENT_TYPE,
                "ContentLength": self.path.stat().st_size,
                "ChecksumSHA256": checksum["x-amz-checksum-sha256"],
            },
            ExpiresIn=3600,
        )
        return url, {**checksum, "Content-Type": _CONTENT_TYPE}

    def _put(self, key: str) -> float:
        url, headers = self.presign(key)
        upload = partial(
            self.client.upload_media,
            UploadTarget(url=url, headers=headers, expires_in=3600),
            self.path,
            content_type=_CONTENT_TYPE,
            sha256=self.sha256,
        )
        return seconds(upload)


@contextlib.contextmanager
def _storage(run: Run) -> Iterator[_Storage]:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise SkippedError("boto3 is not installed (the dependency group `bench`)") from None
    path = random_file(run.folder / "take.mp4", run.size(TAKE_BYTES))
    with contextlib.ExitStack() as running:
        try:
            server = running.enter_context(s3_server(folder=run.folder))
        except S3ServerUnavailableError as error:
            raise SkippedError(str(error)) from None
        # boto3's default for a custom endpoint would be signature version 2 in a presigned URL.
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
        s3 = boto3.client("s3", **server.client_options(), config=config)
        running.callback(s3.close)
        s3.create_bucket(Bucket=_BUCKET)
        client = running.enter_context(storage_client(server.endpoint_url))
        yield _Storage(run, server, s3, client, path, sha256_of(path))


@contextlib.contextmanager
def _rclone(rclone: str, server: S3Server, folder: Path) -> Iterator[Callable[[Path, str], None]]:
    """Run `rclone rcd`; gives a function that has it copy a file to a key."""
    (port,) = free_ports(1)
    # Settings for another S3 in our environment are not meant for this one.
    others = ("AWS_", "RCLONE_")
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith(others)},
        "RCLONE_CONFIG": str(folder / "rclone.conf"),
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
        "RCLONE_CONFIG_BENCH_ENDPOINT": server.endpoint_url,
        "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": server.access_key,
        "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": server.secret_key,
        "RCLONE_CONFIG_BENCH_REGION": server.region,
        "RCLONE_CONFIG_BENCH_NO_CHECK_BUCKET": "true",
    }
    (folder / "rclone.conf").touch()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(operation: str, **parameters: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/{operation}",
            data=json.dumps(parameters).encode(),
            headers={"Content-Type": "application/json"},
        )
        with direct.open(request, timeout=_RCLONE_SECONDS) as answer:
            answer.read()

    def copy(path: Path, key: str) -> None:
        call(
            "operations/copyfile",
            srcFs=str(path.parent),
            srcRemote=path.name,
            dstFs=f"bench:{_BUCKET}",
            dstRemote=key,
        )

    command = [rclone, "rcd", "--rc-no-auth", "--rc-addr", f"127.0.0.1:{port}"]
    with (
        (folder / "rclone.log").open("wb") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=settings,
        ) as process,
    ):
        try:
            _await_rclone(lambda: call("rc/noop"))
            yield copy
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_rclone(ask: Callable[[], None]) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            return ask()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
