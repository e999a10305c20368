"""An S3-compatible server on loopback: OpenStack Swift with its s3api, in a virtual environment.

The tests use it as well as the benchmarks.

Of the servers that a Python package registry can give, Swift verifies most of what a presigned URL
promises: the signature with every signed header, the expiry, the length, ``If-None-Match`` and
``x-amz-checksum-sha256``. So an upload that passes here has been checked, not merely swallowed.

    with s3_server() as server:
        server.endpoint_url, server.access_key, server.secret_key, server.region

Swift never enters the project's own environment: it lives in ``.cache/swift``, installed on first
use. Account, container, object and proxy server are one process each; all listen on 127.0.0.1, keep
their data in a temporary folder and are gone, data included, when the context ends.
"""

import contextlib
import fcntl
import getpass
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SWIFT_REQUIREMENT = "swift>=2.38,<2.39"
SWIFT_ENVIRONMENT = Path(__file__).resolve().parent.parent / ".cache" / "swift"

_ACCESS_KEY = "cadenza:student"
_SECRET_KEY = "not-a-secret-loopback-only"
_REGION = "us-east-1"
_STORAGE_SERVERS = ("account", "container", "object")
_INSTALL_SECONDS = 600.0
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_START_ATTEMPTS = 3

# What the proxy's pipeline usually has, without `cache`: memcached would be one more program to
# install, and one upload after another is not faster with it.
_FILTERS = (
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "listing_formats",
    "bulk",
    "s3api",
    "tempauth",
    "slo",
    "dlo",
    "versioned_writes",
    "symlink",
)

_MAKE_RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, *pairs = sys.argv[1:]
for pair in pairs:
    kind, port = pair.split("=")
    ring = RingBuilder(2, 1, 0)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port),
                  "device": "disk", "weight": 1.0})
    ring.rebalance(seed=1)
    ring.get_ring().save(f"{folder}/{kind}.ring.gz")
