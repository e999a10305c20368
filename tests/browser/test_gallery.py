"""The pictures in the docs are those the command takes: none is missing, none is left over."""

from __future__ import annotations

import pytest

from tests.browser.screenshots import FACETS, FOLDER
from tests.browser.state import State
from tests.browser.states import EVERY_STATE

GALLERY = (FOLDER.parent / "gallery.md").read_text("utf-8")
EXPECTED = {f"{state.name}-{width}-{theme}.png" for state in EVERY_STATE for width, theme in FACETS}


def test_every_state_has_its_pictures_and_no_other_is_there() -> None:
    assert {path.name for path in FOLDER.glob("*")} == EXPECTED


def test_together_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*")) < 12_000_000


@pytest.mark.parametrize("state", EVERY_STATE, ids=lambda state: state.name)
def test_the_gallery_shows_it(state: State) -> None:
    assert f"## {state.caption}\n" in GALLERY
    assert f"screenshots/{state.name}-1440-light.png" in GALLERY
    assert f"screenshots/{state.name}-360-dark.png" in GALLERY
