// Settings take effect at once; only the teacher is the server's business.

import { api } from "./api.js";
import { readSilenced, writeSilenced } from "./choices.js";
import { confirmDialog } from "./dialog.js";
import { el } from "./dom.js";
import { ACTIONS, keyName, keysOf, readKeys, remap, shownKey, writeKeys } from "./keys.js";
import { toast } from "./toast.js";

const YEAR_SECONDS = 31536000;

// ── appearance ──────────────────────────────────────────────────────────────

document.querySelector("[data-theme-choice]").addEventListener("change", ({ target }) => {
  document.documentElement.dataset.theme = target.value;
  const secure = location.protocol === "https:" ? "; secure" : "";
  // A cookie, so that the server draws the first picture in the right colours.
  document.cookie = `cadenza_theme=${target.value}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
});

// ── what to be told of ──────────────────────────────────────────────────────

const silenced = readSilenced(localStorage);
for (const box of document.querySelectorAll("[data-choices] input")) {
  box.checked = !silenced.has(box.name);
  box.addEventListener("change", () => {
    if (box.checked) silenced.delete(box.name);
    else silenced.add(box.name);
    writeSilenced(localStorage, silenced);
  });
}

// ── keys ────────────────────────────────────────────────────────────────────

const list = document.querySelector("[data-keys]");
const on = document.querySelector("[data-keys-on]");
const said = document.querySelector("[data-keys-said]");
let saved = readKeys(localStorage);
let listening = null;

function drawKeys(focusId = null) {
  on.checked = !saved.off;
  list.replaceChildren(
    ...ACTIONS.map((action) => {
      const keys = keysOf(action, saved);
      const button = el(
        "button",
        {
          type: "button",
          class: "button is-small",
          "aria-label": `Change the key of: ${action.title}`,
          onclick: () => listenFor(action, button),
        },
        "Change",
      );
      button.dataset.action = action.id;
      return el(
        "li",
        {},
        el("span", { class: "what" }, action.title),
        el("span", { class: "which" }, ...(keys.length ? keys.map((key) => el("kbd", {}, shownKey(key))) : [el("span", { class: "soft small" }, "none")])),
        button,
      );
    }),
  );
  if (focusId) list.querySelector(`[data-action="${focusId}"]`)?.focus();
}

function listenFor(action, button) {
  stopListening();
  listening = { action, button };
  button.classList.add("is-listening");
  button.textContent = "Press a key";
  said.textContent = `Press the new key of “${action.title}”. Escape leaves it.`;
}

function stopListening() {
  if (!listening) return;
  listening.button.classList.remove("is-listening");
  listening.button.textContent = "Change";
  listening = null;
}

const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Unidentified"]);

addEventListener("keydown", (event) => {
  if (!listening || MODIFIERS.has(event.key)) return;
  if (event.key === "Tab") {
    said.textContent = "";
    stopListening();
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  const { action } = listening;
  stopListening();
  if (event.key === "Escape" || event.ctrlKey || event.altKey || event.metaKey) {
    said.textContent = "Left as it was.";
    return;
  }
  const name = keyName(event);
  saved = remap(saved, action.id, [name]);
  writeKeys(localStorage, saved);
  drawKeys(action.id);
  said.textContent = `${action.title}: ${shownKey(name)}.`;
}, true);

on.addEventListener("change", () => {
  saved = { ...saved, off: !on.checked };
  writeKeys(localStorage, saved);
});

document.querySelector("[data-keys-reset]").addEventListener("click", () => {
  saved = { off: false, keys: {} };
  writeKeys(localStorage, saved);
  drawKeys();
  said.textContent = "All keys are as they were.";
});

drawKeys();

// ── the teacher ─────────────────────────────────────────────────────────────

const form = document.querySelector("[data-teacher]");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = document.getElementById("teacher-problem");
  const field = form.elements.email;
  problem.hidden = true;
  field.removeAttribute("aria-invalid");
  try {
    await api("POST", `/users/set-teacher?teacher_email=${encodeURIComponent(field.value.trim())}`);
    location.reload();
  } catch (error) {
    problem.textContent = error.detail;
    problem.hidden = false;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
});

const remove = document.querySelector("[data-remove-teacher]");
remove?.addEventListener("click", async () => {
  const sure = await confirmDialog({
    title: "Have no teacher?",
    text: `${remove.dataset.name} will not see any of your takes any more, nor answer them.`,
    yes: "Have no teacher",
    danger: true,
  });
  if (!sure) return;
  try {
    await api("DELETE", "/users/remove-teacher");
    location.reload();
  } catch (error) {
    toast(error.detail);
  }
});
