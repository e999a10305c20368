"""A reply's video on the stage: watched, pointed at and linked to like a take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.clips import READ_FRAME, make_clip
from tests.browser.studio import Studio, Visit

pytestmark = pytest.mark.real("chromium")
Visiting = Callable[..., Visit]
SOON_MS = 2_000
FPS = 30
VIDEO = "document.querySelector('[data-part=video]')"


def frame_of(visit: Visit) -> int:
    """The number of the frame on the screen, once no seek is under way."""
    visit.until(f"!{VIDEO}.seeking && {VIDEO}.readyState >= 2")
    visit.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 40)))")
    return int(visit.video(READ_FRAME))


def listening(visit: Visit) -> None:
    """Wait until the page hears of what happens elsewhere."""
    visit.until("document.documentElement.dataset.live === 'on'")


def watch_reply(page: Page) -> None:
    """Put the only video reply of the thread on the stage, and stop it there."""
    page.locator(".bubble-play").click()
    expect(page.locator("[data-part=watching]")).to_be_visible()
    page.locator('[data-media="ready"]').wait_for()
    page.locator("[data-part=video]").evaluate("video => video.pause()")


def texts(page: Page) -> list[str]:
    """What the list of markers says."""
    return page.locator(".moment .moment-text").all_inner_texts()


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds: another length than the take's."""
    return make_clip(tmp_path_factory.mktemp("reply") / "reply.mp4", seconds=5)


def test_a_marker_on_a_reply_lands_there_and_the_other_side_sees_it(
    studio: Studio, visit: Visiting, short_clip: Path
) -> None:
    """The whole player, for the reply: its length, its markers, its moment to the frame."""
    take = studio.take()
    studio.mark("teacher", take, 2_000, "on the take")
    reply = studio.reply("teacher", take, "Like this", clip=short_clip, video_duration_seconds=5)
    student, teacher = visit("student"), visit("teacher")
    page = student.open_take(take, "?t=7000")
    expect(page.locator(".dot")).to_have_count(1)
    watch_reply(page)
    expect(page.locator("[data-part=watching-text]")).to_contain_text(
        "Watching Tessa Moreno’s reply, "
    )
    expect(page.locator("[data-part=duration]")).to_have_text("0:05.0")
    expect(page.locator(".dot")).to_have_count(0)
    expect(page.locator("[data-part=track]")).to_have_attribute(
        "aria-label", "Position in the reply"
    )

    other = teacher.open_take(take, f"?message={reply}")
    expect(other.locator("[data-part=watching-text]")).to_contain_text("Watching your reply")
    listening(teacher)

    student.video("video => { video.currentTime = 2.35; }")
    page.keyboard.press("m")
    page.keyboard.type("which bow here?")
    meant = frame_of(student)
    page.keyboard.press("Enter")
    expect(other.locator(".moment.is-question .moment-text")).to_have_text(
        "which bow here?", timeout=SOON_MS
    )
    [marker] = studio.ask("teacher", "GET", f"/messages/{reply}/markers")
    assert (marker["message_id"], marker["marker_type"]) == (reply, "question")
    assert int(marker["timestamp_ms"] / 1000 * FPS) == meant
    other.locator(".dot").click()
    assert abs(frame_of(teacher) - meant) <= 1
    assert f"message={reply}" in other.url

    page.keyboard.press("Escape")
    expect(page.locator("[data-part=watching]")).to_be_hidden()
    page.locator('[data-media="ready"]').wait_for()
    assert texts(page) == ["on the take"]
    expect(page.locator("[data-part=clock]")).to_have_text("0:07.0")  # where it was left
    expect(page.locator(".bubble-marks")).to_have_text("1")
    on_take = studio.ask("teacher", "GET", f"/video-submissions/{take}/markers")
    assert [one["text"] for one in on_take] == ["on the take"]
    expect(page.locator('input[name="kind"]')).to_have_count(1)  # a student asks


