// The line under the picture: where we are, what is loaded, who pointed where, and the loop.

import { el, part } from "../parts.js";
import { firstLine, KINDS } from "./markers.js";
import { drawShape } from "./shapes.js";
import { showTile } from "./storyboard.js";
import { clamp, formatTime, spokenTime } from "./time.js";
import { drawBars } from "./waveform.js";

/** Rows for dots that would cover each other: the first row free at that place, of `rows`. */
export function spread(places, gap, rows) {
  const taken = new Array(rows).fill(-Infinity);
  return places.map((place) => {
    let row = taken.findIndex((last) => place - last >= gap);
    if (row < 0) row = taken.indexOf(Math.min(...taken));
    taken[row] = place;
    return row;
  });
}

const DOT_GAP = 18; // pixels between two dots of one row
const ROWS = 2;

export class Scrubber {
  /**
   * @param {HTMLElement} root the `.scrubber` of the template.
   * @param {object} hooks `onSeek(seconds, {done})`, `onMarker(marker)`, `onLoopEnd(which, seconds)`,
   *   `onNudge(which, frames)`, `onStep(seconds)`.
   */
  constructor(root, hooks) {
    this.root = root;
    this.hooks = hooks;
    this.duration = 0;
    this.markers = [];
    this.peaks = null;
    this.board = null;
    this.track = part(root, "track");
    this.handles = { start: part(root, "loop-start"), end: part(root, "loop-end") };
    this.#listen();
    new ResizeObserver(() => this.redraw()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  setDuration(seconds) {
    this.duration = seconds;
    this.track.setAttribute("aria-valuemax", String(Math.round(seconds * 1000)));
    this.redraw();
  }

  /** Another video is coming. */
  clear(label) {
    this.peaks = null;
    this.board = null;
    part(this.root, "buffered").replaceChildren();
    this.track.setAttribute("aria-label", label);
    this.setDuration(0);
    this.showTime(0);
  }

  setPeaks(peaks) {
    this.peaks = peaks;
    this.redraw();
  }

  setStoryboard(url, facts) {
    this.board = url && facts ? { url, facts } : null;
  }

  /** Where the take is; called at every frame. */
  showTime(seconds) {
    const share = this.#share(seconds);
    part(this.root, "playhead").style.left = `${share * 100}%`;
    part(this.root, "wave-played").style.clipPath = `inset(0 ${(1 - share) * 100}% 0 0)`;
    const ms = Math.round(seconds * 1000);
    this.track.setAttribute("aria-valuenow", String(ms));
    this.track.setAttribute(
      "aria-valuetext",
      `${spokenTime(ms)} of ${spokenTime(this.duration * 1000)}`,
    );
  }

  showBuffered(ranges) {
    const box = part(this.root, "buffered");
    const shown = [];
    for (let index = 0; index < ranges.length; index += 1) {
      const from = this.#share(ranges.start(index));
      const span = el("span");
      span.style.left = `${from * 100}%`;
      span.style.width = `${(this.#share(ranges.end(index)) - from) * 100}%`;
      shown.push(span);
    }
    box.replaceChildren(...shown);
  }

  showMarkers(markers, selectedId = null) {
    this.markers = markers;
    const width = this.track.clientWidth || 1;
    const places = markers.map((marker) => this.#share(marker.timestamp_ms / 1000) * width);
    const rows = spread(places, DOT_GAP, ROWS);
    const focused = document.activeElement?.dataset?.markerId;
    part(this.root, "dots").replaceChildren(
      ...markers.map((marker, index) => this.#dot(marker, rows[index], marker.id === selectedId)),
    );
    part(this.root, "ranges").replaceChildren(
      ...markers.filter((marker) => marker.end_ms !== null).map((marker) => this.#range(marker)),
    );
    if (focused) this.root.querySelector(`.dot[data-marker-id="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Light up what is playing now. */
  showActive(markerId) {
    for (const dot of this.root.querySelectorAll(".dot, .range")) {
      dot.classList.toggle("is-active", dot.dataset.markerId === markerId);
    }
  }

  showLoop(loop) {
    const band = part(this.root, "loop-band");
    band.hidden = loop.start === null || loop.end === null;
    band.classList.toggle("is-off", !loop.on);
    if (!band.hidden) {
      band.style.left = `${this.#share(loop.start) * 100}%`;
      band.style.width = `${(this.#share(loop.end) - this.#share(loop.start)) * 100}%`;
    }
    for (const [which, handle] of Object.entries(this.handles)) {
      handle.hidden = loop[which] === null;
      if (handle.hidden) continue;
      const ms = Math.round(loop[which] * 1000);
      handle.style.left = `${this.#share(loop[which]) * 100}%`;
      handle.setAttribute("aria-valuemax", String(Math.round(this.duration * 1000)));
      handle.setAttribute("aria-valuenow", String(ms));
      handle.setAttribute("aria-valuetext", formatTime(ms));
    }
  }

  redraw() {
    drawBars(part(this.root, "wave"), this.peaks);
    drawBars(part(this.root, "wave-played"), this.peaks);
    if (this.markers.length) this.showMarkers(this.markers, this.#selected());
  }

  #selected() {
    return this.root.querySelector(".dot.is-selected")?.dataset.markerId ?? null;
  }

  #dot(marker, row, selected) {
    const kind = KINDS[marker.marker_type];
    const label = `${kind.label} at ${formatTime(marker.timestamp_ms)}: ${firstLine(marker.text)}`;
    const dot = el(
      "button",
      {
        type: "button",
        class: `dot is-${marker.marker_type} is-${marker.status}${selected ? " is-selected" : ""}`,
        "aria-label": label,
        title: label,
        dataset: { markerId: marker.id, row: String(row) },
        onclick: () => this.hooks.onMarker(marker),
      },
      drawShape(kind.shape),
    );
    dot.style.left = `${this.#share(marker.timestamp_ms / 1000) * 100}%`;
    return dot;
  }

  #range(marker) {
    const range = el("span", {
      class: `range is-${marker.marker_type}`,
      dataset: { markerId: marker.id },
    });
    const from = this.#share(marker.timestamp_ms / 1000);
    range.style.left = `${from * 100}%`;
    range.style.width = `${(this.#share(marker.end_ms / 1000) - from) * 100}%`;
    return range;
  }

  #share(seconds) {
    return this.duration > 0 ? clamp(seconds / this.duration, 0, 1) : 0;
  }

  #secondsAt(event) {
    const box = this.track.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * this.duration;
  }

  #listen() {
    this.#drag(this.track, (seconds, done) => this.hooks.onSeek(seconds, { done }));
    for (const [which, handle] of Object.entries(this.handles)) {
      this.#drag(handle, (seconds) => this.hooks.onLoopEnd(which, seconds));
      handle.addEventListener("keydown", (event) => {
        const frames = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
        if (!frames) return;
        event.preventDefault();
        event.stopPropagation();
        this.hooks.onNudge(which, frames);
      });
    }
    this.track.addEventListener("keydown", (event) => {
      const seconds = {
        ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
        Home: -Infinity, End: Infinity,
      }[event.key];
      if (seconds === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.hooks.onStep(seconds);
    });
    this.track.addEventListener("pointermove", (event) => this.#preview(event));
    this.track.addEventListener("pointerleave", () => {
      part(this.root, "preview").hidden = true;
    });
  }

  #drag(element, act) {
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.duration) return;
      element.setPointerCapture(event.pointerId);
      const move = (moved) => act(this.#secondsAt(moved), false);
      const end = (ended) => {
        element.removeEventListener("pointermove", move);
        if (ended.type === "pointerup") act(this.#secondsAt(ended), true);
      };
      element.addEventListener("pointermove", move);
      element.addEventListener("pointerup", end, { once: true });
      element.addEventListener("pointercancel", end, { once: true });
      move(event);
    });
  }

  #preview(event) {
    if (!this.duration) return;
    const preview = part(this.root, "preview");
    const seconds = this.#secondsAt(event);
    const box = this.track.getBoundingClientRect();
    const picture = part(preview, "picture");
    preview.hidden = false;
    part(preview, "time").textContent = formatTime(seconds * 1000);
    picture.hidden = this.board === null;
    if (this.board) showTile(picture, this.board.url, this.board.facts, seconds * 1000);
    // In parts of the line, so that it stays above it when a phone is turned.
    const half = preview.offsetWidth / 2;
    const along = (100 * (event.clientX - box.left)) / box.width;
    preview.style.left = `clamp(${half}px, ${along}%, calc(100% - ${half}px))`;
  }
}