"""


class S3ServerUnavailableError(Exception):
    """Swift cannot be installed or started here; the text says why, in one line."""


@dataclass(frozen=True)
class S3Server:
    """A running server: where it is and how to sign for it (one user, who owns everything)."""

    endpoint_url: str
    access_key: str = _ACCESS_KEY
    secret_key: str = field(default=_SECRET_KEY, repr=False)
    region: str = _REGION

    def client_options(self) -> dict[str, Any]:
        """The keyword arguments of ``boto3.client("s3", …)`` that reach this server."""
        return {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region,
        }


def swift_environment(*, install: bool = True) -> Path:
    """Return Swift's virtual environment, made on first use (which needs a package registry).

    Args:
        install: False only looks whether it is there.

    Raises:
        S3ServerUnavailableError: it is not there and could not be, or was not to be, made.
    """
    ready = SWIFT_ENVIRONMENT / ".installed"
    if not ready.exists():
        if not install:
            raise S3ServerUnavailableError(
                "Swift is not installed; `python dev.py bench --only s3-curl` does it"
            )
        SWIFT_ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
        # Two test workers may get here together: the second waits and finds the work done.
        with (SWIFT_ENVIRONMENT.parent / "swift.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                _install(SWIFT_ENVIRONMENT)
                ready.write_text(SWIFT_REQUIREMENT + "\n")
    return SWIFT_ENVIRONMENT


def _install(environment: Path) -> None:
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(environment)],
        [*pip, "--disable-pip-version-check", SWIFT_REQUIREMENT],
    ):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise S3ServerUnavailableError(f"Swift could not be installed: {error}") from error
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise S3ServerUnavailableError(f"Swift could not be installed: {last}")


@contextlib.contextmanager
def s3_server(*, folder: Path | None = None, install: bool = True) -> Iterator[S3Server]:
    """Run the server until the context ends.

    Args:
        folder: where the data goes meanwhile, on a file system with extended attributes; default:
            the system's folder for temporary files.
        install: False to use Swift only where it is installed already.

    Raises:
        S3ServerUnavailableError: it cannot be installed or does not come up here.
    """
    environment = swift_environment(install=install)
    with tempfile.TemporaryDirectory(prefix="s3-", dir=folder) as name:
        # A port found free may be taken before Swift binds it: then another set is tried.
        for attempt in range(1, _START_ATTEMPTS + 1):
            attempted = Path(name).resolve() / str(attempt)
            with contextlib.ExitStack() as running:
                try:
                    server = _start(environment, attempted, running)
                except S3ServerUnavailableError:
                    if attempt == _START_ATTEMPTS:
                        raise
                    continue
                yield server
                return


def _start(environment: Path, folder: Path, running: contextlib.ExitStack) -> S3Server:
    etc, logs = folder / "etc", folder / "log"
    for made in (etc, logs, folder / "lock", folder / "srv" / "disk"):
        made.mkdir(parents=True)
    proxy, *storage = free_ports(1 + len(_STORAGE_SERVERS))
    ports = dict(zip(_STORAGE_SERVERS, storage, strict=True))
    _write_settings(etc, folder, ports, proxy=proxy)
    _make_rings(environment, etc, ports)

    processes = {
        name: _spawn(
            [str(environment / "bin" / f"swift-{name}-server"), str(etc / f"{name}-server.conf")],
            logs / f"{name}.log",
            running,
        )
        for name in (*_STORAGE_SERVERS, "proxy")
    }
    waiting = {name: f"http://127.0.0.1:{port}/recon/version" for name, port in ports.items()}
    waiting["proxy"] = f"http://127.0.0.1:{proxy}/healthcheck"
    _await(waiting, processes, logs)
    return S3Server(f"http://127.0.0.1:{proxy}")


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on at this moment."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _write_settings(etc: Path, folder: Path, ports: Mapping[str, int], *, proxy: int) -> None:
    """Write the five files Swift reads; each section is a mapping, so nothing is said twice."""
    base: dict[str, object] = {
        "bind_ip": "127.0.0.1",
        "user": getpass.getuser(),
        "swift_dir": etc,
        "devices": folder / "srv",
        "mount_check": False,
        "disable_fallocate": True,
        "workers": 0,
        "bind_timeout": 2,
        "log_level": "WARNING",
    }
    _write_ini(
        etc / "swift.conf",
        {
            "swift-hash": {"swift_hash_path_suffix": "bench", "swift_hash_path_prefix": "bench"},
            "storage-policy:0": {"name": "only", "default": True},
        },
    )
    for kind, port in ports.items():
        _write_ini(
            etc / f"{kind}-server.conf",
            {
                "DEFAULT": {**base, "bind_port": port, "recon_cache_path": folder},
                "pipeline:main": {"pipeline": f"recon {kind}-server"},
                "filter:recon": {"use": "egg:swift#recon", "recon_cache_path": folder},
                f"app:{kind}-server": {
                    "use": f"egg:swift#{kind}",
                    "recon_lock_path": folder / "lock",
                },
                f"{kind}-replicator": {},
            },
        )
    user, _, name = _ACCESS_KEY.partition(":")
    options: dict[str, dict[str, object]] = {
        "s3api": {
            "s3_acl": False,
            "location": _REGION,
            "allow_multipart_uploads": True,
            "check_bucket_owner": False,
            "force_swift_request_proxy_log": False,
        },
        "tempauth": {f"user_{user}_{name}": f"{_SECRET_KEY} .admin"},
        "versioned_writes": {"allow_object_versioning": True},
    }
    filters: dict[str, Mapping[str, object]] = {
        f"filter:{name}": {"use": f"egg:swift#{name}", **options.get(name, {})} for name in _FILTERS
    }
    _write_ini(
        etc / "proxy-server.conf",
        {
            "DEFAULT": {**base, "bind_port": proxy},
            "pipeline:main": {"pipeline": " ".join((*_FILTERS, "proxy-server"))},
            "app:proxy-server": {
                "use": "egg:swift#proxy",
                "account_autocreate": True,
                "allow_account_management": True,
            },
            **filters,
        },
    )


def _write_ini(path: Path, sections: Mapping[str, Mapping[str, object]]) -> None:
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in values.items()]
    path.write_text("\n".join(lines) + "\n")


def _make_rings(environment: Path, etc: Path, ports: Mapping[str, int]) -> None:
    pairs = [f"{kind}={port}" for kind, port in ports.items()]
    try:
        subprocess.run(
            [str(environment / "bin" / "python"), "-c", _MAKE_RINGS, str(etc), *pairs],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise S3ServerUnavailableError(f"Swift's rings could not be made: {error}") from error


def _spawn(
    command: list[str], log: Path, running: contextlib.ExitStack
) -> "subprocess.Popen[bytes]":
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
    except OSError as error:
        raise S3ServerUnavailableError(f"{command[0]} does not start: {error}") from error
    running.callback(_stop, process)
    return process


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(
    waiting: Mapping[str, str], processes: Mapping[str, "subprocess.Popen[bytes]"], logs: Path
) -> None:
    """Return when every server answers; a server that dies or stays silent is an error."""
    left = dict(waiting)
    deadline = time.monotonic() + _START_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while left and time.monotonic() < deadline:
        for name, url in list(left.items()):
            if processes[name].poll() is not None:
                text = (logs / f"{name}.log").read_text(errors="replace").strip()
                last = text.splitlines()[-1] if text else "nothing in its log"
                raise S3ServerUnavailableError(f"Swift's {name} server ended: {last}")
            with contextlib.suppress(OSError):
                with direct.open(url, timeout=2):
                    pass
                del left[name]
        time.sleep(0.05)
    if left:
        raise S3ServerUnavailableError(
            f"Swift's {', '.join(left)} did not answer in {_START_SECONDS:.0f} s"
        )
