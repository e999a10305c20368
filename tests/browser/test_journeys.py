"""Journeys 7 to 10 in two real browsers at once: what one does, the other sees."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.clips import READ_FRAME
from tests.browser.studio import Studio, Visit

pytestmark = pytest.mark.real("chromium")
Visiting = Callable[..., Visit]
#: "Within two seconds", as the journeys promise.
SOON_MS = 2_000
FPS = 30


def listening(visit: Visit) -> None:
    """Wait until the page hears of what happens elsewhere."""
    visit.until("document.documentElement.dataset.live === 'on'")


def add_waiting(studio: Studio) -> list[str]:
    """Five confirmed takes of three students, the longest wait first."""
    takes = []
    for name in ("second", "student", "third", "student", "second"):
        takes.append(studio.take(name))
        time.sleep(1.05)  # the order is by the second they arrived in
    return takes


def test_journey_07_teacher_review(studio: Studio, visit: Visiting) -> None:
    takes = add_waiting(studio)
    teacher, student = visit("teacher"), visit("student")
    mine = takes[1]
    waiting_page = student.open_take(mine)
    listening(student)

    page = teacher.go("/inbox")
    rows = page.locator("#queue [data-row]")
    expect(rows).to_have_count(5)
    assert [str(row.get_attribute("href")).split("?")[0] for row in rows.all()] == [
        f"/v/{take}" for take in takes
    ]
    rows.nth(1).click()
    page.locator('[data-media="ready"]').wait_for()
    page.keyboard.press("Space")
    teacher.until("document.querySelector('[data-part=video]').currentTime > 0.3")
    page.keyboard.press("e")
    expect(waiting_page.locator("[data-part=reviewed-badge]")).to_be_visible(timeout=SOON_MS)
    expect(page.locator(".toast")).to_contain_text("Marked as reviewed")
    page.keyboard.press("u")
    page.wait_for_url(lambda url: mine not in url)
    page = teacher.go("/inbox")
    expect(rows).to_have_count(4)
    assert mine not in page.locator("#queue").inner_html()

    refused = httpx.patch(
        f"{studio.url}/video-submissions/{mine}/reviewed",
        headers={"Authorization": f"Bearer {studio.token('student')}"},
    )
    assert refused.status_code == 403
    expect(student.page.locator("[data-part=review]")).to_have_count(0)


def test_reviewed_is_taken_back_within_eight_seconds(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    teacher = visit("teacher")
    page = teacher.open_take(take)
    page.keyboard.press("e")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-part=waiting-badge]")).to_be_visible()
    assert studio.ask("teacher", "GET", f"/video-submissions/{take}")["reviewed_at"] is None


def test_journey_08_point_at_the_moment(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    teacher, student = visit("teacher"), visit("student")
    listener = student.open_take(take)
    listening(student)
    page = teacher.open_take(take, "?t=2000")
    page.keyboard.press("Space")
    teacher.until("document.querySelector('[data-part=video]').currentTime > 2.3")
    page.keyboard.press("m")
    page.keyboard.type("you speed up")
    assert teacher.video("video => video.paused")
    meant = _frame(teacher)
    page.keyboard.press("Enter")
    teacher.until("!document.querySelector('[data-part=video]').paused")

    dot = listener.locator(".dot.is-feedback")
    expect(dot).to_have_count(1, timeout=SOON_MS)
    [marker] = studio.ask("student", "GET", f"/video-submissions/{take}/markers")
    assert marker["marker_type"] == "feedback"
    assert marker["text"] == "you speed up"
    assert 2_300 <= marker["timestamp_ms"] < 6_000
    dot.click()
    assert abs(_frame(student) - meant) <= 1


def test_journey_09_question_from_the_student(studio: Studio, visit: Visiting) -> None:
    first = studio.take("second")
    time.sleep(1.05)
    asked = studio.take("student")
    teacher, student = visit("teacher"), visit("student")
    inbox = teacher.go("/inbox")
    rows = inbox.locator("#queue [data-row]")
    expect(rows.first).to_have_attribute("href", f"/v/{first}?queue=1")
    listening(teacher)

    page = student.open_take(asked, "?t=3000")
    page.keyboard.press("m")
    page.keyboard.type("is this the right fingering?")
    page.keyboard.press("Enter")
    expect(page.locator(".dot.is-question path")).to_have_count(1)  # a diamond
    expect(rows.first).to_have_attribute("href", f"/v/{asked}?queue=1", timeout=SOON_MS)
    expect(rows.first).to_contain_text("Question")

    stranger = visit("stranger")
    stranger.expected += ["403"]
    stranger.go(f"/v/{asked}")
    expect(stranger.page.locator("h1")).to_have_text("This is not yours to see")

    looking = teacher.open_take(asked)
    expect(looking.locator(".moment.is-question")).to_have_count(1)
    expect(looking.get_by_role("button", name="Delete")).to_have_count(0)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(looking.locator(".moment")).to_have_count(0, timeout=SOON_MS)


def test_journey_10_answer_with_a_demonstration(studio: Studio, visit: Visiting) -> None:
    """Recorded in the browser, uploaded in two phases, seen by the other side."""
    take = studio.take()
    teacher, student = visit("teacher"), visit("student")
    home = student.go("/")
    listening(student)

    page = teacher.open_take(take)
    page.locator("#reply-text").fill("Listen to the bass line.")
    page.get_by_role("button", name="Record a reply").click()
    recorder = page.locator("dialog [data-part=recorder]")
    recorder.get_by_role("button", name="Record").click()
    expect(recorder).to_have_attribute("data-state", "recording")
    teacher.until("document.querySelector('[data-part=countdown]').textContent === '2:57'")
    recorder.get_by_role("button", name="Stop").click()
    expect(recorder.locator("[data-part=notes]")).to_have_value("Listen to the bass line.")
    recorder.get_by_role("button", name="Send").click()
    expect(page.get_by_role("dialog")).to_have_count(0, timeout=15_000)
    expect(page.locator(".bubble.is-own")).to_contain_text("Listen to the bass line.")
    expect(page.locator("#reply-text")).to_have_value("")

    expect(home.locator(f"#take-{take}")).to_contain_text("New reply", timeout=SOON_MS)
    assert studio.ask("student", "GET", "/unread")["total"] == 1
    watching = student.open_take(take)
    expect(watching.locator(".thread-divider")).to_be_visible()
    expect(page.locator(".bubble-seen")).to_contain_text("Seen", timeout=SOON_MS)
    assert studio.ask("student", "GET", "/unread")["total"] == 0
    play = watching.locator(".bubble-play")
    expect(play.locator("img")).to_be_visible(timeout=60_000)  # WebM becomes MP4 meanwhile
    play.click()
    expect(watching.locator("[data-part=watching-text]")).to_contain_text("Tessa Moreno’s reply")
    student.until(
        """(() => { const video = document.querySelector("[data-part=video]");
            return video && video.videoWidth > 0 && video.currentTime > 0.2
              && Number.isFinite(video.duration); })()""",
        seconds=10,
    )


def test_three_takes_are_reviewed_by_keyboard_alone(studio: Studio, visit: Visiting) -> None:
    """From the inbox to the last take without touching a mouse (suite 6)."""
    takes = []
    for name in ("student", "second", "third"):
        takes.append(studio.take(name))
        time.sleep(1.05)
    teacher = visit("teacher")
    page = teacher.go("/inbox")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    for number, take in enumerate(takes):
        page.wait_for_url(f"**/v/{take}*")
        page.locator('[data-media="ready"]').wait_for()
        _review_by_keys(page, teacher)
        if number < 2:
            page.keyboard.press("u")
    page.keyboard.press("u")
    expect(page.locator(".toast").last).to_contain_text("nothing else is waiting")
    assert studio.ask("teacher", "GET", "/review-queue") == []
    for take in takes:
        markers = studio.ask("teacher", "GET", f"/video-submissions/{take}/markers")
        assert [marker["marker_type"] for marker in markers] == ["praise"]


def _review_by_keys(page: Page, teacher: Visit) -> None:
    page.keyboard.press("Space")
    teacher.until("document.querySelector('[data-part=video]').currentTime > 0.2")
    page.keyboard.press("3")
    page.keyboard.press("m")
    page.keyboard.type("well done")
    page.keyboard.press("Enter")
    expect(page.locator(".moment.is-praise:not(.is-pending)")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.type("Thank you.")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".bubble.is-own:not(.is-pending)")).to_have_count(1)
    page.keyboard.press("e")
    expect(page.locator("[data-part=reviewed-badge]")).to_be_visible()


def _frame(visit: Visit) -> int:
    video = "document.querySelector('[data-part=video]')"
    visit.until(f"!{video}.seeking && {video}.readyState >= 2")
    visit.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 40)))")
    return int(visit.video(READ_FRAME))
