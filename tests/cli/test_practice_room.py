"""The harness: takes over a bad network, an uploader killed every few seconds, an honest count."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from cadenza_cli._practice_room import Report


def test_every_take_arrives_once_over_a_bad_network() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cadenza_cli", "record", "--count", "5", "--seconds", "0.5",
         "--scenario", "practice-room", "--seed", "3", "--json"],
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["holds"]
    assert (report["uploaded"], report["lost"], report["duplicates"]) == (5, 0, 0)
    assert report["left_in_spool"] == 0
    assert report["faults"], "nothing failed on purpose: the run proves nothing"


@pytest.mark.parametrize(
    "flaw", [{"uploaded": 4}, {"lost": 1}, {"duplicates": 1}, {"spool": 1}], ids=str
)
def test_one_flaw_is_enough_to_fail(flaw: dict[str, Any]) -> None:
    sound = Report(takes=5, uploaded=5)
    assert sound.holds
    assert not replace(sound, **flaw).holds


def test_a_count_needs_a_scenario() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cadenza_cli", "record", "--count", "3"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--scenario" in done.stderr
