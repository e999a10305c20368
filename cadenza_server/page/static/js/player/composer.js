// The marker box: typing pauses, Enter saves and plays on, Esc leaves everything as it was.

import { newId } from "../ids.js";
import { announce, el, part } from "../parts.js";
import { drawShape } from "./shapes.js";
import { KINDS, kindsFor } from "./markers.js";
import { formatTime, parseTime } from "./time.js";

/** Where the draft of a marker on the take, or on a reply's video, is kept. */
export function draftName(messageId) {
  return messageId ? `marker.${messageId}` : "marker";
}

export class Composer {
  /**
   * @param {HTMLFormElement} form of the template.
   * @param {object} world `transport`, `drafts`, `role`, `subject` (see `turnTo`),
   *   `save(draft)` → resolves when it is saved or safely kept.
   */
  constructor(form, world) {
    this.form = form;
    this.world = world;
    this.subject = world.subject;
    this.text = part(form, "text");
    this.time = part(form, "time");
    this.end = part(form, "end");
    this.kinds = kindsFor(world.role);
    this.#buildKinds();
    this.#reset();
    this.#restore();
    this.#listen();
  }

  /**
   * Another video is on the stage: what was begun on the last one waits there.
   * @param {object} subject `draft` (its name), `defaults` {page, measure, measureEnd}.
   */
  turnTo(subject) {
    this.#keep();
    this.subject = subject;
    this.#reset();
    this.#restore();
  }

  get isEmpty() {
    return this.text.value.trim() === "";
  }

  /** The time follows the picture until something is typed. */
  follow() {
    if (this.frozen) return;
    this.startMs = this.world.transport.moment();
    this.time.value = formatTime(this.startMs);
  }

  focus() {
    this.follow();
    this.text.focus();
  }

  setKind(number) {
    const kind = Object.keys(KINDS).find((name) => KINDS[name].key === String(number));
    if (!this.kinds.includes(kind)) return false;
    this.form.querySelector(`input[value="${kind}"]`).checked = true;
    this.#keep();
    announce(`${KINDS[kind].label} marker`);
    return true;
  }

  /** The passage ends where the picture is now. */
  endHere() {
    this.#freeze();
    const here = this.world.transport.moment();
    if (here <= this.startMs) {
      announce("Move to a later moment first: the end comes after the beginning.");
      return false;
    }
    this.end.value = formatTime(here);
    this.endMs = here;
    this.#showEnd();
    this.#keep();
    announce(`Ends at ${formatTime(here)}`);
    return true;
  }

  /** Put back what could not be saved. */
  takeBack(draft) {
    if (!this.isEmpty) return;
    this.#fill(draft);
    this.#keep();
  }

  cancel() {
    const playOn = this.resume;
    this.#reset();
    this.world.drafts.write(this.subject.draft, null);
    this.text.blur();
    if (playOn) this.world.transport.play();
  }

