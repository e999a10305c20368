"""Broken lines, for real: rules on the loopback of a namespace of the test's own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.conftest import ROOT
from tests.sweeps.netcase import CASES

pytestmark = [pytest.mark.real("netns"), pytest.mark.real("nft")]

#: Faults in which the network as a whole is gone: they hold the queue and cost nothing (I7).
HOLDS = {"no_route", "refused", "swallowed", "blackhole", "reset"}
#: Faults that TCP or patience survives: one body, once.
ONCE = {"flap", "loss", "slow"}


def faced_with(case: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "tests.sweeps.netcase", case, str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_broken_line_costs_no_take_and_no_attempt(case: str, tmp_path: Path) -> None:
    facts = faced_with(case, tmp_path)
    assert "waited_in_vain" not in facts, facts
    assert facts["status"] == "uploaded", facts
    assert facts["intact"], facts
    assert facts["spool"] == []
    assert facts["intake_seconds"] < 1.0  # I14: intake never waits for a network
    if case in HOLDS:
        assert facts["held"], facts
        assert facts["attempts"] == 0, facts
    if case in ONCE:
        assert (facts["creates"], facts["puts"]) == (1, 1), facts
