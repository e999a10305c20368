"""SIGKILL before every durable system call of a full cycle, and of a recovery (P01, P02).

strace delivers the signal before the call runs, so each point is a different state on the disk.
Random killing finds an order bug by luck; enumeration finds it.
"""

import random
import re
import subprocess
from pathlib import Path

import pytest

from tests.sweeps.conftest import ROOT, Studio
from tests.sweeps.takes import PIECE

DURABLE = "pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat2,rmdir,mkdir"
SAMPLE = 12


def killed_at(point: int, log: str = "/dev/null") -> tuple[str, ...]:
    return ("strace", "-f", "-qq", "-o", log, "-e", f"trace={DURABLE}",
            "-e", f"inject={DURABLE}:signal=SIGKILL:when={point}")  # fmt: skip


def durable_calls(studio: Studio, home: Path, *verbs: str) -> int:
    """How many durable calls a run makes when nobody kills it."""
    log = home.parent / "calls"
    PIECE.leave(home, studio.piece_id)
    subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={DURABLE}",
         *studio.command(home, *verbs)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    calls = DURABLE.replace(",", "|")
    return len(re.findall(rf"^\d+ +(?:{calls})\(", log.read_text(), re.MULTILINE))


def sweep(studio: Studio, tmp_path: Path, points: list[int], *, first_seed: int) -> None:
    for point in points:
        seed, home = first_seed + point, tmp_path / f"p{point}"
        studio.run(home, f"add:{seed}", "drain", before=killed_at(point))
        studio.nothing_is_lost(home, seed)
        studio.recovers(home, seed)


@pytest.mark.real("strace")
def test_killed_before_a_sample_of_durable_calls(studio: Studio, tmp_path: Path) -> None:
    total = durable_calls(studio, tmp_path / "count", "add:900000", "drain")
    assert total > 60, "strace saw too little: the sweep would prove nothing"
    points = sorted(random.Random(4).sample(range(1, total + 1), SAMPLE))
    sweep(studio, tmp_path, points, first_seed=1_000_000)


@pytest.mark.full
@pytest.mark.real("strace")
def test_killed_before_every_durable_call(studio: Studio, tmp_path: Path) -> None:
    total = durable_calls(studio, tmp_path / "count", "add:910000", "drain")
    sweep(studio, tmp_path, list(range(1, total + 1)), first_seed=2_000_000)


@pytest.mark.real("strace")
@pytest.mark.parametrize("points", [6, pytest.param(60, marks=pytest.mark.full)])
def test_killed_during_recovery(studio: Studio, tmp_path: Path, points: int) -> None:
    """A first kill mid-cycle, a second one in the recovery after it (P02, I15)."""
    for point in random.Random(5).sample(range(1, 61), points):
        base = 3_000_000 if points == 6 else 4_000_000
        seed, home = base + point, tmp_path / f"r{point}"
        studio.run(home, f"add:{seed}", "drain", before=killed_at(70))
        studio.run(home, "drain", before=killed_at(point))
        studio.nothing_is_lost(home, seed)
        studio.recovers(home, seed)


ERRNOS = [
    ("fsync", "EIO"), ("fdatasync", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EIO"),
    ("openat", "EMFILE"), ("renameat2,rename", "ENOSPC"), ("unlinkat", "EPERM"),
    ("mkdir", "ENOSPC"),
]  # fmt: skip


@pytest.mark.real("strace")
@pytest.mark.parametrize(("calls", "errno"), ERRNOS, ids=[f"{c}-{e}" for c, e in ERRNOS])
def test_an_errno_at_the_nth_call_loses_nothing(
    studio: Studio, tmp_path: Path, calls: str, errno: str
) -> None:
    """The n-th call fails; the process may give up, and the next start goes on (D03, P14)."""
    rng = random.Random(f"{calls}{errno}")
    for number, when in enumerate(sorted(rng.sample(range(1, 40), 2))):
        seed = 5_000_000 + ERRNOS.index((calls, errno)) * 100 + number
        home = tmp_path / f"e{when}"
        when += 400 if calls == "openat" else 0  # past the interpreter's own start
        before = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}",
                  "-e", f"inject={calls}:error={errno}:when={when}")  # fmt: skip
        studio.run(home, f"add:{seed}", "drain", before=before)
        studio.nothing_is_lost(home, seed)
        studio.recovers(home, seed)
