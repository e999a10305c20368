"""`python dev.py screenshots`: every page in every state, at three widths, light and dark.

The pictures are of the real pages, in Chromium, on a server that was filled with a studio's week;
they go to `docs/screenshots/`, quantised so that all of them together stay small.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from cadenza_server import ServerSettings, create_app
from cadenza_server.serving import run_in_thread
from tests.browser.recital import Recital, make_recital, wait_for_derivatives
from tests.browser.state import State
from tests.browser.states import EVERY_STATE
from tests.browser.studio import Studio, visiting

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDTHS = {360: 740, 768: 1024, 1440: 900}
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
TALLEST = 2400
_WHOLE_SECONDS = 96
_COLOURS = 128
FACETS: tuple[tuple[int, Theme], ...] = tuple(
    (width, theme) for width in WIDTHS for theme in THEMES
)
_CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures; 1 when a page logged an error or asked for something elsewhere."""
    parser = argparse.ArgumentParser(prog="python dev.py screenshots", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="STATE", help="these states")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to (docs/screenshots)")
    options = parser.parse_args(arguments)
    chosen = [state for state in EVERY_STATE if not options.only or state.name in options.only]
    if not chosen:
        parser.error(f"no such state; there are {', '.join(state.name for state in EVERY_STATE)}")
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.exit(1, "Chromium is not installed. On Debian: apt-get install chromium\n")
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        app = create_app(ServerSettings(data_dir=folder))
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--hide-scrollbars", "--mute-audio", *_CAMERA],
            env={**os.environ, "HOME": place},
        )
        with run_in_thread(app) as server:
            studio = Studio(app, server.url, folder)
            recital = make_recital(studio, folder, whole=_WHOLE_SECONDS)
            wait_for_derivatives(studio, seconds=300)
            for state in chosen:
                photograph(browser, recital, state, options.folder)
                print(f"{state.name}", flush=True)
        browser.close()
    size = sum(path.stat().st_size for path in options.folder.glob("*.png"))
    count = len(chosen) * len(FACETS)
    print(f"{count} pictures taken; {size / 1e6:.1f} MB in all")
    return 0


def photograph(browser: Browser, recital: Recital, state: State, folder: Path) -> None:
    """One state at every width and in both themes.

    Raises:
        AssertionError: the page logged an error, or asked another host for something.
    """
    with visiting(browser, recital.studio, state.who, reduced_motion="reduce") as visit:
        visit.expected += state.expected
        state.arrange(visit, recital)
        page = visit.page
        _settle(page)
        for width, theme in FACETS:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            _fit(page, width, WIDTHS[width])
            if state.again:
                state.again(visit)
                page.wait_for_timeout(100)
            picture = page.screenshot()
            _save(picture, folder / f"{state.name}-{width}-{theme}.png")


def _settle(page: Page) -> None:
    """Fonts, pictures, and what scripts add."""
    page.evaluate(
        """async () => {
          await document.fonts.ready;
          for (const img of document.images) img.loading = "eager";
          await Promise.all([...document.images].map((img) => img.decode().catch(() => {})));
        }"""
    )
    page.wait_for_timeout(350)


def _fit(page: Page, width: int, height: int) -> None:
    """As tall as the page: what is fixed to the window's edge is at the picture's edge."""
    page.set_viewport_size({"width": width, "height": height})
    if page.locator("dialog[open]").count():
        return  # a dialog stands in the middle of the window
    wanted = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(height, min(wanted, TALLEST))})
    page.wait_for_timeout(100)


def _save(picture: bytes, path: Path) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    small = image.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    raise SystemExit(main())
