// `/v/{submission}`: puts the parts of the player together.

import { api, apiAll } from "../api.js";
import { part } from "../parts.js";
import { toast } from "../toast.js";
import { Composer, draftName } from "./composer.js";
import { Controls } from "./controls.js";
import { readLink } from "./deeplink.js";
import { Drafts, Outbox } from "./draft.js";
import { showHelp } from "./help.js";
import { listenToKeys } from "./keyboard.js";
import { MarkerList } from "./marker-list.js";
import { sentenceFor, TakeMedia } from "./media.js";
import { Moments } from "./moments.js";
import { ReplyBar } from "./reply.js";
import { Review } from "./review.js";
import { Scrubber } from "./scrubber.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";
import { Talk } from "./talk.js";
import { Thread } from "./thread.js";
import { formatTime } from "./time.js";
import { showTrail } from "./trail.js";
import { Transport } from "./transport.js";
import { Watching } from "./watching.js";

class Page {
  constructor(root) {
    const { submission, role, userId, userName } = root.dataset;
    this.root = root;
    this.role = role;
    this.submissionId = submission;
    this.me = { id: Number(userId), name: userName };
    this.submission = JSON.parse(part(root, "submission").textContent);
    this.transport = new Transport(part(root, "video"));
    this.drafts = new Drafts(localStorage, submission);
    this.store = new Store(this.me, () => this.show());
    this.#build();
  }

