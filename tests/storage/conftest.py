"""The same server on each of its stores, in front of it a door that can be shut on an answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.s3server import S3Server, s3_server
from tests.storage.world import World, open_world


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3-compatible server; only for tests that are marked `real("swift")`."""
    with s3_server(folder=tmp_path_factory.mktemp("swift"), install=False) as server:
        yield server


@pytest.fixture(
    scope="module", params=["builtin", pytest.param("swift", marks=pytest.mark.real("swift"))]
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A running server with a student and a teacher; what it says holds on every store."""
    folder: Path = tmp_path_factory.mktemp(str(request.param))
    with ExitStack() as stack:
        server = request.getfixturevalue("swift") if request.param == "swift" else None
        yield open_world(stack, folder, server)
