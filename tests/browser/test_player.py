"""The player in a real browser: what is seen, heard and reached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.clips import READ_FRAME, make_clip
from tests.browser.recital import wait_for_derivatives
from tests.browser.studio import Studio, Visit, visiting

pytestmark = pytest.mark.real("chromium")
Visiting = Callable[..., Visit]
FPS = 30
VIDEO = "document.querySelector('[data-part=video]')"
#: Plays until a moment, and stops there.
PLAY_UNTIL = """(video, seconds) => new Promise(resolve => {
  video.addEventListener("timeupdate", function stop() {
    if (video.currentTime < seconds) return;
    video.removeEventListener("timeupdate", stop);
    resolve();
  });
  video.play();
})"""


def frame_of(visit: Visit) -> int:
    """The number of the frame on the screen, once no seek is under way."""
    visit.until(f"!{VIDEO}.seeking && {VIDEO}.readyState >= 2")
    visit.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 40)))")
    return int(visit.video(READ_FRAME))


def dots(page: Page) -> Any:
    """The markers on the scrubber."""
    return page.locator(".dot")


def test_the_take_plays_with_a_picture_and_sound(studio: Studio, visit: Visiting) -> None:
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
                  heard: video.webkitAudioDecodedByteCount,
                  brightest: Math.max(...pixels.filter((_, at) => at % 4 !== 3))};
        }"""
    )
    assert facts["width"] > 0
    assert facts["ready"] >= 2
    assert facts["brightest"] > 60
    assert facts["heard"] > 0
    page.keyboard.press("k")
    assert teacher.video("video => video.paused")


@pytest.mark.parametrize("seconds", [0.9, 2.35, 4.02])
def test_a_marker_is_found_again_within_one_frame(
    studio: Studio, visit: Visiting, seconds: float
) -> None:
    """Typing stops the take; the frame one saw is the frame its dot leads to (suite 2)."""
    teacher = visit("teacher")
    page = teacher.open_take(studio.take())
    page.locator("[data-part=video]").evaluate(PLAY_UNTIL, seconds)
    page.keyboard.press("m")
    page.keyboard.type("you speed up")
    assert teacher.video("video => video.paused")
    meant = frame_of(teacher)
    page.keyboard.press("Enter")
    expect(dots(page)).to_have_count(1)
    teacher.until(f"!{VIDEO}.paused")  # saved, and on it goes
    page.keyboard.press("Space")
    page.keyboard.press("Control+Home")
    page.locator("[data-part=track]").press("Home")
    teacher.video(
        """video => { video.requestVideoFrameCallback((_now, {mediaTime}) => {
          window.landed = mediaTime; }); }"""
    )
    dots(page).click()
    landed = frame_of(teacher)
    media_time = page.evaluate("window.landed")
    assert abs(landed - meant) <= 1
    assert round(media_time * FPS) in range(landed - 1, landed + 2)
    assert teacher.video("video => video.paused")
    assert "marker=" in page.url


@pytest.mark.parametrize("derivatives", ["on", "off"])
def test_the_frame_is_found_at_another_rate_too(
    make_studio: Callable[..., Studio],
    chromium: Browser,
    tmp_path: Path,
    derivatives: str,
) -> None:
    """24 frames a second, whether or not the server has told of it yet."""
    studio = make_studio(derivatives=derivatives)
    take = studio.take(clip=make_clip(tmp_path / "film.mp4", seconds=5, fps=24), duration_seconds=5)
    if derivatives == "on":
        wait_for_derivatives(studio)
    with visiting(chromium, studio, "teacher") as teacher:
        page = teacher.open_take(take)
        page.locator("[data-part=video]").evaluate(PLAY_UNTIL, 1.7)
        page.keyboard.press("m")
        page.keyboard.type("here")
        meant = frame_of(teacher)
        page.keyboard.press("Enter")
        expect(dots(page)).to_have_count(1)
        page.keyboard.press("Space")
        page.locator("[data-part=track]").press("Home")
        dots(page).click()
        landed = frame_of(teacher)
        assert abs(landed - meant) <= 1
        if derivatives == "on":
            page.keyboard.press(".")
            assert frame_of(teacher) - landed == 1


