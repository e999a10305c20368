"""The player in a real browser: what is seen, heard and reached."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.studio import Studio, Visit

VIDEO = "document.querySelector('[data-part=video]')"
pytestmark = pytest.mark.real("chromium")


def test_the_take_plays_with_a_picture(studio: Studio, visit: Callable[..., Visit]) -> None:
    """A codec without a picture raises no error: only looking tells."""
    teacher = visit("teacher")
    page = teacher.open_take(studio.take())
    page.keyboard.press("Space")
    teacher.until(f"{VIDEO}.currentTime > 0.5")
    facts = teacher.video(
        """video => {
          const canvas = document.createElement("canvas");
          canvas.width = canvas.height = 8;
          canvas.getContext("2d").drawImage(video, 0, 0, 8, 8);
          const pixels = canvas.getContext("2d").getImageData(0, 0, 8, 8).data;
          return {width: video.videoWidth, ready: video.readyState,
                  brightest: Math.max(...pixels.filter((_, at) => at % 4 !== 3))};
        }"""
    )
    assert facts["width"] > 0
    assert facts["ready"] >= 2
    assert facts["brightest"] > 60
