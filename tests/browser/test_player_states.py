"""The player and the recorder in every state: audited in both themes, and narrow."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.player_states import PLAYER_STATES
from tests.browser.recital import Recital
from tests.browser.state import State
from tests.browser.studio import visiting

pytestmark = pytest.mark.real("chromium")
_CONTRAST = {"runOnly": ["color-contrast"]}


def serious(page: Page, options: dict[str, list[str]] | None = None) -> list[str]:
    """What axe-core finds serious or worse, in lines."""
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {node['html'][:140]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:4]
    ]


@pytest.mark.parametrize("state", PLAYER_STATES, ids=lambda state: state.name)
def test_every_state_is_accessible_and_fits_a_phone(
    chromium: Browser, recital: Recital, state: State
) -> None:
    with visiting(
        chromium, recital.studio, state.who, reduced_motion="reduce", color_scheme="light"
    ) as visit:
        visit.expected += state.expected
        state.arrange(visit, recital)
        page = visit.page
        assert serious(page) == []
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        page.wait_for_timeout(100)
        assert serious(page, _CONTRAST) == []
        page.set_viewport_size({"width": 360, "height": 740})
        wide = page.evaluate("document.documentElement.scrollWidth")
        culprits = page.evaluate(
            """[...document.querySelectorAll("main *")].filter(one => {
                 const box = one.getBoundingClientRect();
                 return box.width && box.right > innerWidth + 1;
               }).slice(0, 5).map(one => one.outerHTML.slice(0, 120))"""
        )
        assert wide <= 360, culprits
