// All markers as a list: to read, to jump to, to edit, and to say what became of them.

import { el, icon } from "../parts.js";
import { KINDS, placeText } from "./markers.js";
import { drawShape } from "./shapes.js";
import { formatTime } from "./time.js";

const STATUS = { open: "Open", tried: "Tried", settled: "Settled" };

/** What this person can say about a marker: [status, label], or nothing. */
export function statusStep(marker, role) {
  if (marker.marker_type === "praise") return null;
  if (role === "teacher") {
    return marker.status === "settled" ? ["open", "Open again"] : ["settled", "Settle"];
  }
  if (role !== "student" || marker.status === "settled") return null;
  return marker.status === "tried" ? ["open", "Not yet"] : ["tried", "I tried it"];
}

export class MarkerList {
  /** @param {object} hooks `onJump`, `onLoop`, `onEdit(marker, text)`, `onDelete`, `onStatus(marker, status)`. */
  constructor(root, { role, ...hooks }) {
    this.root = root;
    this.role = role;
    this.hooks = hooks;
    this.editing = null;
  }

  show(markers, selectedId) {
    if (this.editing) return; // do not pull the field from under somebody's hands
    const focusKey = this.#focusKey();
    this.root.replaceChildren(...markers.map((marker) => this.#item(marker, selectedId)));
    if (focusKey) this.root.querySelector(`[data-focus="${CSS.escape(focusKey)}"]`)?.focus();
  }

  /** Another video's markers are coming: an edit that was begun is saved, not dropped. */
  leave() {
    this.finishEdit?.();
  }

  showActive(markerId) {
    for (const item of this.root.children) {
      item.classList.toggle("is-active", item.dataset.markerId === markerId);
    }
  }

  /** Scroll the list, never the page, until a marker is seen. */
  reveal(markerId) {
    const item = this.root.querySelector(`[data-marker-id="${CSS.escape(markerId)}"]`);
    if (!item || this.root.scrollHeight <= this.root.clientHeight) return;
    const { top, bottom } = item.getBoundingClientRect();
    const box = this.root.getBoundingClientRect();
    if (top < box.top) this.root.scrollTop -= box.top - top + 8;
    else if (bottom > box.bottom) this.root.scrollTop += bottom - box.bottom + 8;
  }

  #focusKey() {
    return this.root.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  }

  #item(marker, selectedId) {
    const kind = KINDS[marker.marker_type];
    const place = placeText(marker);
    const time =
      marker.end_ms === null
        ? formatTime(marker.timestamp_ms)
        : `${formatTime(marker.timestamp_ms)}–${formatTime(marker.end_ms)}`;
    const item = el(
      "li",
      {
        class: `moment is-${marker.marker_type} is-${marker.status}${marker.id === selectedId ? " is-selected" : ""}${marker.pending ? " is-pending" : ""}`,
        dataset: { markerId: marker.id },
        "aria-current": marker.id === selectedId ? "true" : null,
      },
      el(
        "button",
        {
          type: "button",
          class: "moment-jump",
          dataset: { focus: `jump-${marker.id}` },
          onclick: () => this.hooks.onJump(marker),
        },
        drawShape(kind.shape),
        el("span", { class: "visually-hidden" }, `${kind.label} at `),
        el("span", { class: "moment-time" }, time),
        el("span", { class: "moment-text" }, marker.text),
        el(
          "span",
          { class: "moment-facts" },
          marker.status === "open" ? null : el("span", { class: `badge badge-${marker.status}` }, STATUS[marker.status]),
          [marker.author_name, place, marker.pending ? "waiting for the network" : null, marker.edited_at ? "edited" : null]
            .filter(Boolean)
            .join(" · "),
        ),
      ),
      this.#tools(marker),
    );
    return item;
  }

  #tools(marker) {
    if (marker.pending) return null;
    const step = this.role === "observer" ? null : statusStep(marker, this.role);
    const button = (name, label, act, ...content) =>
      el(
        "button",
        {
          type: "button", class: "moment-tool", "aria-label": label, title: label,
          dataset: { focus: `${name}-${marker.id}` }, onclick: act,
        },
        content.length ? content : icon(name),
      );
    return el(
      "div",
      { class: "moment-tools" },
      step && button("status", step[1], () => this.hooks.onStatus(marker, step[0]), step[1]),
      button("loop", "Loop this marker", () => this.hooks.onLoop(marker)),
      marker.is_own && button("edit", "Edit", () => this.#edit(marker)),
      marker.is_own && button("delete", "Delete", () => this.hooks.onDelete(marker)),
    );
  }

  #edit(marker) {
    const item = this.root.querySelector(`[data-marker-id="${CSS.escape(marker.id)}"]`);
    const field = el("textarea", { class: "moment-edit", maxlength: "1000", "aria-label": "Text of the marker", rows: "2" });
    field.value = marker.text;
    this.editing = marker.id;
    const finish = (text) => {
      this.editing = this.finishEdit = null;
      this.hooks.onEdit(marker, text);
    };
    this.finishEdit = () => finish(field.value.trim() || null);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") finish(null);
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        finish(field.value.trim() || null);
      }
    });
    item.replaceChildren(
      field,
      el(
        "div",
        { class: "moment-tools is-editing" },
        el("button", { type: "button", class: "button button-small button-primary", onclick: () => finish(field.value.trim() || null) }, "Save"),
        el("button", { type: "button", class: "button button-small", onclick: () => finish(null) }, "Cancel"),
      ),
    );
    field.focus();
  }
}
