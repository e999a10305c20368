"""Every page but the player: for the eye, for the keyboard, for a screen reader, at any width."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from cadenza_server.tables import MediaAsset, VideoSubmission
from tests.browser.recital import Recital
from tests.browser.state import State
from tests.browser.states import STATES
from tests.browser.studio import Studio, Visit, visiting

pytestmark = pytest.mark.real("chromium")
Visiting = Callable[..., Visit]
SERIOUS = {"serious", "critical"}
PHONE = {"width": 360, "height": 740}


@contextmanager
def shown(browser: Browser, recital: Recital, state: State, **options: Any) -> Iterator[Page]:
    """A browser that looks at one state of one page; checked for errors at the end."""
    with visiting(browser, recital.studio, state.who, **options) as visit:
        visit.expected += state.expected
        state.arrange(visit, recital)
        visit.page.wait_for_timeout(250)
        yield visit.page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_the_audit_finds_nothing_serious(
    chromium: Browser, recital: Recital, state: State, theme: str
) -> None:
    """axe-core: names, roles, contrast, landmarks."""
    options = {"color_scheme": theme, "reduced_motion": "reduce"}
    with shown(chromium, recital, state, **options) as page:
        found = Axe().run(page).response["violations"]
    bad = [one for one in found if one["impact"] in SERIOUS]
    lines = [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:4])
        for one in bad
    ]
    assert not bad, "\n".join(lines)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_nothing_sticks_out_at_360_pixels(
    chromium: Browser, recital: Recital, state: State
) -> None:
    with shown(chromium, recital, state, viewport=PHONE) as page:
        wide = page.evaluate("document.documentElement.scrollWidth")
        culprits = page.evaluate(
            """[...document.querySelectorAll("main *")].filter((one) => {
                 const box = one.getBoundingClientRect();
                 return box.width && box.right > innerWidth + 1;
               }).slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"""
        )
    assert wide <= PHONE["width"], culprits


def test_the_inbox_is_walked_by_keys_alone(chromium: Browser, recital: Recital) -> None:
    with visiting(chromium, recital.studio, "teacher") as visit:
        page = visit.go("/inbox")
        focused = "document.activeElement.id"
        ids = page.eval_on_selector_all("[data-walk] [data-row]", "rows => rows.map(r => r.id)")
        assert ids[0] == f"take-{recital.ids['question']}"  # questions first
        assert ids[1] == f"take-{recital.ids['late']}"  # then who has waited longest
        for key, place in [
            ("ArrowDown", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("ArrowUp", 0),
            ("End", -1), ("j", -1), ("Home", 0),
        ]:  # fmt: skip
            page.keyboard.press(key)
            assert page.evaluate(focused) == ids[place], key
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/v/{recital.ids['question']}*")


def test_single_keys_can_be_switched_off(chromium: Browser, recital: Recital) -> None:
    """WCAG 2.1.4: somebody who dictates must not walk away by saying "j"."""
    with visiting(chromium, recital.studio, "teacher") as visit:
        page = visit.go("/settings")
        page.locator("[data-keys-on]").uncheck()
        visit.go("/inbox")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.tagName") == "BODY"
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.hasAttribute('data-row')")


def test_the_first_tab_skips_the_navigation(chromium: Browser, recital: Recital) -> None:
    with visiting(chromium, recital.studio, "teacher") as visit:
        page = visit.go("/inbox")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()


def test_the_pointer_looks_into_a_take(chromium: Browser, recital: Recital) -> None:
    with visiting(chromium, recital.studio, "teacher") as visit:
        page = visit.go("/inbox")
        thumb = page.locator(f"#take-{recital.ids['question']} .thumb[data-storyboard]")
        box = thumb.bounding_box()
        assert box is not None
        places = []
        for share in (0.1, 0.9):
            page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
            picture = thumb.locator(".thumb-scrub > span")
            places.append(picture.evaluate("one => one.style.backgroundPosition"))
        assert places[0] != places[1]
        url = thumb.get_attribute("data-storyboard")
        assert httpx.get(url or "").headers["content-type"] == "image/jpeg"
        page.mouse.move(1, 1)
        expect(thumb.locator(".thumb-scrub")).to_have_count(0)


def test_filters_change_what_is_shown_and_the_address(chromium: Browser, recital: Recital) -> None:
    with visiting(chromium, recital.studio, "teacher") as visit:
        page = visit.go("/inbox")
        page.locator("#student").select_option(label="Mina Sato")
        page.wait_for_url("**/inbox?student=*")
        expect(page.locator("[data-row]")).to_have_count(2)
        page.get_by_role("link", name="Piece").click()
        expect(page.get_by_role("heading", name="Kreutzer, Étude No. 2")).to_be_visible()
        page.get_by_text("Questions").click()
        expect(page.get_by_text("Nothing here with this filter")).to_be_visible()


def test_a_new_take_appears_within_two_seconds_and_keeps_the_focus(
    studio: Studio, visit: Visiting
) -> None:
    first = studio.take("second", notes="the first")
    teacher = visit("teacher")
    page = teacher.go("/inbox")
    teacher.until("document.documentElement.dataset.live === 'on'")
    assert page.title() == "(1) Inbox · Cadenza"
    page.keyboard.press("ArrowDown")
    second = studio.take("third", notes="the second")
    started = time.monotonic()
    page.locator(f"#take-{second}").wait_for()
    assert time.monotonic() - started < 2
    assert page.title() == "(2) Inbox · Cadenza"
    assert page.evaluate("document.activeElement.id") == f"take-{first}"
    expect(page.locator("nav [data-count=waiting]")).to_contain_text("2")
    studio.mark("second", first, 1000, "Is this too fast?", marker_type="question")
    expect(page.get_by_role("heading", name="Questions first")).to_be_visible(timeout=2000)
    studio.ask("teacher", "PATCH", f"/video-submissions/{first}/reviewed")
    expect(page.locator(f"#take-{first}")).to_have_count(0, timeout=2000)
    assert page.evaluate("document.activeElement.id") == f"take-{second}"


def test_the_student_hears_of_the_review_within_two_seconds(
    studio: Studio, visit: Visiting
) -> None:
    take = studio.take("student")
    student = visit("student")
    page = student.go("/")
    student.until("document.documentElement.dataset.live === 'on'")
    status = page.locator(f"#take-{take} [data-status]")
    expect(status).to_have_text(re.compile("Sent"))
    studio.ask("teacher", "PATCH", f"/video-submissions/{take}/reviewed")
    expect(status).to_have_text(re.compile("Reviewed"), timeout=2000)
    expect(page.locator(".toast")).to_contain_text("Tessa Moreno reviewed your take")
    studio.say("teacher", take, "Lovely.")
    studio.say("teacher", take, "And once more, slower.")
    expect(status).to_have_text(re.compile(r"New reply \(2\)"), timeout=2000)


def test_two_tabs_share_one_stream(studio: Studio, visit: Visiting) -> None:
    """A browser keeps six connections to a server: seven tabs must not wait for one another."""
    student = visit("student")
    streams: list[str] = []
    student.context.on(
        "request", lambda one: streams.append(one.url) if "/events/stream" in one.url else None
    )
    student.go("/")
    student.until("document.documentElement.dataset.live === 'on'")
    second = student.context.new_page()
    second.goto(f"{studio.url}/")
    take = studio.take("student")
    for page in (student.page, second):
        page.locator(f"#take-{take}").wait_for(timeout=3000)
    assert len(streams) == 1


def test_notifications_are_read_one_by_one_or_all_at_once(studio: Studio, visit: Visiting) -> None:
    takes = [studio.take(name) for name in ("student", "second", "third")]
    teacher = visit("teacher")
    page = teacher.go("/notifications")
    unread = page.locator("[data-notice].is-unread")
    expect(unread).to_have_count(3)
    expect(page).to_have_title("(3) Notifications · Cadenza")
    unread.last.click()
    page.wait_for_url(f"**/v/{takes[0]}*")
    page.go_back()
    page.reload()
    expect(unread).to_have_count(2)
    page.get_by_role("button", name="Mark all as read").click()
    expect(unread).to_have_count(0)
    expect(page.locator("[data-count=unread]")).to_have_count(0)


def test_the_theme_is_kept_and_right_from_the_first_picture(
    chromium: Browser, recital: Recital
) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    with visiting(chromium, recital.studio, "student", color_scheme="light") as visit:
        page = visit.go("/settings")
        light = page.evaluate(ground)
        page.get_by_text("Dark", exact=True).click()
        dark = page.evaluate(ground)
        assert light != dark
        assert 'data-theme="dark"' in page.goto(f"{visit.url}/").text()  # type: ignore[union-attr]
        assert page.evaluate(ground) == dark


def test_a_key_is_given_to_another_action_and_kept(chromium: Browser, recital: Recital) -> None:
    with visiting(chromium, recital.studio, "teacher") as visit:
        page = visit.go("/settings")
        page.get_by_role("button", name="Change the key of: Next marker").click()
        page.keyboard.press("PageDown")
        page.get_by_role("button", name="Change the key of: Add a marker").click()
        page.keyboard.press("PageDown")
        saved = json.loads(page.evaluate("localStorage.getItem('cadenza.keys')"))
        assert saved["keys"] == {"nextMarker": [], "mark": ["PageDown"]}
        page.get_by_role("button", name="Change the key of: Add a marker").click()
        page.keyboard.press("Escape")
        expect(page.locator("[data-keys-said]")).to_have_text("Left as it was.")
        page.reload()
        row = page.locator("[data-keys] li", has_text="Add a marker")
        expect(row.locator("kbd")).to_have_text("Page ↓")
        page.get_by_role("button", name="As they were").click()
        expect(row.locator("kbd")).to_have_text("M")


def test_a_routine_is_assigned_on_the_students_page(studio: Studio, visit: Visiting) -> None:
    studio.ask("teacher", "POST", "/routines", {"title": "Slow week"})
    teacher = visit("teacher")
    page = teacher.go(f"/students/{studio.ids['student']}")
    page.get_by_role("button", name="Assign").click()
    expect(page.locator(".toast")).to_contain_text("Slow week")
    expect(page.locator("#routine")).to_contain_text("Slow week")


def test_a_student_chooses_and_leaves_a_teacher(studio: Studio, visit: Visiting) -> None:
    student = visit("student")
    student.expected.append("404")
    page = student.go("/settings")
    field = page.get_by_label("Another teacher’s e-mail")
    field.fill("nobody@studio.example")
    page.get_by_role("button", name="Change the teacher").click()
    expect(page.locator("#teacher-problem")).to_have_text("No teacher has this e-mail.")
    expect(field).to_be_focused()
    page.get_by_role("button", name="Have no teacher").click()
    page.get_by_role("button", name="Cancel").click()
    assert studio.ask("student", "GET", "/users/my-teacher") is not None
    page.get_by_role("button", name="Have no teacher").click()
    page.locator("dialog").get_by_role("button", name="Have no teacher").click()
    expect(page.get_by_text("Nobody sees your takes yet")).to_be_visible()
    assert studio.ask("student", "GET", "/users/my-teacher") is None


def test_the_offline_banner_comes_and_goes(chromium: Browser, recital: Recital) -> None:
    with visiting(chromium, recital.studio, "student") as visit:
        visit.expected.append("ERR_INTERNET_DISCONNECTED")
        page = visit.go("/")
        banner = page.locator("[data-offline]")
        expect(banner).to_be_hidden()
        visit.context.set_offline(True)
        expect(banner).to_be_visible()
        visit.context.set_offline(False)
        expect(banner).to_be_hidden()


def test_signing_in_and_out_by_the_form(studio: Studio, visit: Visiting) -> None:
    nobody = visit(None)
    page = nobody.go("/students")
    page.wait_for_url("**/login?next=%2Fstudents")
    page.get_by_role("button", name="Tessa Moreno").click()
    page.wait_for_url("**/students")
    page.get_by_label("Your account: Tessa Moreno").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.go_back()
    page.wait_for_url(re.compile("/login"))


def fill_queue(studio: Studio, count: int) -> None:
    """Rows only: what the list costs does not depend on bytes in the store."""
    now = datetime.now(UTC)
    with studio.services.db.writing() as session:
        for at in range(count):
            one = uuid4()
            key = f"dev/cadenza/videos/{studio.ids['student']}/{one}"
            session.add(
                MediaAsset(
                    id=one, owner_id=studio.ids["student"], s3_key=f"{key}.mp4", state="ready",
                    thumbnail_s3_key=None, created_at=now, confirmed_at=now, size_bytes=1,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                VideoSubmission(
                    id=one, asset_id=one, user_id=studio.ids["student"], duration_seconds=45,
                    piece_id=UUID(studio.pieces["student"]), captured_at=now, created_at=now,
                    notes=f"take {at}", create_fingerprint="x",
                )
            )  # fmt: skip
        session.flush()


def test_fifty_rows_paint_within_a_second_and_a_hundred_kilobytes(
    studio: Studio, visit: Visiting
) -> None:
    fill_queue(studio, 50)
    teacher = visit("teacher")
    session = teacher.context.new_cdp_session(teacher.page)
    session.send("Network.enable")
    received: list[int] = []
    session.on("Network.loadingFinished", lambda one: received.append(one["encodedDataLength"]))
    page = teacher.go("/inbox")
    teacher.until("document.documentElement.dataset.live === 'on'")
    expect(page.locator("[data-row]")).to_have_count(50)
    assert sum(received) <= 100_000, sum(received)
    # The best of a few: what else the machine does at the moment is not the page's cost.
    first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    paints = []
    for _ in range(6):
        session.send("Network.clearBrowserCache")
        teacher.go("/inbox")
        paints.append(teacher.until(first))
    assert min(paints) < 1000, paints