  #build() {
    const { root, transport } = this;
    this.watching = new Watching(this);
    this.moments = new Moments(this);
    this.talk = new Talk(this);
    this.scrubber = new Scrubber(part(root, "scrubber"), {
      onSeek: (seconds) => {
        transport.seek(seconds);
        this.controls.showTime();
      },
      onMarker: (marker) => this.moments.jump(marker),
      onLoopEnd: (which, seconds) => this.controls.dragLoop(which, seconds),
      onNudge: (which, frames) => this.controls.nudgeLoop(which, frames),
      onStep: (seconds) => this.controls.seekBy(seconds),
    });
    this.controls = new Controls({ root, transport, scrubber: this.scrubber, onTime: (ms) => this.onTime(ms) });
    this.list = new MarkerList(part(root, "markers"), {
      role: this.role,
      onJump: (marker) => this.moments.jump(marker),
      onLoop: (marker) => this.moments.loop(marker),
      onEdit: (marker, text) => this.moments.edit(marker, text),
      onDelete: (marker) => this.moments.remove(marker),
      onStatus: (marker, status) => this.moments.change(marker, { status }),
    });
    this.thread = new Thread(part(root, "thread"), {
      onWatch: (message) => this.watching.open(message),
      onEdit: (message, text) => this.talk.edit(message, text),
      onDelete: (message) => this.talk.remove(message),
      onMarker: (id) => this.moments.jumpTo(id),
      markerLabel: (id) => this.moments.label(id),
    });
    this.sync = new Sync({
      api,
      apiAll,
      role: this.role,
      store: this.store,
      outbox: new Outbox(localStorage, this.submissionId),
      submissionId: this.submissionId,
      onRefused: (item, error) => this.refused(item, error),
      onSubmission: (submission) => this.onSubmission(submission),
      onMedia: (messageId) => this.onMedia(messageId),
      onGone: (error) => this.media.end(error),
    });
    this.media = new TakeMedia(
      transport.video,
      () => this.watching.ask(),
      (state, playback) => this.onState(state, playback),
    );
    this.review = new Review({
      api,
      submission: () => this.submission,
      button: part(root, "review"),
      onChange: (submission) => this.onSubmission(submission),
      go: (path) => location.assign(path),
    });
    if (this.role !== "observer") this.#buildWriting();
  }

  #buildWriting() {
    const { root, transport } = this;
    this.composer = new Composer(part(root, "composer"), {
      transport,
      drafts: this.drafts,
      role: this.role,
      subject: this.watching.subject,
      save: (draft) =>
        this.sync.submit({
          kind: "marker", id: draft.client_id, submissionId: this.submissionId,
          messageId: this.watching.messageId, at: new Date().toISOString(), body: draft,
        }),
    });
    this.reply = new ReplyBar(part(root, "reply"), {
      drafts: this.drafts,
      send: ({ id, text }) =>
        this.sync.submit({
          kind: "message", id, submissionId: this.submissionId,
          at: new Date().toISOString(), body: { text },
        }),
      record: (text) => this.talk.record({ text }),
      attach: (file, text) => this.talk.record({ file, text }),
    });
  }

  async start() {
    this.#listen();
    this.showReviewed();
    if (readLink(location.search).messageId === null) {
      await Promise.all([this.media.start(), this.sync.start()]);
    } else {
      await this.sync.start(); // whether there is a reply to watch
      this.moments.followLink();
      if (this.watching.messageId === null) await this.media.start();
    }
    this.moments.followLink();
  }

  #listen() {
    const { root } = this;
    const acts = {
      ...this.controls.acts(),
      nextMarker: () => this.moments.walk(1),
      previousMarker: () => this.moments.walk(-1),
      backToTake: () => this.watching.back(),
      help: () => showHelp(part(root, "help"), this.savedKeys(), this.role),
    };
    if (this.composer) {
      acts.mark = () => this.composer.focus();
      acts.markEnd = () => this.composer.endHere();
      for (const number of [1, 2, 3]) acts[`type${number}`] = () => this.composer.setKind(number);
      acts.reply = () => this.reply.focus();
    }
    if (this.role === "teacher") {
      acts.review = () => this.review.toggle();
      acts.nextInQueue = () => this.review.next();
    }
    this.savedKeys = listenToKeys(acts);
    const own = ["nextMarker", "previousMarker", "help", "mark", "nextInQueue"];
    for (const button of root.querySelectorAll("[data-act]")) {
      if (own.includes(button.dataset.act)) button.addEventListener("click", () => acts[button.dataset.act]?.());
    }
    part(root, "show-trail").addEventListener("click", () => showTrail(part(root, "trail-dialog"), api, this.submissionId));
    part(root, "again").addEventListener("click", () => this.media.again());
    addEventListener("online", () => this.media.again());
    const { video } = this.transport;
    video.addEventListener("progress", () => this.scrubber.showBuffered(video.buffered));
    video.addEventListener("timeupdate", () => this.scrubber.showBuffered(video.buffered));
    addEventListener("popstate", () => this.moments.followLink());
  }

  // ── the picture ────────────────────────────────────────────────────────────

  onState(state, playback) {
    const { root, transport } = this;
    root.dataset.media = state;
    const cover = part(root, "cover");
    cover.hidden = state === "ready";
    // Without a picture there is no moment to point at.
    const useless = !["ready", "loading", "offline", "failed"].includes(state);
    for (const tool of root.querySelectorAll(".scrubber, .controls, .composer")) tool.inert = useless;
    part(root, "cover-text").textContent = sentenceFor(state, { isReply: this.watching.messageId !== null });
    part(root, "again").hidden = !["failed", "offline", "unsupported"].includes(state);
    part(root, "cover-download").hidden = state !== "unsupported";
    if (state !== "ready") return;
    if (playback?.thumbnail_url && !transport.video.poster) transport.video.poster = playback.thumbnail_url;
    transport.learnFps(playback?.derivatives?.fps);
    this.scrubber.setDuration(transport.duration);
    part(root, "duration").textContent = formatTime(transport.duration * 1000);
    this.scrubber.setStoryboard(playback?.storyboard_url, playback?.derivatives?.storyboard);
    this.loadPeaks(playback?.waveform_url);
    this.watching.arrived();
    this.controls.showTime();
    this.show();
    this.moments.followLink();
  }

  async loadPeaks(url) {
    if (!url) return;
    const { messageId } = this.watching;
    try {
      const answer = await fetch(url);
      if (!answer.ok) return;
      const { peaks } = await answer.json();
      if (messageId === this.watching.messageId) this.scrubber.setPeaks(peaks);
    } catch {
      // No waveform: the scrubber works without.
    }
  }

  /** The server has made something new of the video: fetch what is missing, disturb nothing. */
  async onMedia(messageId = null) {
    if (messageId !== this.watching.messageId) return;
    if (this.media.state !== "ready") {
      this.media.again();
      return;
    }
    if (this.scrubber.peaks && this.scrubber.board && this.transport.knowsFps) return;
    try {
      const playback = await this.media.ask();
      if (messageId !== this.watching.messageId) return;
      this.transport.learnFps(playback.derivatives?.fps);
      this.scrubber.setStoryboard(playback.storyboard_url, playback.derivatives?.storyboard);
      if (!this.scrubber.peaks) await this.loadPeaks(playback.waveform_url);
    } catch {
      // The next event tries again.
    }
  }

  onTime(ms) {
    this.composer?.follow();
    this.moments.onTime(ms);
  }

  // ── markers ────────────────────────────────────────────────────────────────

  show() {
    if (!this.thread) return;
    const { root, store } = this;
    const markers = store.shownMarkers();
    const messages = store.allMessages();
    this.scrubber.showMarkers(markers, this.moments.selectedId);
    this.list.show(markers, this.moments.selectedId);
    this.moments.showActive();
    this.thread.show(messages, store.loaded.messages, {
      watchedId: this.watching.messageId, marks: store.countOnReplies(),
    });
    this.watching.show();
    if (this.watching.isGone && this.media.state !== "deleted") this.media.end({ status: 410, code: "message_deleted" });
    part(root, "no-markers").hidden = !store.loaded.markers || markers.length > 0;
    part(root, "marker-count").textContent = markers.length ? String(markers.length) : "";
    part(root, "no-messages").hidden = !store.loaded.messages || messages.length > 0;
  }

  refused(item, error) {
    toast(error.detail ?? "It could not be saved.");
    const messageId = item.messageId ?? null;
    if (item.kind === "marker" && messageId === this.watching.messageId) this.composer.takeBack(item.body);
    else if (item.kind === "marker") this.drafts.write(draftName(messageId), item.body);
    else this.reply.takeBack(item.body.text);
  }

  // ── reviewed ───────────────────────────────────────────────────────────────

  onSubmission(submission) {
    const arrived = this.submission.media_state !== submission.media_state;
    this.submission = submission;
    this.showReviewed();
    if (arrived) this.media.again();
  }

  showReviewed() {
    const reviewed = Boolean(this.submission.reviewed_at);
    part(this.root, "reviewed-badge").hidden = !reviewed;
    part(this.root, "waiting-badge").hidden = reviewed;
    const button = part(this.root, "review");
    if (!button) return;
    button.setAttribute("aria-pressed", String(reviewed));
    part(button, "review-label").textContent = reviewed ? "Reviewed" : "Mark as reviewed";
    button.classList.toggle("button-primary", !reviewed);
  }
}

const root = document.querySelector("[data-player]");
if (root) new Page(root).start();