def test_the_address_of_a_marker_leads_to_it(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    marker = studio.mark("teacher", take, 5_400, "Here")
    studio.mark("teacher", take, 9_000, "Later")
    student = visit("student")
    page = student.open_take(take, f"?t=5400&marker={marker}")
    expect(page.locator(f'.moment[data-marker-id="{marker}"]')).to_have_attribute(
        "aria-current", "true"
    )
    assert frame_of(student) == int(5.4 * FPS)
    expect(page.locator("[data-part=clock]")).to_have_text("0:05.4")


def test_a_loop_comes_round_three_times(studio: Studio, visit: Visiting) -> None:
    """From B to A, again and again, and never far past B (suite 3)."""
    teacher = visit("teacher")
    page = teacher.open_take(studio.take(), "?t=1000")
    page.keyboard.press("i")
    for _ in range(12):
        page.keyboard.press(".")
    page.keyboard.press("o")
    expect(page.get_by_role("slider", name="Loop begins")).to_be_visible()
    out_point = teacher.video("video => video.currentTime")
    teacher.video(
        """video => {
          window.rounds = 0; window.furthest = 0;
          let last = 0;
          video.addEventListener("seeking", () => { window.rounds += 1; });
          const look = () => {
            window.furthest = Math.max(window.furthest, video.currentTime);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    page.keyboard.press("Space")
    teacher.until("window.rounds >= 3", seconds=8)
    assert page.evaluate("window.furthest") < out_point + 0.15
    page.keyboard.press("\\")
    teacher.until(f"{VIDEO}.currentTime > {out_point + 0.3}")


def test_the_ends_of_a_loop_move_by_frames_and_a_marker_can_be_looped(
    studio: Studio, visit: Visiting
) -> None:
    take = studio.take()
    studio.mark("teacher", take, 2_000, "This passage", end_ms=2_600)
    teacher = visit("teacher")
    page = teacher.open_take(take)
    page.get_by_role("button", name="Loop this marker").click()
    teacher.until(f"!{VIDEO}.paused && {VIDEO}.currentTime >= 2")
    page.keyboard.press("Space")
    begin = page.get_by_role("slider", name="Loop begins")
    before = int(begin.get_attribute("aria-valuenow") or 0)
    begin.press("ArrowRight")
    assert int(begin.get_attribute("aria-valuenow") or 0) - before in (33, 34)
    begin.press("ArrowLeft")
    assert int(begin.get_attribute("aria-valuenow") or 0) == before


def test_speed_keeps_the_pitch(studio: Studio, visit: Visiting) -> None:
    """Half as fast, and the tone of 250 Hz is one of 250 Hz still (suite 4)."""
    teacher = visit("teacher")
    page = teacher.open_take(studio.take())
    for key in ("-", "-"):
        page.keyboard.press(key)
    expect(page.locator("[data-part=speed-badge]")).to_have_text("0.5×")
    page.keyboard.press("Shift+>")
    expect(page.locator("[data-part=speed-badge]")).to_have_text("0.55×")
    page.keyboard.press("Shift+<")
    assert teacher.video("video => [video.playbackRate, video.preservesPitch]") == [0.5, True]
    page.keyboard.press("Space")
    hertz = teacher.video(
        """async video => {
          const audio = new AudioContext();
          const analyser = audio.createAnalyser();
          analyser.fftSize = 8192;
          audio.createMediaElementSource(video).connect(analyser);
          analyser.connect(audio.destination);
          const levels = new Float32Array(analyser.frequencyBinCount);
          const found = [];
          for (let look = 0; look < 12; look += 1) {
            await new Promise(done => setTimeout(done, 100));
            analyser.getFloatFrequencyData(levels);
            const loudest = levels.indexOf(Math.max(...levels));
            if (levels[loudest] > -60) found.push(loudest * audio.sampleRate / analyser.fftSize);
          }
          return found.sort((a, b) => a - b)[Math.floor(found.length / 2)];
        }"""
    )
    assert 230 < hertz < 270
    page.keyboard.press("0")
    expect(page.locator("[data-part=speed-badge]")).to_be_hidden()


def test_frames_are_stepped_one_by_one(studio: Studio, visit: Visiting) -> None:
    teacher = visit("teacher")
    page = teacher.open_take(studio.take(), "?t=3000")
    first = frame_of(teacher)
    seen = []
    for key in (".", ".", ",", ".", "."):
        page.keyboard.press(key)
        seen.append(frame_of(teacher) - first)
    assert seen == [1, 2, 1, 2, 3]


def test_what_is_typed_survives_a_reload(studio: Studio, visit: Visiting) -> None:
    """In the marker box and in the reply bar (suite 7)."""
    take = studio.take()
    teacher = visit("teacher")
    page = teacher.open_take(take, "?t=4000")
    page.keyboard.press("m")
    page.keyboard.type("listen to the bass")
    page.locator("label.kind.is-praise").click()
    page.locator("#reply-text").fill("See you on Tues")
    page.reload()
    expect(page.locator("#marker-text")).to_have_value("listen to the bass")
    expect(page.locator("[data-part=composer] [data-part=time]")).to_have_value("0:04.0")
    expect(page.locator('input[value="praise"]')).to_be_checked()
    expect(page.locator("#reply-text")).to_have_value("See you on Tues")
    page.locator("#marker-text").press("Enter")
    expect(dots(page)).to_have_count(1)
    [marker] = studio.ask("teacher", "GET", f"/video-submissions/{take}/markers")
    assert (marker["text"], marker["marker_type"]) == ("listen to the bass", "praise")
    assert abs(marker["timestamp_ms"] - 4_000) <= 34


def test_a_marker_made_offline_is_sent_once_when_the_network_is_back(
    studio: Studio, visit: Visiting
) -> None:
    take = studio.take()
    teacher = visit("teacher")
    teacher.expected += ["ERR_INTERNET_DISCONNECTED"]
    page = teacher.open_take(take, "?t=2000")
    teacher.context.set_offline(True)
    expect(page.locator("[data-offline]")).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.type("made on the tram")
    page.keyboard.press("Enter")
    expect(page.locator(".moment.is-pending")).to_have_count(1)
    page.locator("#reply-text").fill("and this too")
    page.locator("#reply-text").press("Enter")
    expect(page.locator(".bubble.is-pending")).to_have_count(1)
    teacher.context.set_offline(False)
    expect(page.locator(".moment.is-pending")).to_have_count(0)
    expect(page.locator(".bubble.is-pending")).to_have_count(0)
    markers = studio.ask("student", "GET", f"/video-submissions/{take}/markers")
    messages = studio.ask("student", "GET", f"/video-submissions/{take}/messages")
    assert [marker["text"] for marker in markers] == ["made on the tram"]
    assert [message["text"] for message in messages] == ["and this too"]


def test_an_expired_link_is_renewed_once(studio: Studio, visit: Visiting) -> None:
    """The take plays as if nothing had been; no more than one fresh link (suite 8)."""
    teacher = visit("teacher")
    teacher.expected += ["403"]
    asked: list[str] = []
    page = teacher.page

    # By what was asked, not by the address: two links of one second are the same.
    def refuse_first(route: Route) -> None:
        if len(asked) < 2:
            route.fulfill(status=403, body="<Error><Code>AccessDenied</Code></Error>")
        else:
            route.continue_()

    page.route("**/storage/**/*.mp4?*", refuse_first)
    page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/video-url") else None)
    # What becomes of the take meanwhile is a reason of its own to ask for links.
    take = studio.take()
    wait_for_derivatives(studio)
    teacher.open_take(take)
    page.keyboard.press("Space")
    teacher.until(f"{VIDEO}.currentTime > 0.3 && {VIDEO}.videoWidth > 0")
    assert len(asked) == 2


def test_a_link_that_stays_broken_is_no_endless_loop(studio: Studio, visit: Visiting) -> None:
    teacher = visit("teacher")
    teacher.expected += ["403"]
    asked: list[str] = []
    page = teacher.page
    page.route("**/storage/**/*.mp4?*", lambda route: route.fulfill(status=403, body="no"))
    page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/video-url") else None)
    take = studio.take()
    wait_for_derivatives(studio)
    teacher.go(f"/v/{take}")
    page.locator('[data-media="failed"]').wait_for()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert len(asked) == 2


def test_sound_without_a_picture_is_said_to_be_unplayable(
    studio: Studio, visit: Visiting, tmp_path: Path
) -> None:
    """`mpeg4` video plays its sound, has no width and raises no error (B-52)."""
    clip = make_clip(tmp_path / "mp4v.mp4", seconds=2, codec="mpeg4")
    teacher = visit("teacher")
    page = teacher.go(f"/v/{studio.take(clip=clip, duration_seconds=2)}")
    page.locator('[data-media="unsupported"]').wait_for()
    link = page.get_by_role("link", name="Download it")
    with page.expect_download() as download:
        link.click()
    assert download.value.path().stat().st_size == clip.stat().st_size


def test_a_take_on_its_way_appears_by_itself(studio: Studio, visit: Visiting) -> None:
    data = studio.clip.read_bytes()
    take = studio.take(upload=False, sha256=None, size_bytes=len(data))
    teacher = visit("teacher")
    teacher.expected += ["409"]
    page = teacher.go(f"/v/{take}")
    page.locator('[data-media="on_the_way"]').wait_for()
    expect(page.locator("[data-part=cover-text]")).to_contain_text("on the way")
    composer = page.locator("[data-part=composer]")
    assert composer.evaluate("form => form.inert")  # there is no moment to point at yet
    target = studio.ask("student", "GET", f"/video-submissions/{take}/upload-url")
    studio.upload("student", {**target, "submission": {"id": take}}, data)
    page.locator('[data-media="ready"]').wait_for(timeout=4_000)
    assert not composer.evaluate("form => form.inert")


def test_a_take_deleted_while_one_looks_is_gone_at_once(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    teacher = visit("teacher")
    teacher.expected += ["410"]
    page = teacher.open_take(take)
    teacher.until("document.documentElement.dataset.live === 'on'")
    studio.ask("student", "DELETE", f"/video-submissions/{take}")
    page.locator('[data-media="deleted"]').wait_for(timeout=4_000)
    expect(page.locator("[data-part=cover-text]")).to_have_text("This take was deleted.")


def test_the_marker_that_is_playing_is_lit(studio: Studio, visit: Visiting) -> None:
    """Within 100 ms of its moment, in the list and on the line."""
    take = studio.take()
    marker = studio.mark("teacher", take, 1_500, "now")
    student = visit("student")
    page = student.open_take(take, "?t=900")
    student.video(
        """video => {
          window.litAt = null;
          const item = document.querySelector(".moment");
          new MutationObserver(() => {
            if (item.classList.contains("is-active")) window.litAt ??= video.currentTime;
          }).observe(item, {attributeFilter: ["class"]});
        }"""
    )
    page.keyboard.press("Space")
    lit_at = student.until("window.litAt")
    assert 1.5 <= lit_at < 1.6
    expect(page.locator(f'.dot[data-marker-id="{marker}"]')).to_have_class(
        "dot is-feedback is-open is-active"
    )


def test_a_pedal_and_other_keys_walk_through_the_markers(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    for ms in (2_000, 4_000, 6_000):
        studio.mark("teacher", take, ms, f"at {ms}")
    teacher = visit("teacher")
    page = teacher.open_take(take)
    expect(dots(page)).to_have_count(3)
    selected = page.locator(".moment.is-selected .moment-text")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(selected).to_have_text("at 4000")
    page.keyboard.press("PageUp")
    expect(selected).to_have_text("at 2000")
    page.evaluate(
        """() => localStorage.setItem("cadenza.keys",
             JSON.stringify({keys: {nextMarker: ["B"]}}))"""
    )
    page.reload()
    page.locator('[data-media="ready"]').wait_for()
    page.keyboard.press("b")
    expect(selected).to_have_text("at 4000")  # the address still says 2000: the next one
    page.keyboard.press("PageDown")
    expect(selected).to_have_text("at 4000")  # the pedal was mapped away


def test_letters_are_no_commands_while_one_writes(studio: Studio, visit: Visiting) -> None:
    take = studio.take()
    teacher = visit("teacher")
    page = teacher.open_take(take)
    page.keyboard.press("m")
    page.keyboard.type("jkl e 123 ?")
    expect(page.locator("#marker-text")).to_have_value("jkl e 123 ?")
    assert studio.ask("teacher", "GET", f"/video-submissions/{take}")["reviewed_at"] is None
    page.keyboard.press("Escape")
    expect(page.locator("#marker-text")).to_have_value("")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    assert studio.ask("teacher", "GET", f"/video-submissions/{take}")["reviewed_at"] is None


def test_strangers_and_deleted_takes_get_a_page_that_says_so(
    studio: Studio, visit: Visiting
) -> None:
    take = studio.take()
    for name in ("stranger", "other_teacher", "second"):
        other = visit(name)
        other.expected += ["403"]
        page = other.go(f"/v/{take}")
        expect(page.locator("h1")).to_have_text("This is not yours to see")
        assert page.evaluate("fetch(location.pathname).then(r => r.status)") == 403
    studio.ask("student", "DELETE", f"/video-submissions/{take}")
    student = visit("student")
    student.expected += ["410"]
    expect(student.go(f"/v/{take}").locator("h1")).to_have_text("This take was deleted")
    nobody = visit(None)
    assert "/login?next=" in nobody.go(f"/v/{take}").url