def test_an_address_opens_the_reply_at_its_moment(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    studio.mark("teacher", take, 1_000, "on the take")
    reply = studio.reply("teacher", take)
    marker = studio.mark_reply("student", reply, 4_400, "here?")
    teacher = visit("teacher")
    for query in (f"?message={reply}&t=4400&marker={marker}", f"?marker={marker}"):
        page = teacher.open_take(take, query)
        expect(page.locator("[data-part=watching]")).to_be_visible()
        expect(page.locator(f'.moment[data-marker-id="{marker}"]')).to_have_attribute(
            "aria-current", "true"
        )
        expect(page.locator("[data-part=clock]")).to_have_text("0:04.4")
        assert frame_of(teacher) == int(4.4 * FPS)
        assert texts(page) == ["here?"]
    page.go_back()  # each visit above was a page of its own: this is the first of them
    page.locator('[data-media="ready"]').wait_for()
    page.get_by_role("button", name="Back to the take").click()
    expect(page.locator(".moment .moment-text")).to_have_text("on the take")
    assert "message=" not in page.url
    page.go_back()
    expect(page.locator(".moment .moment-text")).to_have_text("here?")
    expect(page.locator("[data-part=watching]")).to_be_visible()


def test_an_address_of_words_points_at_the_words(studio: Studio, visit: Visiting) -> None:
    """Notifications lead to messages; one without a video leaves the take on the stage."""
    take = studio.take()
    said = studio.say("teacher", take, "Good work")
    student = visit("student")
    page = student.open_take(take, f"?message={said}")
    expect(page.locator(".bubble.is-linked")).to_contain_text("Good work")
    expect(page.locator("[data-part=watching]")).to_be_hidden()


def test_what_is_typed_stays_with_its_video(studio: Studio, visit: Visiting) -> None:
    """Switching, reloading and going offline: the words never move to the other video."""
    take = studio.take()
    reply = studio.reply("student", take)
    teacher = visit("teacher")
    teacher.expected += ["ERR_INTERNET_DISCONNECTED"]
    page = teacher.open_take(take, "?t=3000")
    text = page.locator("#marker-text")
    page.keyboard.press("m")
    page.keyboard.type("about the take")
    watch_reply(page)
    expect(text).to_have_value("")
    teacher.video("video => { video.currentTime = 6.02; }")
    frame_of(teacher)
    page.keyboard.press("m")
    page.keyboard.type("about the reply")
    page.reload()
    expect(page.locator("[data-part=watching]")).to_be_visible()
    expect(text).to_have_value("about the reply")
    expect(page.locator("[data-part=composer] [data-part=time]")).to_have_value("0:06.0")
    page.get_by_role("button", name="Back to the take").click()
    expect(text).to_have_value("about the take")
    watch_reply(page)
    expect(text).to_have_value("about the reply")
    teacher.context.set_offline(True)
    text.press("Enter")
    expect(page.locator(".moment.is-pending")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".moment")).to_have_count(0)
    expect(text).to_have_value("about the take")
    teacher.context.set_offline(False)
    text.press("Enter")
    expect(page.locator(".moment:not(.is-pending)")).to_have_count(1)
    path = f"/video-submissions/{take}/markers?include=messages"
    teacher.until("!Object.keys(localStorage).some(key => key.startsWith('cadenza.outbox.'))")
    markers = studio.ask("student", "GET", path)
    assert {(one["text"], one["message_id"]) for one in markers} == {
        ("about the take", None),
        ("about the reply", reply),
    }


def test_a_reply_deleted_while_one_watches_is_gone_and_the_take_is_not(
    studio: Studio, visit: Visiting
) -> None:
    take = studio.take()
    reply = studio.reply("teacher", take)
    student = visit("student")
    student.expected += ["404", "410"]
    page = student.open_take(take)
    listening(student)
    watch_reply(page)
    with page.expect_download() as download:
        page.get_by_label("More about this take").click()
        page.get_by_role("link", name="Download the reply").click()
    assert download.value.path().stat().st_size == studio.clip.stat().st_size
    studio.ask("teacher", "DELETE", f"/messages/{reply}")
    expect(page.locator("[data-part=cover-text]")).to_have_text(
        "This reply was deleted.", timeout=4_000
    )
    page.get_by_role("button", name="Back to the take").click()
    page.locator('[data-media="ready"]').wait_for()
    expect(page.locator(".bubble.is-deleted")).to_have_count(1)


def test_a_reply_of_another_thread_is_no_download_of_this_one(studio: Studio) -> None:
    """The address names both, and both have to be so."""
    take, other = studio.take(), studio.take("second")
    reply = studio.reply("teacher", take)
    answer = studio.get("teacher", f"/v/{take}/replies/{reply}/download")
    assert answer.status_code == 303
    assert studio.get("teacher", f"/v/{other}/replies/{reply}/download").status_code == 404
    assert studio.get("stranger", f"/v/{take}/replies/{reply}/download").status_code == 403
