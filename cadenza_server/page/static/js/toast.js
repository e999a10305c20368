// Short messages at the bottom: read aloud, gone by themselves, kept while pointed at.

import { el } from "./dom.js";

const SECONDS = 5;

/**
 * @param {string} text
 * @param {{action?: string, onAction?: () => void, seconds?: number, onGone?: () => void}} [options]
 *   `onGone` is called when the message went away without its action being chosen.
 * @returns {() => void} takes it away now
 */
export function toast(text, { action, onAction, seconds = SECONDS, onGone } = {}) {
  const place = document.querySelector("[data-toasts]");
  let timer;
  const remove = (chosen) => {
    clearTimeout(timer);
    if (!box.isConnected) return;
    box.remove();
    if (chosen) onAction?.();
    else onGone?.();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => remove(false), seconds * 1000);
  };
  const button = el("button", { type: "button", onclick: () => remove(Boolean(action)) }, action ?? "Close");
  const box = el("div", { class: "toast" }, el("p", {}, text), button);
  for (const [stop, go] of [["pointerenter", "pointerleave"], ["focusin", "focusout"]]) {
    box.addEventListener(stop, () => clearTimeout(timer));
    box.addEventListener(go, wait);
  }
  place.append(box);
  wait();
  return () => remove(false);
}
