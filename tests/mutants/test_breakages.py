"""Each breakage is still one that can be made; that each is noticed takes minutes (--mutants)."""

from pathlib import Path

import pytest

from tests.mutants.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_what_it_breaks_is_there(breakage: Breakage) -> None:
    """A moved line would make the check say that a breakage went unnoticed, or nothing at all."""
    assert (ROOT / breakage.file).read_text("utf-8").count(breakage.old) == 1
    assert all((ROOT / suite).exists() for suite in breakage.suites)
