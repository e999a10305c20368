"""Every page in every state it can be in: audited by the tests, photographed for the docs."""

from __future__ import annotations

from tests.browser.player_states import PLAYER_STATES
from tests.browser.recital import Recital
from tests.browser.state import State, at
from tests.browser.studio import Visit


def _wrong_password(visit: Visit, _recital: Recital) -> None:
    page = visit.go("/login")
    page.get_by_label("E-mail").fill("sam@studio.example")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()


def _menu(visit: Visit, recital: Recital) -> None:
    at("/inbox")(visit, recital)
    visit.page.locator(".menu > summary").click()


def _toast(visit: Visit, recital: Recital) -> None:
    at("/students/{student_id}")(visit, recital)
    visit.page.locator("#assign").select_option(label="Daily half hour")
    visit.page.get_by_role("button", name="Assign").click()
    visit.page.locator(".toast").wait_for()


def _dialog(visit: Visit, _recital: Recital) -> None:
    visit.go("/settings").get_by_role("button", name="Have no teacher").click()
    visit.page.locator("dialog[open]").wait_for()


def _offline(visit: Visit, recital: Recital) -> None:
    at("/")(visit, recital)
    visit.context.set_offline(True)
    visit.page.locator("[data-offline]").wait_for()


def _watching(take: str) -> Arrange:
    """The player with its picture, markers and talk."""

    def open_it(visit: Visit, recital: Recital) -> None:
        page = visit.open_take(recital.ids[take])
        page.locator("[data-part=video]").evaluate(
            """video => new Promise(done => {
                 video.addEventListener("seeked", done, {once: true});
                 video.currentTime = video.duration * 0.3;
               })"""
        )

    return open_it


def _pointing(visit: Visit, recital: Recital) -> None:
    _watching("question")(visit, recital)
    visit.page.keyboard.press("m")
    visit.page.keyboard.type("Breathe before the upbeat")


def _keys(visit: Visit, recital: Recital) -> None:
    _watching("question")(visit, recital)
    visit.page.keyboard.press("?")
    visit.page.locator("dialog[open]").wait_for()


def _camera(visit: Visit, _recital: Recital) -> None:
    visit.go("/record").locator('[data-part=recorder][data-state="ready"]').wait_for()


def _recorded(visit: Visit, recital: Recital) -> None:
    _camera(visit, recital)
    page = visit.page
    recorder = page.locator("[data-part=recorder]")
    recorder.get_by_role("button", name="Record").click()
    page.locator('[data-part=recorder][data-state="recording"]').wait_for()
    page.wait_for_timeout(2500)
    recorder.get_by_role("button", name="Stop").click()
    page.locator('[data-part=recorder][data-state="review"]').wait_for()


STATES: tuple[State, ...] = (
    State("login", None, at("/login"), "Signing in on a development server"),
    State("login-refused", None, _wrong_password, "A wrong password, said plainly", ("401",)),
    State("login-expired", None, at("/login?expired=1&next=/inbox"), "Signed out after a while"),
    State("inbox", "teacher", at("/inbox"), "The teacher's inbox: questions first"),
    State("inbox-by-student", "teacher", at("/inbox?sort=student"), "The inbox by student"),
    State("inbox-filtered", "teacher", at("/inbox?student=999"), "A filter that leaves nothing"),
    State("inbox-empty", "other_teacher", at("/inbox"), "A teacher whose queue is empty"),
    State("menu", "teacher", _menu, "The account's menu"),
    State("students", "teacher", at("/students"), "The roster"),
    State("student", "teacher", at("/students/{student_id}"), "One student's work"),
    State("student-toast", "teacher", _toast, "A routine was assigned"),
    State("takes", "student", at("/"), "A student's own takes"),
    State("takes-empty", "stranger", at("/"), "Before the first take"),
    State("offline", "student", _offline, "Without network", ("ERR_INTERNET_DISCONNECTED",)),
    State("player", "teacher", _watching("question"), "A take: point at the moment, and answer"),
    State("player-pointing", "teacher", _pointing, "Writing at a moment: the take waits"),
    State("player-student", "student", _watching("done"), "The student reads the answer"),
    State("player-keys", "teacher", _keys, "The keys of the player"),
    State(
        "player-sending", "student", at("/v/{sending}"), "A take that is still on its way", ("409",)
    ),
    State("record", "student", _camera, "Recording in the browser"),
    State("record-review", "student", _recorded, "Listen first, then send"),
    State("notifications", "teacher", at("/notifications"), "Notifications"),
    State("notifications-empty", "stranger", at("/notifications"), "No notifications"),
    State("settings", "student", at("/settings"), "Settings"),
    State("settings-dialog", "student", _dialog, "A question before something lasting"),
    State("help", "teacher", at("/help"), "Help"),
    State("refused", "stranger", at("/v/{question}"), "A take that is not yours", ("403",)),
    State("missing", "student", at("/nowhere"), "An address without a page", ("404",)),
    State("deleted", "student", at("/v/{deleted}"), "A take that was taken back", ("410",)),
)

#: For the gallery: every page, the player's and the recorder's states among them.
EVERY_STATE: tuple[State, ...] = (*STATES, *PLAYER_STATES)
