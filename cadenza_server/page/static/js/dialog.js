// Questions that need an answer, in a real <dialog>: focus stays inside, Escape says no.

import { el } from "./dom.js";

/** Open a dialog of the page; a click on the ground beside it closes it. */
export function openDialog(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && event.detail) dialog.close();
  });
  dialog.showModal();
}

/**
 * Ask before something that can't be undone.
 * @param {{title: string, text: string, yes: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, yes, danger = false }) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": "confirm-title" },
      el("h2", { id: "confirm-title" }, title),
      el("p", { class: "soft" }, text),
      el(
        "form",
        { method: "dialog", class: "dialog-actions" },
        el("button", { class: "button", value: "no", autofocus: true }, "Cancel"),
        el("button", { class: `button ${danger ? "button-danger" : "button-primary"}`, value: "yes" }, yes),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    openDialog(dialog);
  });
}
