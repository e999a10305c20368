"""The page's rules without a picture: every module that decides, asked in the browser itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from cadenza_server import ServerSettings, create_app
from cadenza_server.serving import run_in_thread

pytestmark = pytest.mark.real("chromium")
Asking = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def ask(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """`ask("player/time.js", "m => m.clamp(1, 2, 3)")`; one page for all of these tests."""
    app = create_app(ServerSettings(data_dir=tmp_path_factory.mktemp("modules")))
    with run_in_thread(app) as server:
        page = chromium.new_page()
        page.goto(f"{server.url}/login")
        base = page.locator('script[src*="/js/shell.js"]').get_attribute("src")
        assert base
        folder = base.removesuffix("shell.js")

        def ask(module: str, question: str) -> Any:
            return page.evaluate(
                f"async path => ({question})(await import(path))", f"{folder}{module}"
            )

        yield ask
        page.close()


def test_times_are_written_read_and_tied_to_frames(ask: Asking) -> None:
    written = "m => [0, 23400, 65_040, -5, 179_990].map(ms => m.formatTime(ms))"
    assert ask("player/time.js", written) == ["0:00.0", "0:23.4", "1:05.0", "0:00.0", "3:00.0"]
    read = """m => ["0:23.4", "23.4", "1:05", "2,5", "90", "1:75", "x", ""].map(m.parseTime)"""
    assert ask("player/time.js", read) == [23_400, 23_400, 65_000, 2_500, 90_000, None, None, None]
    # Every frame's middle belongs to that frame, and survives being rounded to a millisecond.
    frames = """m => [24, 25, 29.97, 30, 59.94, 60].every(fps =>
      Array.from({length: 600}, (_, n) => n).every(n => {
        const ms = Math.round(m.frameCentre(n, fps) * 1000);
        return m.frameAt(ms / 1000, fps) === n;
      }))"""
    assert ask("player/time.js", frames) is True
    steps = "m => [m.stepFrame(0, -1, 30, 12), m.stepFrame(11.99, 5, 30, 12)].map(s => s * 30)"
    assert ask("player/time.js", steps) == pytest.approx([0.5, 359.5])


def test_speed_stays_on_its_grid(ask: Asking) -> None:
    walk = """m => { const seen = []; let speed = 1;
      for (const step of [-0.25, -0.25, -0.25, -0.25, 0.05, 0.25]) {
        speed = m.changeSpeed(speed, step); seen.push(speed); }
      return [...seen, m.changeSpeed(2, 0.05), m.changeSpeed(0.55, 0.25)]; }"""
    assert ask("player/speed.js", walk) == [0.75, 0.5, 0.25, 0.25, 0.3, 0.5, 2, 0.75]
    assert ask("player/speed.js", "m => m.speedText(0.55)") == "0.55×"


def test_a_loop_has_two_ends_in_order(ask: Asking) -> None:
    assert ask(
        "player/loop.js",
        """m => {
          const from = m.setStart(m.NO_LOOP, 2);
          const loop = m.setEnd(from, 3);
          return [from.on, loop, m.setEnd(from, 2.05).end, m.setEnd(m.NO_LOOP, 4),
            m.setStart(loop, 5), m.wrapTarget(loop, 2.9), m.wrapTarget(loop, 3),
            m.wrapTarget(m.toggle(loop), 3.5), m.wrapTarget(loop, 1, {ended: true}),
            m.nudge(loop, "end", -3, 30, 12).end,
            m.nudge({...loop, end: 2.1}, "end", -1, 30, 12).end,
            m.moveEnd(loop, "start", 9, 12).start, m.moveEnd(loop, "end", 99, 12).end,
            m.loopRange(1000, null, 12), m.loopRange(1000, 1500, 12).end, m.toggle(from).on];
        }""",
    ) == [
        False, {"start": 2, "end": 3, "on": True}, None,
        {"start": 0, "end": 4, "on": True}, {"start": 5, "end": None, "on": False},
        None, 2, None, 2, pytest.approx(2.9), 2.1, 2.9, 12,
        {"start": 0, "end": 2.5, "on": True}, 1.5, False,
    ]  # fmt: skip


def test_markers_have_an_order_neighbours_and_one_that_is_lit(ask: Asking) -> None:
    markers = """[
      {id: "c", timestamp_ms: 9000, end_ms: null, created_at: "3", client_id: null},
      {id: "b", timestamp_ms: 2000, end_ms: 6000, created_at: "2", client_id: "x"},
      {id: "a", timestamp_ms: 2000, end_ms: null, created_at: "1", client_id: null}]"""
    assert ask(
        "player/markers.js",
        f"""m => {{
          const all = {markers};
          const id = marker => marker && marker.id;
          return [m.inOrder(all).map(id), id(m.neighbour(all, 2000, 1)),
            id(m.neighbour(all, 0, -1)), id(m.neighbour(all, 8000, -1)),
            id(m.neighbourOf(all, "a", 1)), id(m.neighbourOf(all, "c", 1)),
            id(m.activeAt(all, 1999)), id(m.activeAt(all, 5999)), id(m.activeAt(all, 6000)),
            m.merge(all, {{...all[1], id: "server"}}).length,
            m.placeText({{page_number: 3, measure_number: 17, measure_end: 20}}),
            m.placeText({{page_number: null, measure_number: 4, measure_end: null}}),
            m.kindsFor("student"), m.firstLine("one\\ntwo")];
        }}""",
    ) == [
        ["a", "b", "c"], "c", None, "b", "b", None, None, "b", None, 3,
        "page 3, bars 17–20", "bar 4", ["question"], "one",
    ]  # fmt: skip


def test_keys_are_read_remapped_and_switched_off(ask: Asking) -> None:
    assert ask(
        "keys.js",
        """m => {
          const none = {off: false, keys: {}};
          const press = (event, saved = none) => m.actionFor(event, saved);
          const changed = m.remap(none, "mark", ["K"]);
          const memory = {value: "{broken", getItem() { return this.value; },
                          setItem(_name, value) { this.value = value; }};
          const broken = m.readKeys(memory);
          m.writeKeys(memory, {...changed, off: true});
          return [press({key: " "}), press({key: "k"}), press({key: "<", shiftKey: true}),
            press({key: ";", shiftKey: true}), press({key: "+"}), press({key: "PageDown"}),
            press({key: "k", ctrlKey: true}), press({key: "k"}, {off: true, keys: {}}),
            press({key: "k"}, changed), press({key: "m"}, changed), press({key: " "}, changed),
            broken, m.readKeys(memory), m.shownKey("PageUp")];
        }""",
    ) == [
        "play", "play", "slower", "slower", "muchFaster", "nextMarker", None, None,
        "mark", None, "play",
        {"off": False, "keys": {}},
        {"off": True, "keys": {"play": ["Space"], "mark": ["K"]}},
        "Page ↑",
    ]  # fmt: skip


def test_no_two_actions_share_a_key(ask: Asking) -> None:
    keys = ask("keys.js", "m => m.ACTIONS.flatMap(action => action.keys)")
    assert len(keys) == len(set(keys))


def test_the_docs_name_every_key(ask: Asking) -> None:
    docs = Path(__file__).parents[2] / "docs" / "player.md"
    rows = ask(
        "keys.js",
        """m => m.ACTIONS.map(({title, keys}) =>
             `| ${title} | ${keys.map(key => "`" + m.shownKey(key) + "`").join(" ")} |`)""",
    )
    text = docs.read_text(encoding="utf-8")
    assert [row for row in rows if row not in text] == []


def test_the_outbox_keeps_what_finds_no_network_and_gives_back_what_is_refused(
    ask: Asking,
) -> None:
    assert ask(
        "player/draft.js",
        """async m => {
          const memory = new Map();
          const storage = {getItem: name => memory.get(name) ?? null,
            setItem: (name, value) => memory.set(name, value),
            removeItem: name => memory.delete(name)};
          const box = new m.Outbox(storage, "take");
          for (const id of ["a", "b", "c"]) box.add({id});
          const offline = await box.flush(item => {
            if (item.id === "b") throw {status: 0};
            return Promise.resolve(); });
          const left = box.items().map(item => item.id);
          const sent = await box.flush(item => {
            if (item.id === "b") throw {status: 422};
            return Promise.resolve(); });
          const drafts = new m.Drafts(storage, "take");
          drafts.write("reply", {text: "hello"});
          const kept = drafts.read("reply");
          drafts.write("reply", null);
          return [offline.left, left, sent.refused.map(r => r.item.id), memory.size, kept];
        }""",
    ) == [2, ["b", "c"], ["b"], 0, {"text": "hello"}]


def test_what_is_written_while_something_is_sent_goes_out_too(ask: Asking) -> None:
    """It joins the run that is under way; nobody would send it before the next event."""
    assert ask(
        "player/draft.js",
        """async m => {
          const memory = {getItem(name) { return this[name] ?? null; },
            setItem(name, value) { this[name] = value; }, removeItem(name) { delete this[name]; }};
          const outbox = new m.Outbox(memory, "t");
          const sent = [];
          const send = async item => { await null; sent.push(item.id); };
          outbox.add({id: "a"});
          const first = outbox.flush(send);
          outbox.add({id: "b"});
          const second = await outbox.flush(send);
          return [sent, second.left, outbox.items().length, first instanceof Promise];
        }""",
    ) == [["a", "b"], 0, 0, True]


def test_an_address_says_a_moment(ask: Asking) -> None:
    assert ask(
        "player/deeplink.js",
        """m => [m.readLink("?t=23400&marker=x"), m.readLink("?t=-1"), m.readLink("?t=1e9"),
          m.writeLink("?queue=1&t=5", {ms: 23400.4, markerId: "x"}),
          m.writeLink("?t=5", {ms: null, markerId: null})]""",
    ) == [
        {"ms": 23_400, "markerId": "x", "messageId": None},
        {"ms": None, "markerId": None, "messageId": None},
        {"ms": None, "markerId": None, "messageId": None}, "?queue=1&t=23400&marker=x", "",
    ]  # fmt: skip
    reply = "0b7e4f52-7d0f-4a52-9d5f-6c1f2f9f1a11"
    assert ask(
        "player/deeplink.js",
        f"""m => [m.readLink("?message={reply.upper()}").messageId,
          m.readLink("?message=../x").messageId,
          m.writeLink("?queue=1&message=y", {{ms: 5, markerId: "x", messageId: "{reply}"}}),
          m.writeLink("?message={reply}&t=1", {{}})]""",
    ) == [reply, None, f"?queue=1&message={reply}&t=5&marker=x", ""]


def test_what_is_on_the_stage_is_said(ask: Asking) -> None:
    assert ask(
        "player/watching.js",
        """m => {
          const now = Date.parse("2026-11-21T12:00:00Z");
          const reply = {sender_name: "Tessa", is_own: false, deleted_at: null,
            video_s3_key: null, media_state: "ready", created_at: "2026-11-17T18:02:00Z"};
          const take = {page_number: 3, measure_number: 17, measure_end: 20};
          return [m.watchingText(reply, now, "UTC"),
            m.watchingText({...reply, is_own: true}, now, "UTC"),
            m.hasVideo(reply), m.hasVideo({...reply, deleted_at: "x"}), m.hasVideo(null),
            m.hasVideo({...reply, media_state: null}),
            m.defaultPlace(take, {page_number: 4, measure_number: null}),
            m.defaultPlace(take, {page_number: null, measure_number: null}).measureEnd];
        }""",
    ) == [
        "Watching Tessa’s reply, Tue 18:02", "Watching your reply, Tue 18:02",
        True, False, False, False, {"page": 4, "measure": None, "measureEnd": None}, 20,
    ]  # fmt: skip


def test_a_list_is_read_to_its_last_page_and_never_elsewhere(ask: Asking) -> None:
    assert ask(
        "api.js",
        """m => [m.nextPath('<https://other.example/a?cursor=2>; rel="next"'),
          m.nextPath('</a?limit=5&cursor=x>; rel="next", </a>; rel="first"'),
          m.nextPath('</a>; rel="first"'), m.nextPath(null)]""",
    ) == ["/a?cursor=2", "/a?limit=5&cursor=x", None, None]


def test_refusals_of_the_video_are_told_apart(ask: Asking) -> None:
    cases = """m => [{}, {status: 403}, {status: 410, code: "submission_deleted"}, {status: 404},
      {status: 410, code: "media_expired"}, {status: 415, code: "unsupported_media"},
      {status: 409, code: "not_uploaded_yet"},
      {status: 409, code: "not_uploaded_yet", fields: {preparing: true}}, {status: 503}]
      .map(m.stateOf)"""
    assert ask("player/media.js", cases) == [
        "offline", "forbidden", "deleted", "missing", "expired", "unsupported", "on_the_way",
        "preparing", "failed",
    ]  # fmt: skip
    assert ask("player/media.js", f"m => ({cases})(m).every(state => state in m.SENTENCES)")
    assert ask(
        "player/media.js",
        """m => [m.sentenceFor("deleted"), m.sentenceFor("deleted", {isReply: true}),
          m.sentenceFor("odd") === m.SENTENCES.failed]""",
    ) == ["This take was deleted.", "This reply was deleted.", True]


def test_waveform_storyboard_and_dots_find_their_places(ask: Asking) -> None:
    assert ask("player/waveform.js", "m => m.toBars([0, 1, 0.5, 0.2], 2)") == [1, 0.5]
    assert ask("player/waveform.js", "m => m.toBars([0.3], 3)") == [0.3, 0.3, 0.3]
    assert ask("player/waveform.js", "m => m.toBars([], 2)") == [0, 0]
    tiles = """m => [0, 999, 1000, 5500, 99999].map(ms => m.tileAt(
      {columns: 4, rows: 2, interval_ms: 1000, count: 7}, ms))"""
    assert ask("player/storyboard.js", tiles) == [
        {"column": 0, "row": 0}, {"column": 0, "row": 0}, {"column": 1, "row": 0},
        {"column": 1, "row": 1}, {"column": 2, "row": 1},
    ]  # fmt: skip
    assert ask("player/scrubber.js", "m => m.spread([0, 5, 30, 31, 32], 18, 2)") == [0, 1, 0, 1, 0]


def test_times_of_messages_and_what_is_new(ask: Asking) -> None:
    assert ask(
        "player/when.js",
        """m => {
          const now = Date.parse("2026-11-21T12:00:00Z");
          const own = {is_own: true, text: "x", created_at: "2026-11-21T11:46:00Z"};
          const theirs = {is_own: false, read_at: null, deleted_at: null, id: 2};
          return [m.whenText("2026-11-17T18:02:00Z", now, "UTC"),
            m.whenText("2026-11-03T18:02:00Z", now, "UTC"), m.mayEdit(own, now),
            m.mayEdit({...own, created_at: "2026-11-21T11:44:00Z"}, now),
            m.firstUnread([{...theirs, read_at: "x"}, theirs]).id,
            m.lastSeen([{is_own: true, read_at: "a", id: 1}, {is_own: true, id: 2}]).id];
        }""",
    ) == ["Tue 18:02", "3 Nov 18:02", True, False, 2, 1]


def test_the_trail_is_told_in_words_and_condensed(ask: Asking) -> None:
    events = """[{event: "created", at: "1"}, {event: "playback_url_issued", at: "2", data: {}},
      {event: "playback_url_issued", at: "3", data: {}},
      {event: "playback_url_issued", at: "4", data: {download: true}},
      {event: "odd_one", at: "5"}]"""
    lines = ask("player/trail.js", f"m => m.condense({events}).map(l => [l.text, l.times])")
    assert lines == [
        ["Announced by the student's device", 1],
        ["Opened for watching", 2],
        ["Opened for download", 1],
        ["odd one", 1],
    ]


def test_the_next_take_is_the_one_after_this(ask: Asking) -> None:
    queue = '["a", "b", "c"].map(id => ({submission: {id}}))'
    chosen = f"m => ['a', 'c', 'x'].map(id => m.nextOf({queue}, id))"
    assert ask("player/review.js", chosen) == ["b", "a", "a"]
    assert ask("player/review.js", 'm => m.nextOf([{submission: {id: "a"}}], "a")') is None


def test_formats_are_asked_for_and_limits_are_said(ask: Asking) -> None:
    assert ask(
        "recorder/format.js",
        """m => [
          m.chooseFormat(type => type.startsWith("video/webm;codecs=vp8")),
          m.chooseFormat(type => type.includes("mp4")), m.chooseFormat(() => false),
          m.contentType("video/webm;codecs=vp8,opus"), m.contentType("video/quicktime"),
          [0.2, 4.5, 180.4].map(m.wholeSeconds)]""",
    ) == [
        "video/webm;codecs=vp8,opus", "video/mp4;codecs=avc1.42E01E,mp4a.40.2", None,
        "video/webm", "video/mp4", [1, 5, 180],
    ]  # fmt: skip
    good = '{type: "video/mp4", size: 1e6, seconds: 30, width: 720, height: 1280}'
    refusals = ask(
        "recorder/format.js",
        f"""m => [{{}}, {{type: "image/png"}}, {{width: 0}}, {{size: 3e8}}, {{seconds: 181}},
          {{width: 1920, height: 1080}}, {{seconds: Infinity}}, {{seconds: 180.4}}]
          .map(change => m.refusal({{...{good}, ...change}}))""",
    )
    assert [sentence is None for sentence in refusals] == [
        True, False, False, False, False, False, True, True,
    ]  # fmt: skip
    assert "300 MB" in refusals[3]
    assert "181 seconds" in refusals[4]
    assert "1920 × 1080" in refusals[5]


def test_levels_are_peaks_in_decibels(ask: Asking) -> None:
    assert ask(
        "recorder/level.js",
        """m => [m.peakDb([0, 0]), Math.round(m.peakDb([0.5, -1])), Math.round(m.peakDb([0.1])),
          m.barShare(-60), m.barShare(-30), m.barShare(3),
          m.verdict(-70), m.verdict(-20), m.verdict(0)]""",
    ) == [-100, 0, -20, 0, 0.5, 1, "quiet", "good", "loud"]


def test_nothing_leaves_the_device_without_the_right_receipt(ask: Asking) -> None:
    """The delete gate of the queue, in the browser."""
    assert ask(
        "recorder/gate.js",
        """async m => {
          const blob = new Blob(["cadenza"]);
          const sha256 = await m.sha256Hex(blob);
          const item = {id: "a", blob, sha256};
          const receipt = {asset_id: "a", size_bytes: 7, sha256};
          return [m.mayDelete(receipt, item), m.mayDelete(null, item),
            m.mayDelete({...receipt, asset_id: "b"}, item),
            m.mayDelete({...receipt, size_bytes: 8}, item),
            m.mayDelete({...receipt, sha256: "other"}, item),
            m.mayDelete({...receipt, sha256: null}, {...item, sha256: null}),
            await m.sha256Hex(blob, undefined ?? null)];
        }""",
    ) == [True, False, False, False, False, True, None]


def test_sending_repeats_what_may_be_repeated(ask: Asking) -> None:
    """Fresh addresses for expired ones, no PUT where the bytes are already, one body for ever."""
    assert ask(
        "recorder/send.js",
        """async m => {
          const blob = new Blob(["xyz"], {type: "video/webm;codecs=vp8"});
          const item = {id: "a", kind: "take", blob,
            sha256: "s", durationMs: 2400, context: {piece_id: "p"}, notes: "", capturedAt: "t",
            thumbnail: null};
          const calls = [];
          const api = (method, path, body) => {
            calls.push(`${method} ${path}`);
            if (path.endsWith("/confirm")) return {receipt: {}};
            return {upload_url: "u", upload_headers: {}};
          };
          const failing = statuses => () => {
            const status = statuses.shift();
            return status ? Promise.reject({status}) : Promise.resolve();
          };
          await m.sendOnce(item, {api, put: failing([403, 403])});
          const reply = {...item, kind: "reply", submissionId: "s1"};
          await m.sendOnce(reply, {api, put: failing([412])});
          const tooOften = await m.sendOnce(item, {api, put: failing([403, 403, 403, 403, 403])})
            .catch(error => error.status);
          const body = m.announcement(item);
          return [calls.slice(0, 6), tooOften, body.duration_seconds, body.content_type,
            body.notes ?? null, body.piece_id, [1, 2, 3, 9].map(m.backoffSeconds),
            [0, 429, 503, 409, 413].map(status => m.isRetryable({status}))];
        }""",
    ) == [
        [
            "POST /video-submissions", "GET /video-submissions/a/upload-url",
            "GET /video-submissions/a/upload-url", "POST /video-submissions/a/confirm",
            "POST /video-submissions/s1/messages", "POST /messages/a/confirm",
        ],
        403, 2, "video/webm", None, "p", [1, 2, 4, 30], [True, True, True, False, False],
    ]  # fmt: skip


def test_the_countdown_rounds_up_and_ids_are_uuids(ask: Asking) -> None:
    counted = "m => [180000, 179900, 59001, 1, -5].map(m.remainingText)"
    assert ask("recorder/countdown.js", counted) == ["3:00", "3:00", "1:00", "0:01", "0:00"]
    plain_http = "m => m.newId({getRandomValues: bytes => crypto.getRandomValues(bytes)})"
    made = ask("ids.js", plain_http)
    assert len(made) == 36
    assert made[14] == "4"
