"""The player and the recorder in every state they can be in."""

from __future__ import annotations

from playwright.sync_api import Page, Route

from tests.browser.recital import Recital
from tests.browser.state import Arrange, State
from tests.browser.studio import Visit

_VIDEO = "document.querySelector('[data-part=video]')"


def _take(name: str = "question", query: str = "") -> Arrange:
    """Open a take and wait until its picture, its sound's shape and its markers are there."""

    def go(visit: Visit, recital: Recital) -> None:
        page = visit.open_take(recital.ids[name], query)
        if name == "question":  # its clip is longer in the docs' pictures than in the tests
            visit.video("video => { video.currentTime = video.duration * 0.365; }")
        visit.until(f"!{_VIDEO}.seeking && {_VIDEO}.readyState >= 2")
        page.wait_for_load_state("networkidle")

    return go


def _then(*keys: str, typed: str = "", wait: str = "") -> Arrange:
    """A take, and some keys after it."""

    def go(visit: Visit, recital: Recital) -> None:
        _take()(visit, recital)
        for key in keys:
            visit.page.keyboard.press(key)
        if typed:
            visit.page.keyboard.type(typed)
        if wait:
            visit.page.locator(wait).first.wait_for()

    return go


def _marker(visit: Visit, recital: Recital) -> None:
    _take()(visit, recital)
    visit.page.locator(".dot.is-feedback").click()
    visit.until(f"!{_VIDEO}.seeking")


def _loop(visit: Visit, recital: Recital) -> None:
    _take()(visit, recital)
    visit.page.get_by_role("button", name="Loop this marker").nth(1).click()
    visit.page.keyboard.press("-")
    visit.page.keyboard.press("Space")


def _hover(visit: Visit, recital: Recital) -> None:
    _take()(visit, recital)
    _point(visit)


def _point(visit: Visit) -> None:
    """The pointer over the line, coming from elsewhere."""
    visit.page.mouse.move(5, 5)
    box = visit.page.locator("[data-part=track]").bounding_box()
    assert box
    visit.page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + box["height"] / 2)
    visit.page.locator(".scrubber-preview").wait_for()


def _more(visit: Visit, recital: Recital) -> None:
    _take()(visit, recital)
    visit.page.get_by_label("More about this take").click()


def _trail(visit: Visit, recital: Recital) -> None:
    _more(visit, recital)
    visit.page.get_by_role("button", name="What happened to it").click()
    visit.page.locator("[data-part=trail] time").first.wait_for()


def _offline(visit: Visit, recital: Recital) -> None:
    _take()(visit, recital)
    visit.context.set_offline(True)
    visit.page.keyboard.press("m")
    visit.page.keyboard.type("Written on the tram")
    visit.page.keyboard.press("Enter")
    visit.page.locator(".moment.is-pending").wait_for()


def _cover(name: str, state: str, *, broken: bool = False) -> Arrange:
    """A take whose picture can't be shown."""

    def refuse(route: Route) -> None:
        route.fulfill(status=403, body="no")

    def go(visit: Visit, recital: Recital) -> None:
        if broken:
            visit.page.route("**/storage/**/*.mp4?*", refuse)
        visit.go(f"/v/{recital.ids[name]}")
        visit.page.locator(f'[data-media="{state}"]').wait_for()

    return go


def _recorder(visit: Visit) -> Page:
    page = visit.go("/record")
    page.locator('[data-part=recorder][data-state="ready"]').wait_for()
    visit.until("document.querySelector('[data-part=preview]').videoWidth > 0")
    return page


def _reviewed(visit: Visit, recital: Recital) -> None:
    """Opened again and reviewed again: the week stays as it was."""
    _take("done", "?t=2000")(visit, recital)
    visit.page.keyboard.press("e")
    visit.page.locator("[data-part=waiting-badge]").wait_for()
    visit.page.keyboard.press("e")
    visit.page.locator(".toast", has_text="Marked as reviewed").wait_for()


def _answered(visit: Visit, recital: Recital) -> None:
    """Looked at without being read: the week stays as it was."""
    visit.page.route("**/messages/*/read", lambda route: route.fulfill(status=409, body="{}"))
    _take("done", "?t=2000")(visit, recital)


def _watching_reply(visit: Visit, recital: Recital) -> None:
    """A reply on the stage, at a marker; looked at without being read."""
    visit.page.route("**/messages/*/read", lambda route: route.fulfill(status=409, body="{}"))
    query = f"?message={recital.ids['reply']}&t=5000&marker={recital.ids['reply-marker']}"
    _take("done", query)(visit, recital)
    visit.page.locator("[data-part=watching]").wait_for()
    visit.page.locator('.moment[aria-current="true"]').wait_for()


def _record_ready(visit: Visit, _recital: Recital) -> None:
    _recorder(visit)


def _recording(visit: Visit, _recital: Recital) -> None:
    page = _recorder(visit)
    page.get_by_role("button", name="Record").click()
    visit.until("document.querySelector('[data-part=countdown]').textContent <= '2:58'")


def _recorded(visit: Visit, recital: Recital) -> None:
    _recording(visit, recital)
    visit.page.get_by_role("button", name="Stop").click()
    visit.page.locator('[data-part=recorder][data-state="review"]').wait_for()
    visit.until("document.querySelector('[data-part=playback]').readyState >= 2")


def _blocked(visit: Visit, _recital: Recital) -> None:
    visit.page.add_init_script(
        """navigator.mediaDevices.getUserMedia = () =>
             Promise.reject(new DOMException("no", "NotAllowedError"));"""
    )
    visit.go("/record")
    visit.page.locator('[data-part=recorder][data-state="blocked"]').wait_for()


def _reply(visit: Visit, recital: Recital) -> None:
    _take()(visit, recital)
    visit.page.get_by_role("button", name="Record a reply").click()
    visit.page.locator('[data-part=recorder][data-state="ready"]').wait_for()


PLAYER_STATES: tuple[State, ...] = (
    State("take", "teacher", _take(), "A take: its sound, its markers, the conversation"),
    State("take-student", "student", _answered, "The student reads the answer", ("409",)),
    State("reply-watched", "student", _watching_reply, "A reply, watched like a take", ("409",)),
    State("take-bare", "teacher", _take("short", ""), "A take nobody has said anything about"),
    State("marker", "teacher", _marker, "A marker, and the moment it points at"),
    State("composer", "teacher", _then("m", typed="Keep the bow moving"), "Typing pauses the take"),
    State("loop", "teacher", _loop, "A passage, again and again, a little slower"),
    State("storyboard", "teacher", _hover, "What is there, before one goes there", again=_point),
    State("take-menu", "teacher", _more, "More about a take"),
    State("trail", "teacher", _trail, "What happened to a take"),
    State("keys", "teacher", _then("?", wait="dialog[open]"), "The player's keys"),
    State("reviewed", "teacher", _reviewed, "Reviewed, and how to take it back"),
    State("take-offline", "teacher", _offline, "Nothing typed is lost", ("ERR_INTERNET",)),
    State("on-the-way", "student", _cover("sending", "on_the_way"), "On its way", ("409",)),
    State(
        "broken", "teacher", _cover("question", "failed", broken=True), "It can't be had", ("403",)
    ),
    State("record", "student", _record_ready, "Before recording"),
    State("recording", "student", _recording, "Recording, with the time that is left"),
    State("recorded", "student", _recorded, "Recorded: look at it, then send it"),
    State("record-blocked", "student", _blocked, "The camera is blocked"),
    State("reply", "teacher", _reply, "A demonstration as the answer"),
)