  #buildKinds() {
    const box = part(this.form, "kinds");
    box.replaceChildren(
      ...this.kinds.map((name, index) => {
        const kind = KINDS[name];
        return el(
          "label",
          { class: `kind is-${name}`, title: `${kind.label} (${kind.key})` },
          el("input", { type: "radio", name: "kind", value: name, checked: index === 0 }),
          drawShape(kind.shape),
          el("span", { class: "kind-name" }, kind.label),
        );
      }),
    );
  }

  #reset() {
    const { page, measure, measureEnd } = this.subject.defaults;
    this.form.reset();
    part(this.form, "page").value = page ?? "";
    part(this.form, "measure").value = measure ?? "";
    part(this.form, "measure-end").value = measureEnd ?? "";
    this.clientId = newId();
    this.frozen = false;
    this.timeEdited = false;
    this.resume = false;
    this.endMs = null;
    this.startMs = 0;
    this.#problem(null);
    this.#showEnd();
    this.#grow();
    this.follow();
  }

  #restore() {
    const draft = this.world.drafts.read(this.subject.draft);
    if (draft && (draft.text?.trim() || draft.end_ms !== null)) this.#fill(draft);
  }

  #fill(draft) {
    this.text.value = draft.text;
    this.clientId = draft.client_id;
    this.startMs = draft.timestamp_ms;
    this.endMs = draft.end_ms;
    this.time.value = formatTime(draft.timestamp_ms);
    this.end.value = draft.end_ms === null ? "" : formatTime(draft.end_ms);
    part(this.form, "page").value = draft.page_number ?? "";
    part(this.form, "measure").value = draft.measure_number ?? "";
    part(this.form, "measure-end").value = draft.measure_end ?? "";
    const radio = this.form.querySelector(`input[value="${CSS.escape(draft.marker_type)}"]`);
    if (radio) radio.checked = true;
    this.frozen = true;
    this.#showEnd();
    this.#grow();
  }

  #read() {
    const number = (name) => {
      const value = Number(part(this.form, name).value);
      return Number.isInteger(value) && value > 0 ? value : null;
    };
    return {
      client_id: this.clientId,
      timestamp_ms: this.startMs,
      end_ms: this.endMs,
      text: this.text.value,
      marker_type: this.form.querySelector("input[name=kind]:checked").value,
      page_number: number("page"),
      measure_number: number("measure"),
      measure_end: number("measure") ? number("measure-end") : null,
    };
  }

  #keep() {
    this.world.drafts.write(this.subject.draft, this.isEmpty && this.endMs === null ? null : this.#read());
  }

  #freeze() {
    if (this.frozen) return;
    this.follow();
    this.frozen = true;
    this.resume = !this.world.transport.paused;
    this.world.transport.pause();
    // The frame that stays on the screen is the one that is meant.
    requestAnimationFrame(() => {
      if (!this.frozen || this.timeEdited) return;
      this.startMs = this.world.transport.moment();
      this.time.value = formatTime(this.startMs);
      this.#keep();
    });
  }

  #showEnd() {
    part(this.form, "end-field").hidden = this.endMs === null;
    part(this.form, "end-here").hidden = this.endMs !== null;
  }

  #grow() {
    this.text.style.height = "auto";
    if (this.text.value) this.text.style.height = `${this.text.scrollHeight + 2}px`;
  }

  #problem(sentence) {
    const box = part(this.form, "problem");
    box.textContent = sentence ?? "";
    box.hidden = sentence === null;
  }

  async #save() {
    const draft = { ...this.#read(), text: this.text.value.trim() };
    if (!draft.text) return;
    const duration = this.world.transport.duration * 1000;
    if (duration && draft.timestamp_ms > duration) {
      this.#problem(`The video is ${formatTime(duration)} long.`);
      return;
    }
    if (draft.end_ms !== null && draft.end_ms <= draft.timestamp_ms) {
      this.#problem("The end comes after the beginning.");
      return;
    }
    const playOn = this.resume;
    this.#reset();
    this.world.drafts.write(this.subject.draft, null);
    this.text.blur();
    const saving = this.world.save(draft);
    if (playOn) this.world.transport.play();
    await saving;
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.text.addEventListener("input", () => {
      if (this.text.value) this.#freeze();
      this.#problem(null);
      this.#grow();
      this.#keep();
      if (!this.text.value && this.endMs === null) this.frozen = false;
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.#save();
      } else if (event.key === "]" && !this.text.value.includes("[") && this.endMs === null) {
        if (this.endHere()) event.preventDefault();
      }
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      this.cancel();
    });
    for (const [field, name] of [[this.time, "startMs"], [this.end, "endMs"]]) {
      field.addEventListener("focus", () => {
        this.#freeze();
        field.select();
      });
      field.addEventListener("change", () => {
        const ms = parseTime(field.value);
        field.setAttribute("aria-invalid", String(ms === null && field.value !== ""));
        if (ms !== null || (field === this.end && field.value === "")) {
          this[name] = ms;
          this.timeEdited = true;
          if (ms !== null) this.world.transport.seekToMoment(ms);
          this.#problem(null);
        } else {
          this.#problem("Times look like 0:23.4.");
        }
        this.#showEnd();
        this.#keep();
      });
    }
    part(this.form, "end-here").addEventListener("click", () => this.endHere());
    part(this.form, "cancel").addEventListener("click", () => this.cancel());
    this.form.addEventListener("change", () => this.#keep());
  }
}
