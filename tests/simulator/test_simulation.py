"""Three hundred worlds in every run, ten thousand with `--full`; each replays from its number."""

import os
from pathlib import Path

import pytest

from tests.conftest import OUTSIDE_ENVIRON
from tests.simulator.simulation import Simulation

CHUNK = 25
SEEDS = 300
FULL_SEEDS = 10_000


def worlds(first: int, count: int, folder: Path) -> None:
    for seed in range(first, first + count):
        place = folder / str(seed)
        place.mkdir()
        Simulation(seed, place).run()


@pytest.fixture
def fast_folder(tmp_path: Path) -> Path:
    """A folder in memory where there is one: durability is tested elsewhere, by pulling plugs."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        return tmp_path
    place = memory / f"cadenza-{os.getpid()}-{tmp_path.name}"
    place.mkdir(mode=0o700)
    return place


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_world_loses_a_take(first: int, fast_folder: Path) -> None:
    worlds(first, CHUNK, fast_folder)
    fast_folder.rmdir()


@pytest.mark.full
@pytest.mark.parametrize("first", range(SEEDS, FULL_SEEDS, 100))
def test_no_world_of_ten_thousand_loses_a_take(first: int, fast_folder: Path) -> None:
    worlds(first, 100, fast_folder)
    fast_folder.rmdir()


def test_the_seeds_that_were_asked_for(tmp_path: Path) -> None:
    """Replay: CADENZA_SIM_SEEDS=17,4711 pytest tests/simulator -k asked."""
    for seed in OUTSIDE_ENVIRON.get("CADENZA_SIM_SEEDS", "0").split(","):
        place = tmp_path / seed
        place.mkdir()
        Simulation(int(seed), place).run()


def test_a_world_is_the_same_every_time(tmp_path: Path) -> None:
    stories = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        world = Simulation(7, tmp_path / name)
        world.run()
        stories.append((world.history, world.server.log))
    assert stories[0] == stories[1]
