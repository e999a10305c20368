"""The catalogue of faults is complete, true, and what the page prints."""

import re
from pathlib import Path

import pytest

from tests.fault_catalogue import FAULTS, PAGE, ROOT, injected, page_with_table

SIZES = {"N": 20, "S": 18, "O": 17, "K": 8, "P": 15, "D": 14, "F": 16, "A": 7, "M": 8}


def test_every_fault_of_the_catalogue_is_there() -> None:
    expected = {f"{letter}{n:02}" for letter, size in SIZES.items() for n in range(1, size + 1)}
    assert set(FAULTS) == expected
    assert len(FAULTS) == 123


def test_nine_in_ten_are_injected() -> None:
    assert len(injected()) >= 0.9 * len(FAULTS)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_what_is_said_to_inject_it_exists(fault: str) -> None:
    where = FAULTS[fault][1]
    if where.startswith("cannot:"):
        assert len(where) > 30, "a reason, please"
    elif where.startswith("scenario:"):
        name = where.removeprefix("scenario:")
        assert list((ROOT / "cadenza_conformance" / "scenarios").rglob(f"{name}.json")), where
    elif where == "benchmarks":
        assert (ROOT / "benchmarks").is_dir()
    else:
        file, name = where.split("::")
        source = Path(ROOT, "tests", f"{file}.py").read_text("utf-8")
        assert re.search(rf"def {name}\(", source), where


def test_the_page_prints_the_catalogue_of_today() -> None:
    assert PAGE.read_text("utf-8") == page_with_table(), "run: python -m tests.fault_catalogue"
