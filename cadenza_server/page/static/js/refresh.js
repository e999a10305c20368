// The page as the server would draw it now, put into the page that is open: no second set of
// templates in the browser. Focus, scroll and pictures that stay the same are kept.

import { writeTimes } from "./times.js";

const TOGETHER_MS = 120;
let timer = null;
let running = false;
let again = false;

/** Draw the `[data-live]` parts again, soon; many calls make one request. */
export function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, TOGETHER_MS);
}

/** Draw them again now. Resolves when done; a page that can't be fetched stays as it is. */
export async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.ok && !response.redirected) {
      put(new DOMParser().parseFromString(await response.text(), "text/html"));
    }
  } catch {
    // Offline: the banner says so, and the next event tries again.
  } finally {
    running = false;
    if (again) {
      again = false;
      refreshSoon();
    }
  }
}

function put(fresh) {
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    keepPictures(part, next);
    part.replaceChildren(...next.childNodes);
    if (focused) (document.getElementById(focused) ?? nearest(part))?.focus({ preventScroll: true });
  }
  writeTimes();
  document.dispatchEvent(new CustomEvent("cadenza:refreshed"));
}

/** A signed address differs each time; the picture behind the same key does not. */
function keepPictures(part, next) {
  const here = new Map([...part.querySelectorAll("img[data-key]")].map((img) => [img.dataset.key, img]));
  for (const img of next.querySelectorAll("img[data-key]")) {
    const kept = here.get(img.dataset.key);
    if (kept) img.replaceWith(kept);
  }
}

/** What had the focus is gone (a take was reviewed): the first of what is left gets it. */
function nearest(part) {
  return part.querySelector("[data-row]") ?? document.querySelector("main");
}
