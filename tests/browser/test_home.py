"""The student's list knows what is still on this device, and follows it on its way."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.studio import Studio, Visit
from tests.browser.test_recorder import left_on_device, ready, record

pytestmark = pytest.mark.real("chromium")
Visiting = Callable[..., Visit]
SOON_MS = 2_000
ABOVE = "#on-this-device .take"


def choose_file(visit: Visit, studio: Studio) -> tuple[Page, Locator]:
    """The recorder with a file that was looked at and not sent."""
    page, recorder = ready(visit)
    recorder.locator("[data-part=file]").set_input_files(studio.clip)
    expect(recorder).to_have_attribute("data-state", "review")
    return page, recorder


def slow_down(page: Page) -> None:
    """An upload of some seconds, whichever page it comes from."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": 60_000,
        },
    )


def test_what_was_recorded_and_not_sent_is_on_this_device(studio: Studio, visit: Visiting) -> None:
    """Also as the very first take; the row leads back to it."""
    student = visit("student")
    _, recorder = ready(student)
    home = student.context.new_page()
    home.goto(f"{studio.url}/")
    expect(home.get_by_role("heading", name="Your first take")).to_be_visible()
    record(student, recorder, 2)
    row = home.locator(ABOVE)
    expect(row.locator("[data-status]")).to_have_text("On this device", timeout=SOON_MS)
    expect(row).to_contain_text("Not sent yet")
    expect(row.locator("img")).to_be_visible()
    expect(home.get_by_role("heading", name="Your first take")).to_be_hidden()
    student.page.close()
    row.locator("a").click()
    expect(home.locator("[data-part=recorder]")).to_have_attribute("data-state", "review")
    other = visit("second")
    assert other.go("/").locator(ABOVE).count() == 0


def test_a_recording_under_way_is_not_taken_for_a_left_over(
    studio: Studio, visit: Visiting
) -> None:
    """Rescuing what another tab still writes would cut it off."""
    student = visit("student")
    _, recorder = ready(student)
    recorder.get_by_role("button", name="Record").click()
    expect(recorder).to_have_attribute("data-state", "recording")
    student.until("document.querySelector('[data-part=countdown]').textContent <= '2:57'")
    second = student.context.new_page()
    second.goto(f"{studio.url}/record")
    expect(second.locator("[data-part=recorder]")).to_have_attribute("data-state", "ready")
    second.goto(f"{studio.url}/")
    expect(second.locator(ABOVE)).to_have_count(0)
    recorder.get_by_role("button", name="Stop").click()
    expect(recorder).to_have_attribute("data-state", "review")
    expect(second.locator(ABOVE)).to_have_count(1)


def test_the_list_follows_what_another_tab_sends(studio: Studio, visit: Visiting) -> None:
    """On this device, Sending 43 %, Sent: live, and one row from beginning to end."""
    student = visit("student")
    page, recorder = choose_file(student, studio)
    home = student.context.new_page()
    home.goto(f"{studio.url}/")
    expect(home.locator(ABOVE)).to_contain_text("On this device")
    for tab in (page, home):
        slow_down(tab)
    recorder.get_by_role("button", name="Send").click()
    badge = home.locator("#takes [data-status]")
    expect(badge).to_have_text(re.compile(r"^\s*Sending [1-9]\d? %$"), timeout=8_000)
    first = int(re.findall(r"\d+", badge.inner_text())[0])
    expect(home.locator(ABOVE)).to_have_count(0)
    title = home.locator("#takes .take-title")
    expect(title).to_have_text("Bach, Cello Suite No. 3: Bourrée I")
    expect(recorder.locator("[data-part=sending-text]")).to_contain_text("%")
    expect(badge).not_to_have_text(re.compile(rf"Sending {first} %"), timeout=8_000)
    expect(recorder).to_have_attribute("data-state", "sent", timeout=20_000)
    expect(badge).to_have_text("Sent", timeout=SOON_MS)
    assert left_on_device(home) == 0
    href = page.get_by_role("link", name="Open the take").get_attribute("href")
    [take] = studio.ask("student", "GET", "/video-submissions")
    assert href == f"/v/{take['id']}"


def test_a_take_goes_out_from_the_list_when_the_network_is_back(
    studio: Studio, visit: Visiting
) -> None:
    """Submitted without a connection; the recorder's page is left for the list."""
    student = visit("student")
    student.expected += ["ERR_"]
    page, recorder = choose_file(student, studio)
    page.route("**/storage/**", lambda route: route.abort("internetdisconnected"))
    page.route("**/video-submissions", lambda route: route.abort("internetdisconnected"))
    recorder.get_by_role("button", name="Send").click()
    expect(recorder.locator("[data-part=sending-text]")).to_contain_text("kept on this device")
    page = student.go("/")
    row = page.locator(ABOVE)
    expect(row.locator("[data-status]")).to_have_text("On this device")
    expect(row).to_contain_text("goes out by itself")
    expect(row.locator(".take-title")).to_have_text("Bach, Cello Suite No. 3: Bourrée I")
    page.unroute("**/storage/**")
    page.unroute("**/video-submissions")
    expect(page.locator("#takes [data-status]")).to_have_text("Sent", timeout=20_000)
    expect(row).to_have_count(0)
    assert left_on_device(page) == 0


def test_what_the_server_refused_says_why(studio: Studio, visit: Visiting) -> None:
    student = visit("student")
    student.expected += ["422"]
    page, recorder = choose_file(student, studio)
    page.route(
        "**/video-submissions",
        lambda route: route.fulfill(
            status=422, json={"code": "invalid", "detail": "This piece is no longer yours."}
        ),
    )
    recorder.get_by_role("button", name="Send").click()
    expect(recorder).to_have_attribute("data-state", "review")
    row = student.go("/").locator(ABOVE)
    expect(row).to_contain_text("It was not accepted: This piece is no longer yours.")
    expect(row.locator("[data-status]")).to_have_text("On this device")
