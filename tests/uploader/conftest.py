from collections.abc import Iterator
from pathlib import Path

import pytest

from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from tests.uploader.world import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


@pytest.fixture
def queue(home: Home, clock: Clock) -> Iterator[TakeQueue]:
    with TakeQueue.open(home, clock=clock) as queue:
        yield queue
