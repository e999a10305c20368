// The conversation about a take: bubbles, videos among them, and who has seen what.

import { el, icon } from "../parts.js";
import { firstUnread, lastSeen, mayEdit, whenText } from "./when.js";

/** Why the video of a message can't be played now; null when it can. */
export function waitingFor({ media_state: state, derivatives = [] }) {
  const mp4 = derivatives.find(({ kind }) => kind === "normalise");
  if (state === "invalid" || mp4?.state === "failed") return "This video can't be played.";
  if (!["uploaded", "ready"].includes(state)) return "The video is on the way.";
  return mp4 && mp4.state !== "ready" ? "The video is being prepared." : null;
}

export class Thread {
  /** @param {object} hooks `onWatch(message)`, `onEdit(message, text)`, `onDelete(message)`, `onMarker(id)`, `markerLabel(id)`. */
  constructor(root, hooks) {
    this.root = root;
    this.hooks = hooks;
    this.editing = null;
    this.unreadFrom = undefined; // decided once: the divider stays where it was when one came
    this.shown = new Map(); // id → what is drawn: what stays the same keeps the focus
  }

  /**
   * @param {boolean} loaded false while only what waits in the outbox is known.
   * @param {object} stage `watchedId` (whose video is on the stage), `marks` (message id → number).
   */
  show(messages, loaded, { watchedId = null, marks = new Map() } = {}) {
    this.watchedId = watchedId;
    this.marks = marks;
    if (loaded && this.unreadFrom === undefined) this.unreadFrom = firstUnread(messages)?.id ?? null;
    const seen = lastSeen(messages);
    const nodes = [];
    for (const message of messages) {
      if (message.id === this.unreadFrom) {
        nodes.push(el("li", { class: "thread-divider" }, el("span", {}, "New")));
      }
      nodes.push(this.#kept(message, message.id === seen?.id));
    }
    if (nodes.length !== this.root.childNodes.length || nodes.some((node, at) => this.root.childNodes[at] !== node)) {
      this.root.replaceChildren(...nodes);
    }
  }

  /** Scroll the conversation to a message, and point at it. */
  reveal(id) {
    const node = this.shown.get(id)?.node;
    if (!node) return;
    node.classList.add("is-linked");
    node.scrollIntoView({ block: "nearest" });
  }

  /** The same element as long as nothing it shows has changed. */
  #kept(message, isLastSeen) {
    const face = JSON.stringify([
      message.text, message.edited_at, message.deleted_at, message.pending, message.media_state,
      message.thumbnail_s3_key, waitingFor(message), this.hooks.markerLabel(message.marker_id),
      isLastSeen && message.read_at, message.id === this.watchedId, this.marks.get(message.id),
    ]);
    const old = this.shown.get(message.id);
    if (old && (old.face === face || this.editing === message.id)) return old.node;
    const node = this.#bubble(message, isLastSeen);
    if (old?.node.classList.contains("is-linked")) node.classList.add("is-linked");
    this.shown.set(message.id, { face, node });
    return node;
  }

  #bubble(message, isLastSeen) {
    const side = message.is_own ? "is-own" : "is-other";
    if (message.deleted_at) {
      return el(
        "li",
        { class: `bubble ${side} is-deleted`, dataset: { messageId: message.id } },
        el("p", { class: "bubble-text" }, "This message was deleted."),
      );
    }
    return el(
      "li",
      { class: `bubble ${side}${message.pending ? " is-pending" : ""}`, dataset: { messageId: message.id } },
      el("span", { class: "visually-hidden" }, `${message.is_own ? "You" : message.sender_name} wrote:`),
      this.#about(message),
      this.#video(message),
      message.text ? el("p", { class: "bubble-text" }, message.text) : null,
      el(
        "p",
        { class: "bubble-facts" },
        message.is_own ? null : `${message.sender_name} · `,
        message.pending ? "waiting for the network" : el("time", { datetime: message.created_at }, whenText(message.created_at)),
        message.edited_at ? " · edited" : null,
        isLastSeen ? el("span", { class: "bubble-seen" }, ` · Seen ${whenText(message.read_at)}`) : null,
      ),
      this.#tools(message),
    );
  }

  #about(message) {
    if (!message.marker_id) return null;
    const label = this.hooks.markerLabel(message.marker_id);
    return (
      label &&
      el("button", { type: "button", class: "bubble-about", onclick: () => this.hooks.onMarker(message.marker_id) }, label)
    );
  }

  #video(message) {
    const hasVideo = message.video_s3_key || message.media_state;
    if (!hasVideo) return null;
    const wait = waitingFor(message);
    if (wait) return el("p", { class: "bubble-wait" }, wait);
    const seconds = message.video_duration_seconds;
    const length = seconds ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "";
    const marks = this.marks.get(message.id) ?? 0;
    const watched = message.id === this.watchedId;
    const count = `${marks} ${marks === 1 ? "marker" : "markers"}`;
    const said = ["Watch the video reply", length && `${seconds} seconds`, marks && count].filter(Boolean);
    return el(
      "button",
      {
        type: "button", class: "bubble-play", "aria-label": said.join(", "),
        "aria-current": watched ? "true" : null,
        onclick: () => this.hooks.onWatch(message),
      },
      message.thumbnail_url ? el("img", { src: message.thumbnail_url, alt: "", loading: "lazy" }) : null,
      watched ? null : el("span", { class: "bubble-play-icon" }, icon("play")),
      marks ? el("span", { class: "bubble-marks" }, icon("marker"), String(marks)) : null,
      el("span", { class: "bubble-length" }, watched ? "Watching" : length),
    );
  }

  #tools(message) {
    if (!message.is_own || message.pending) return null;
    return el(
      "div",
      { class: "bubble-tools" },
      mayEdit(message)
        ? el("button", { type: "button", class: "bubble-tool", "aria-label": "Edit the message", title: "Edit", onclick: () => this.#edit(message) }, icon("edit"))
        : null,
      el("button", { type: "button", class: "bubble-tool", "aria-label": "Delete the message", title: "Delete", onclick: () => this.hooks.onDelete(message) }, icon("delete")),
    );
  }

  #edit(message) {
    const { node } = this.shown.get(message.id);
    const field = el("textarea", { maxlength: "5000", rows: "3", "aria-label": "Your message" });
    field.value = message.text;
    this.editing = message.id;
    const finish = (text) => {
      this.editing = null;
      this.shown.delete(message.id);
      this.hooks.onEdit(message, text);
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") finish(null);
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        finish(field.value.trim() || null);
      }
    });
    node.replaceChildren(
      field,
      el(
        "div",
        { class: "bubble-edit-tools" },
        el("button", { type: "button", class: "button button-small button-primary", onclick: () => finish(field.value.trim() || null) }, "Save"),
        el("button", { type: "button", class: "button button-small", onclick: () => finish(null) }, "Cancel"),
      ),
    );
    field.focus();
  }
}
