// The bar under the conversation: write, record a reply, attach a file. Nothing typed is lost.

import { newId } from "../ids.js";
import { part } from "../parts.js";

const DRAFT = "reply";

export class ReplyBar {
  /** @param {object} hooks `drafts`, `send({id, text})`, `record(id, text)`, `attach(file, text)`. */
  constructor(form, hooks) {
    this.form = form;
    this.hooks = hooks;
    this.text = part(form, "reply-text");
    const draft = hooks.drafts.read(DRAFT);
    this.id = draft?.id ?? newId();
    this.text.value = draft?.text ?? "";
    this.#grow();
    this.#listen();
  }

  focus() {
    this.text.focus();
  }

  /** Put back what the server refused. */
  takeBack(text) {
    if (this.text.value) return;
    this.text.value = text;
    this.#keep();
    this.#grow();
  }

  clear() {
    this.text.value = "";
    this.id = newId();
    this.#keep();
    this.#grow();
  }

  #keep() {
    const text = this.text.value;
    this.hooks.drafts.write(DRAFT, text.trim() ? { id: this.id, text } : null);
  }

  #grow() {
    this.text.style.height = "auto";
    if (this.text.value) this.text.style.height = `${this.text.scrollHeight + 2}px`;
  }

  #send() {
    const text = this.text.value.trim();
    if (!text) return;
    const message = { id: this.id, text };
    this.clear();
    this.hooks.send(message);
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.text.addEventListener("input", () => {
      this.#keep();
      this.#grow();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.#send();
      } else if (event.key === "Escape") {
        this.text.blur();
      }
    });
    part(this.form, "reply-record").addEventListener("click", () => this.hooks.record(this.text.value.trim()));
    const file = part(this.form, "reply-file");
    part(this.form, "reply-attach").addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files.length) this.hooks.attach(file.files[0], this.text.value.trim());
      file.value = "";
    });
  }
}
