// From a key to what it does: one listener for the page, quiet while something is being written.

import { actionFor, belongsToFocus, isTyping, keyName, readKeys } from "../keys.js";

/** Keep doing while the key is held; everything else counts once. */
const REPEATING = new Set([
  "back5", "forward5", "back1", "forward1", "frameBack", "frameForward",
  "slower", "faster", "muchSlower", "muchFaster",
]);

/**
 * @param {Record<string, () => void>} acts by action id.
 * @returns {() => object} the keys as they are set now.
 */
export function listenToKeys(acts, storage = localStorage) {
  let saved = readKeys(storage);
  addEventListener("storage", () => {
    saved = readKeys(storage);
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const action = actionFor(event, saved);
    if (!action || !acts[action]) return;
    if (belongsToFocus(event.target, keyName(event))) return;
    event.preventDefault();
    if (event.repeat && !REPEATING.has(action)) return;
    acts[action]();
  });
  return () => saved;
}
