"""Recording in the browser, with Chromium's fake camera and microphone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.clips import make_clip
from tests.browser.studio import Studio, Visit

pytestmark = pytest.mark.real("chromium")
Visiting = Callable[..., Visit]


def ready(visit: Visit) -> tuple[Page, Locator]:
    """The recorder's page, with the camera's picture on it."""
    page = visit.go("/record")
    recorder = page.locator("[data-part=recorder]")
    expect(recorder).to_have_attribute("data-state", "ready")
    visit.until("document.querySelector('[data-part=preview]').videoWidth > 0")
    return page, recorder


def record(visit: Visit, recorder: Locator, seconds: int) -> None:
    """Record for so long, and stop."""
    recorder.get_by_role("button", name="Record").click()
    expect(recorder).to_have_attribute("data-state", "recording")
    left = f"2:{60 - seconds:02}"
    visit.until(
        f"document.querySelector('[data-part=countdown]').textContent <= '{left}'",
        seconds=seconds + 10,
    )
    recorder.get_by_role("button", name="Stop").click()
    expect(recorder).to_have_attribute("data-state", "review")


def take_of(studio: Studio) -> dict[str, object]:
    """The only take of the student."""
    [take] = studio.ask("student", "GET", "/video-submissions")
    return dict(take)


def test_five_seconds_are_recorded_sent_and_play_with_sound(
    studio: Studio, visit: Visiting, tmp_path: Path
) -> None:
    student = visit("student")
    page, recorder = ready(student)
    student.until("Number(document.querySelector('[data-part=meter]').value) > 0")
    record(student, recorder, 5)
    student.until("document.querySelector('[data-part=playback]').videoWidth > 0")
    recorder.locator("[data-part=notes]").fill("bar 17, slowly")
    recorder.get_by_label("Page").fill("3")
    recorder.get_by_role("button", name="Send").click()
    expect(recorder).to_have_attribute("data-state", "sent", timeout=15_000)
    take = take_of(studio)
    assert take["notes"] == "bar 17, slowly"
    assert take["page_number"] == 3
    assert take["duration_seconds"] in (5, 6)
    assert take["thumbnail_s3_key"]
    assert left_on_device(page) == 0
    student.expected += ["409"]  # asked for while the WebM becomes an MP4
    page.get_by_role("link", name="Open the take").click()
    page.locator('[data-media="ready"]').wait_for(timeout=60_000)
    page.keyboard.press("Space")
    video = "document.querySelector('[data-part=video]')"
    student.until(f"{video}.currentTime > 0.5 && {video}.webkitAudioDecodedByteCount > 0")
    duration = student.video("video => video.duration")
    assert 4.0 < duration < 7.0  # a recorder's WebM has none: every marker would break
    url = studio.ask("student", "GET", f"/video-submissions/{take['id']}/video-url")["video_url"]
    stored = tmp_path / "stored.mp4"
    stored.write_bytes(page.request.get(url).body())
    with av.open(str(stored)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"


def left_on_device(page: Page) -> int:
    """How many recordings the browser still holds."""
    return int(
        page.evaluate(
            """() => new Promise((resolve, reject) => {
              const open = indexedDB.open("cadenza", 1);
              open.onerror = () => reject(open.error);
              open.onsuccess = () => {
                const count = open.result.transaction("items").objectStore("items").count();
                count.onsuccess = () => { open.result.close(); resolve(count.result); };
              };
            })"""
        )
    )


def test_the_recording_stops_by_itself_at_three_minutes(studio: Studio, visit: Visiting) -> None:
    """With a clock that runs ahead: nobody waits three minutes for a test."""
    student = visit("student")
    student.page.clock.install()
    page, recorder = ready(student)
    recorder.get_by_role("button", name="Record").click()
    expect(recorder).to_have_attribute("data-state", "recording")
    page.wait_for_timeout(1_200)  # one real second: the recorder has something to give
    page.clock.fast_forward("02:50")
    expect(recorder).to_have_attribute("data-state", "recording")
    page.clock.fast_forward("00:20")
    expect(recorder).to_have_attribute("data-state", "review")
    recorder.get_by_role("button", name="Send").click()
    expect(recorder).to_have_attribute("data-state", "sent", timeout=15_000)
    assert take_of(studio)["duration_seconds"] == 180


def test_the_network_fails_half_way_and_a_fresh_address_carries_it(
    studio: Studio, visit: Visiting
) -> None:
    """The first PUT is cut off, the second finds its address expired, the third arrives."""
    student = visit("student")
    student.expected += ["ERR_", "403"]
    page, recorder = ready(student)
    record(student, recorder, 2)
    puts: list[str] = []

    def hinder(route: Route) -> None:
        if route.request.method != "PUT" or ".jpg" in route.request.url:
            route.continue_()
            return
        puts.append(route.request.url)
        if len(puts) == 1:
            route.abort("connectionreset")
        elif len(puts) == 2:
            route.fulfill(status=403, body="<Error><Code>AccessDenied</Code></Error>")
        else:
            route.continue_()

    page.route("**/storage/**", hinder)
    recorder.get_by_role("button", name="Send").click()
    expect(recorder).to_have_attribute("data-state", "sent", timeout=15_000)
    assert len(puts) == 3
    assert take_of(studio)["media_state"] in ("uploaded", "ready")


def test_a_recording_survives_reloads_until_it_is_confirmed(
    studio: Studio, visit: Visiting
) -> None:
    """Before it is sent, and while it can't be sent; then it leaves the device."""
    student = visit("student")
    student.expected += ["ERR_"]
    page, recorder = ready(student)
    record(student, recorder, 2)
    page.reload()
    expect(recorder).to_have_attribute("data-state", "review")
    page.route("**/storage/**", lambda route: route.abort("internetdisconnected"))
    recorder.get_by_role("button", name="Send").click()
    expect(recorder.locator("[data-part=sending-text]")).to_contain_text("kept on this device")
    assert left_on_device(page) == 1
    page.unroute("**/storage/**")
    page.reload()
    expect(recorder).to_have_attribute("data-state", "sent", timeout=15_000)
    assert left_on_device(page) == 0
    assert take_of(studio)["media_state"] in ("uploaded", "ready")


