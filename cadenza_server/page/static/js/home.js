// The student's own takes that are still on this device, among the others: they go out from
// whichever page is open, and their words follow them until the server has them.

import { el, icon } from "./parts.js";
import { hearOfSending, send } from "./recorder/outgoing.js";
import { isBeingRecorded } from "./recorder/session.js";
import { hearOfChanges, Vault } from "./recorder/vault.js";
import { refreshSoon } from "./refresh.js";
import { writeTimes } from "./times.js";

/** The one word of a take that has not arrived. */
export function wordFor(progress) {
  if (progress?.state === "sent") return "Sent";
  if (progress?.state !== "sending") return "On this device";
  return `Sending ${Math.floor(progress.share * 100)} %`;
}

/** What the student has to do about it, if anything. */
export function noteFor(item, progress) {
  if (item.refused) return `It was not accepted: ${item.refused}`;
  if (!item.submitted) return "Not sent yet. Look at it, then send it.";
  if (progress?.state === "sending" || progress?.state === "sent") return "";
  return "It goes out by itself when there is a connection.";
}

/** `1:05`, from milliseconds. */
function lengthText(ms) {
  const seconds = Math.min(180, Math.max(1, Math.ceil((ms ?? 0) / 1000 - 0.5)));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function image(src) {
  return el("img", { src, alt: "", width: "160", height: "90" });
}

class OnThisDevice {
  constructor(place, vault) {
    this.place = place;
    this.vault = vault;
    this.userId = Number(place.dataset.userId);
    this.items = [];
    this.progress = new Map(); // id → how its sending goes
    this.pictures = new Map(); // id → address of its picture
    this.sending = new Set();
  }

  /** The vault as it is now; what was submitted is sent from here unless another tab does it. */
  async read() {
    const all = await this.vault.items(this.userId);
    const busy = await Promise.all(all.map(isBeingRecorded));
    this.items = all.filter((item, at) => item.kind === "take" && !busy[at]).reverse();
    this.show();
    for (const item of this.items) {
      if (item.submitted && !item.refused && !this.sending.has(item.id)) this.#send(item);
    }
  }

  heard({ id, ...progress }) {
    this.progress.set(id, progress);
    if (progress.state === "sent") refreshSoon();
    this.show();
  }

  /** Those the server's list knows are named there, the others above it. */
  show() {
    const above = this.items.filter((item) => !this.#nameInList(item));
    this.place.hidden = above.length === 0;
    const list = this.place.querySelector("ul");
    const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
    list.replaceChildren(...above.map((item) => this.#row(item)));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    writeTimes();
  }

  async #send(item) {
    this.sending.add(item.id);
    await send(this.vault, item, () => {}).catch(() => null);
    this.sending.delete(item.id);
    await this.read();
  }

  #nameInList(item) {
    const row = document.getElementById(`take-${item.id}`);
    const badge = row?.querySelector("[data-status]");
    if (!badge) return false;
    const address = this.#picture(item); // the server has none yet
    if (address) row.querySelector(".thumb > .icon")?.replaceWith(image(address));
    badge.replaceChildren(icon("cloud"), ` ${wordFor(this.progress.get(item.id))}`);
    return true;
  }

  #row(item) {
    const progress = this.progress.get(item.id);
    const note = noteFor(item, progress);
    const address = this.#picture(item);
    return el(
      "li",
      { class: "take" },
      el(
        "a",
        { class: "take-link", id: `kept-${item.id}`, href: `/record?item=${item.id}`, dataset: { row: "" } },
        el(
          "span",
          { class: "thumb" },
          address ? image(address) : icon("cloud"),
          item.durationMs ? el("span", { class: "thumb-length" }, lengthText(item.durationMs)) : null,
        ),
        el(
          "span",
          { class: "take-main" },
          el("span", { class: "take-title" }, item.title ?? "A recording"),
          el("span", { class: "take-sub" }, el("span", {}, el("time", { datetime: item.capturedAt, dataset: { ago: "" } }))),
          note && el("span", { class: "take-hint" }, note),
        ),
        el(
          "span",
          { class: "take-side" },
          el(
            "span",
            { class: "take-badges" },
            el(
              "span",
              { class: `badge${item.refused ? " badge-danger" : ""}`, dataset: { status: "" } },
              icon(progress?.state === "sending" ? "cloud" : "camera"), ` ${wordFor(progress)}`,
            ),
          ),
        ),
      ),
    );
  }

  #picture(item) {
    if (!item.thumbnail) return null;
    if (!this.pictures.has(item.id)) this.pictures.set(item.id, URL.createObjectURL(item.thumbnail));
    return this.pictures.get(item.id);
  }
}

const place = document.getElementById("on-this-device");
if (place) {
  const vault = await Vault.open().catch(() => null); // a browser that keeps nothing
  if (vault) {
    const kept = new OnThisDevice(place, vault);
    hearOfSending((state) => kept.heard(state));
    hearOfChanges(() => kept.read());
    document.addEventListener("cadenza:refreshed", () => kept.show());
    await kept.read();
  }
}
