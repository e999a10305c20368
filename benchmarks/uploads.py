"""Uploading one file: against curl, against the machine's limit, and in how much memory."""

import base64
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figure import Pairs, Run, in_turn, seconds
from benchmarks.peers import output, program
from benchmarks.sink import sink
from cadenza_client import CadenzaClient
from cadenza_client.models import UploadTarget

TAKE_BYTES = 50_000_000
_LARGE_BYTES = 4 << 30
_CHILD_SECONDS = 120
# What a server says whose store cannot verify a sha256. With no headers at all it would be a v1
# server, where an MD5 is computed as well.
_UNVERIFIED = {"Content-Type": "video/mp4"}


def storage_client(url: str) -> CadenzaClient:
    """A client that may send to the storage at this address; its API is never asked."""
    return CadenzaClient("http://127.0.0.1:9", token="unused", storage_hosts=[urlsplit(url).netloc])


def random_file(path: Path, size_bytes: int) -> Path:
    """A file of random bytes: nothing on the way can make it smaller."""
    with path.open("wb") as file:
        while (left := size_bytes - file.tell()) > 0:
            file.write(os.urandom(min(left, 1 << 20)))
    return path


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal, as intake notes it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_header(sha256: str) -> dict[str, str]:
    """The header that makes an S3 store verify the bytes itself."""
    return {"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode()}


def against_curl(run: Run, *, store_verifies: bool) -> Pairs:
    """MB/s of `upload_media` and of `curl -T`, to the same sink.

    Of curl its own clock is read (`time_total`): what a process costs to start is not counted.
    """
    curl = program("curl")
    size = run.size(TAKE_BYTES)
    path = random_file(run.folder / "take.mp4", size)
    sha256 = sha256_of(path)
    with sink() as url, storage_client(url) as client:
        target = UploadTarget(
            url=f"{url}/take.mp4",
            headers=checksum_header(sha256) if store_verifies else _UNVERIFIED,
            expires_in=3600,
        )
        upload = partial(client.upload_media, target, path, content_type="video/mp4", sha256=sha256)
        pairs = in_turn(
            lambda: seconds(upload),
            partial(curl_seconds, curl, path, f"{url}/take.mp4"),
            pairs=run.many_pairs,
            warm_up=2,
        )
    return pairs.rate(size / 1e6)


def limit(run: Run) -> Pairs:
    """MB/s of the bare system call `sendfile` and of curl: the sink must not be what limits."""
    curl = program("curl")
    size = run.size(TAKE_BYTES)
    path = random_file(run.folder / "take.mp4", size)
    with sink() as url:
        pairs = in_turn(
            partial(_sendfile, path, url),
            partial(curl_seconds, curl, path, f"{url}/take.mp4"),
            pairs=run.many_pairs,
        )
    return pairs.rate(size / 1e6)


def memory(run: Run) -> Pairs:
    """Peak MiB of a process that uploads 4 GiB, and of one that uploads 50 MB."""
    large, usual = run.folder / "large.mp4", run.folder / "take.mp4"
    for path, size in ((large, run.size(_LARGE_BYTES)), (usual, TAKE_BYTES)):
        with path.open("wb") as file:
            file.truncate(size)  # sparse: no disk is filled, every byte is still read and sent
    with sink() as url:
        return in_turn(
            partial(_peak_mebibytes, url, large),
            partial(_peak_mebibytes, url, usual),
            pairs=min(run.pairs, 5),
            warm_up=0,
        )


def curl_seconds(
    curl: str, path: Path, url: str, headers: Mapping[str, str] | None = None
) -> float:
    """How long curl says that its upload took, the start of its process left out."""
    command = [curl, "-sS", "--fail", "--noproxy", "*", "-o", os.devnull, "-w", "%{time_total}"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    return float(output([*command, "-T", path, url]))


def _sendfile(path: Path, url: str) -> float:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    head = f"PUT /take.mp4 HTTP/1.1\r\nHost: sink\r\nContent-Length: {path.stat().st_size}\r\n\r\n"
    with (
        socket.create_connection((address.hostname, address.port), timeout=60) as connection,
        path.open("rb") as file,
    ):
        started = time.perf_counter()
        connection.sendall(head.encode())
        connection.sendfile(file)
        connection.recv(1024)
        return time.perf_counter() - started


def _peak_mebibytes(url: str, path: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.one_upload", url, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=_CHILD_SECONDS,
    )
    return int(done.stdout) / 1024