def test_a_crash_while_recording_costs_a_second_at_most(studio: Studio, visit: Visiting) -> None:
    student = visit("student")
    page, recorder = ready(student)
    recorder.get_by_role("button", name="Record").click()
    student.until("document.querySelector('[data-part=countdown]').textContent <= '2:56'")
    page.close()  # as a crash does: nobody is asked
    student.page = student.context.new_page()
    page = student.go("/record")
    recorder = page.locator("[data-part=recorder]")
    expect(recorder).to_have_attribute("data-state", "review")
    recorder.get_by_role("button", name="Send").click()
    expect(recorder).to_have_attribute("data-state", "sent", timeout=15_000)
    assert int(str(take_of(studio)["duration_seconds"])) >= 3


def test_without_a_camera_a_file_can_be_chosen(
    studio: Studio, visit: Visiting, tmp_path: Path
) -> None:
    student = visit("student", permissions=[])
    student.page.add_init_script(
        """navigator.mediaDevices.getUserMedia = () =>
             Promise.reject(new DOMException("no", "NotAllowedError"));"""
    )
    page = student.go("/record")
    recorder = page.locator("[data-part=recorder]")
    expect(recorder).to_have_attribute("data-state", "blocked")
    expect(recorder.locator("[data-part=message]")).to_contain_text("Allow both")
    recorder.locator("[data-part=file]").set_input_files(make_clip(tmp_path / "a.mp4", seconds=2))
    expect(recorder).to_have_attribute("data-state", "review")
    recorder.get_by_role("button", name="Send").click()
    expect(recorder).to_have_attribute("data-state", "sent", timeout=15_000)
    assert take_of(studio)["duration_seconds"] == 2
