"""Clients of both kinds, and servers on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.clients import open_client as open_client
from tests.client.raw_server import CERTIFICATES, RawServer, Script


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """`serve(script, ...)`: a raw server; a script that fails fails the test."""
    servers: list[RawServer] = []

    def start(*scripts: Script, **options: Any) -> RawServer:
        server = RawServer(list(scripts), **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
    faults = [fault for server in servers for fault in server.faults]
    if faults:
        raise faults[0]


@pytest.fixture
def tls_env() -> dict[str, str]:
    """An environment that trusts the test authority."""
    return {"SSL_CERT_FILE": str(CERTIFICATES / "authority.pem")}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three megabytes that are not all the same."""
    path = tmp_path / "take.mp4"
    path.write_bytes(bytes(range(256)) * (3 * 4096))
    return path
