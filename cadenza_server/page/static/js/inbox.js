// The queue: walked by keys, scrubbed by pointer, kept true by events.

import { announce } from "./parts.js";
import { isTyping, readKeys } from "./keys.js";
import { onEvent } from "./live.js";
import { refreshSoon } from "./refresh.js";
import { scrubThumbnails } from "./scrub.js";

const STEPS = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

const rows = () => [...document.querySelectorAll("[data-walk] [data-row]")];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(document.activeElement) || document.querySelector("dialog[open], details[open]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key.length === 1 && readKeys(localStorage).off) return;
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(document.activeElement);
  if (key in STEPS) {
    const next = here < 0 ? (STEPS[key] > 0 ? 0 : all.length - 1) : here + STEPS[key];
    focusRow(all[Math.max(0, Math.min(all.length - 1, next))]);
  } else if (here >= 0 && (key === "Home" || key === "End")) {
    focusRow(all.at(key === "Home" ? 0 : -1));
  } else {
    return;
  }
  event.preventDefault();
});

function focusRow(row) {
  row.focus({ preventScroll: true, focusVisible: true });
  row.scrollIntoView({ block: "nearest" });
}

const filters = document.querySelector("[data-filters]");
filters?.addEventListener("change", () => {
  for (const field of filters.elements) {
    if (field.name && !field.value) field.disabled = true; // no empty names in the address
  }
  filters.requestSubmit();
});

onEvent("*", refreshSoon);
onEvent("submission.uploaded", () => announce("A new take has arrived."));

scrubThumbnails();
