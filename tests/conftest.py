"""What every test may rely on: a clean environment, no network, real parts said by name."""

import functools
import ipaddress
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import sockets

OUTSIDE_ENVIRON = dict(os.environ)

# Names that would steer the code under test from the developer's own shell.
_FOREIGN_PREFIXES = ("CADENZA_", "AWS_", "S3_", "SQS_", "RECORDING", "XDG_")
_FOREIGN_NAMES = {
    *(f"{scheme}_proxy" for scheme in ("http", "https", "all", "no", "ftp")),
    "dbus_session_bus_address",
    "force_color",
    "no_color",
    "netrc",
    "ssl_cert_dir",
    "ssl_cert_file",
    "sslkeylogfile",
}

# A slow machine is not a failing test; what hypothesis finds is printed so that it can be replayed.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


# ── options and the closed list of real parts ──────────────────────────────────────────────────


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`")


def pytest_configure(config: pytest.Config) -> None:
    unknown = _required() - _PROBES.keys()
    if unknown:
        raise pytest.UsageError(f"CADENZA_TEST_REQUIRE names unknown parts: {sorted(unknown)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    long = [item for item in items if item.get_closest_marker("full")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Run a `real` test where its part exists; skip it, or fail when the part is required."""
    for marker in item.iter_markers("real"):
        for part in marker.args:
            if part not in _PROBES:
                pytest.fail(f"no probe for the real part {part!r} in tests/conftest.py")
            reason = _missing(part)
            if reason is None:
                continue
            if part in _required():
                pytest.fail(f"{part} is required by CADENZA_TEST_REQUIRE: {reason}")
            pytest.skip(f"{part}: {reason}")


def _required() -> set[str]:
    named = OUTSIDE_ENVIRON.get("CADENZA_TEST_REQUIRE", "")
    return {part.strip() for part in named.split(",") if part.strip()}


def _probe_strace() -> str | None:
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    traced = subprocess.run(
        [strace, "-f", "-o", os.devnull, "true"], capture_output=True, text=True, timeout=30
    )
    return None if traced.returncode == 0 else f"strace may not trace here: {traced.stderr.strip()}"


def _probe_clips() -> str | None:
    import av.codec

    for name in ("libx264", "aac"):
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            return f"this PyAV has no {name} encoder to make test clips with"
    return None


def _probe_tmpfs() -> str | None:
    """A disk of a megabyte can be had by whoever may mount one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root on Linux may mount a small disk"
    with tempfile.TemporaryDirectory() as place:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        if mounted.returncode != 0:
            return f"nothing may be mounted here: {mounted.stderr.strip()}"
        subprocess.run(["umount", place], check=True, timeout=30)
    return None


def _probe_registry() -> str | None:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps",
         "--ignore-installed", "hatchling"],
        capture_output=True, text=True, timeout=120, env=OUTSIDE_ENVIRON,
    )  # fmt: skip
    return None if asked.returncode == 0 else "the package registry does not answer"


def _probe_netns() -> str | None:
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("ip") is None:
        return "unshare and ip (iproute2) are not installed"
    made = subprocess.run([unshare, "-n", "true"], capture_output=True, text=True, timeout=30)
    return None if made.returncode == 0 else f"no namespaces here: {made.stderr.strip()}"


def _probe_nft() -> str | None:
    if shutil.which("nft") is None or shutil.which("tc") is None:
        return "nft (nftables) and tc (iproute2) are not installed"
    if (why := _probe_netns()) is not None:
        return why
    listed = subprocess.run(
        ["unshare", "-n", "nft", "list", "ruleset"], capture_output=True, text=True, timeout=30
    )
    return None if listed.returncode == 0 else f"no packet rules here: {listed.stderr.strip()}"


def _probe_faketime() -> str | None:
    found = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"), None)
    return None if found else "libfaketime (faketime) is not installed"


def _probe_mount() -> str | None:
    if os.geteuid() != 0:
        return "mounting needs root"
    with tempfile.TemporaryDirectory() as place:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        if made.returncode == 0:
            subprocess.run(["umount", place], check=True, timeout=30)
    return None if made.returncode == 0 else f"nothing can be mounted: {made.stderr.strip()}"


def _probe_loop() -> str | None:
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 (e2fsprogs) is not installed"
    if (why := _probe_mount()) is not None:
        return why
    with tempfile.TemporaryDirectory() as place:
        image, point = Path(place) / "image", Path(place) / "point"
        point.mkdir()
        with image.open("wb") as file:
            file.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, timeout=30)
        made = subprocess.run(
            ["mount", "-o", "loop", image, point], capture_output=True, text=True, timeout=30
        )
        if made.returncode == 0:
            subprocess.run(["umount", point], check=True, timeout=30)
    return None if made.returncode == 0 else f"no loop devices here: {made.stderr.strip()}"


def _probe_eatmydata() -> str | None:
    return None if shutil.which("eatmydata") else "eatmydata is not installed"


def _probe_postgresql() -> str | None:
    from importlib.util import find_spec

    if find_spec("psycopg") is None:
        return "psycopg (the extra `postgresql`) is not installed"
    from tests.postgresql import find_programs

    return None if find_programs() else "initdb (postgresql) is not installed"


def _probe_swift() -> str | None:
    """Swift comes from the package registry, so it is installed where it is required."""
    from benchmarks.s3server import S3ServerUnavailableError, swift_environment

    try:
        swift_environment(install="swift" in _required())
    except S3ServerUnavailableError as error:
        return str(error)
    return None


def _probe_chromium() -> str | None:
    from importlib.util import find_spec

    if find_spec("playwright") is None:
        return "playwright is not installed"
    # Playwright's own build plays no H.264: it has to be the system's.
    return None if shutil.which("chromium") else "chromium is not installed"


# part → None when it is here, otherwise the reason why not. A test asks with
# `@pytest.mark.real("strace")`; `.ci/run` installs the parts it requires.
_PROBES: dict[str, Callable[[], str | None]] = {
    "strace": _probe_strace,
    "clips": _probe_clips,
    "tmpfs": _probe_tmpfs,
    "registry": _probe_registry,
    "netns": _probe_netns,
    "nft": _probe_nft,
    "faketime": _probe_faketime,
    "mount": _probe_mount,
    "loop": _probe_loop,
    "eatmydata": _probe_eatmydata,
    "postgresql": _probe_postgresql,
    "swift": _probe_swift,
    "chromium": _probe_chromium,
}


@functools.cache
def _missing(part: str) -> str | None:
    return _PROBES[part]()


# ── no network ─────────────────────────────────────────────────────────────────────────────────

_outside_attempts: list[str] = []


def _is_local(host: Any) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not host or not isinstance(host, str):
        return True  # a wildcard bind or a family without host names
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".invalid"))
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _guard(kind: str, family: int, where: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6):
        host = where[0] if isinstance(where, tuple) else None
        outside = not _is_local(host)
    else:
        host = where
        try:
            ipaddress.ip_address(host)
        except ValueError:
            outside = not family and not _is_local(host)
        else:
            outside = False  # a literal is not looked up; connecting to it is judged above
    if outside:
        _outside_attempts.append(f"{kind} {host}")
        # Not an Exception on purpose: the code under test is good at surviving those.
        pytest.fail(f"a test reached for the network: {kind} {host}")


sockets.install()
sockets.listeners.append(_guard)


@pytest.fixture(autouse=True)
def outside_attempts() -> Iterator[list[str]]:
    """Fail the test that reaches beyond loopback, even where the code swallowed the refusal."""
    _outside_attempts.clear()
    yield _outside_attempts
    attempts, _outside_attempts[:] = list(_outside_attempts), []
    if attempts:
        pytest.fail(f"the test reached for the network: {', '.join(sorted(set(attempts)))}")


# ── a clean environment ────────────────────────────────────────────────────────────────────────

_home_numbers = itertools.count()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def clean_environ(_homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment without the developer's settings, and an empty home of the test's own."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_PREFIXES) or name.lower() in _FOREIGN_NAMES:
            monkeypatch.delenv(name)
    home = _homes / str(next(_home_numbers))
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name, folder in {
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "XDG_RUNTIME_DIR": ".run",
    }.items():
        monkeypatch.setenv(name, str(home / folder))
    # No test may read or write the developer's own keyring.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return home


@pytest.fixture(scope="session")
def outside_environ() -> dict[str, str]:
    """The environment pytest was started in, for the few tests that run pip."""
    return dict(OUTSIDE_ENVIRON)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as httpx and uvicorn do here."""
    return "asyncio"
