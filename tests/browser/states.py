"""Every page in every state it can be in: audited by the tests, photographed for the docs."""

from __future__ import annotations

from base64 import b64encode

from tests.browser.player_states import PLAYER_STATES
from tests.browser.recital import Recital
from tests.browser.scenes import SCENES, thumbnail
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


#: One recording that was not sent, and one that another tab has sent two fifths of.
_KEEP = """async ({id, userId, picture}) => {
  navigator.locks.request("cadenza-send", () => new Promise(() => {}));
  const {result: db} = await new Promise(resolve => {
    const request = indexedDB.open("cadenza", 1);
    request.onsuccess = () => resolve(request);
  });
  const bytes = Uint8Array.from(atob(picture), c => c.charCodeAt(0));
  const thumbnail = new Blob([bytes], {type: "image/jpeg"});
  const item = {
    kind: "take", userId, submissionId: null, refused: null, thumbnail, blob: new Blob(["x"]),
    capturedAt: new Date().toISOString(), notes: "",
  };
  const items = db.transaction("items", "readwrite").objectStore("items");
  items.put({...item, id: crypto.randomUUID(), submitted: false, durationMs: 47000});
  items.put({...item, id, submitted: true, durationMs: 104000});
  await new Promise(resolve => { items.transaction.oncomplete = resolve; });
  db.close();
  new BroadcastChannel("cadenza-vault").postMessage("changed");
  new BroadcastChannel("cadenza-sending").postMessage({id, state: "sending", share: 0.43});
}"""


def _sending(visit: Visit, recital: Recital) -> None:
    page = visit.go("/")
    picture = b64encode(thumbnail(SCENES["cello"], 2.0)).decode()
    about = {
        "id": recital.ids["sending"],
        "userId": recital.studio.ids["student"],
        "picture": picture,
    }
    page.evaluate(_KEEP, about)
    page.locator("#on-this-device .take").wait_for()
    page.get_by_text("Sending 43 %").wait_for()


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
    State("takes-sending", "student", _sending, "Takes on this device and on their way"),
    State("takes-empty", "stranger", at("/"), "Before the first take"),
    State("offline", "student", _offline, "Without network", ("ERR_INTERNET_DISCONNECTED",)),
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
