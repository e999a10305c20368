// What the player and the recorder add to `dom.js`: lists of children, data, named parts.

import { el as make } from "./dom.js";

export { icon } from "./dom.js";

/** Like `el` of dom.js; children may be lists, and `dataset` is an object. */
export function el(tag, { dataset, ...attributes } = {}, ...children) {
  const kept = children.flat(2).filter((child) => child !== false && child !== "");
  const element = make(tag, attributes, ...kept);
  Object.assign(element.dataset, dataset ?? {});
  return element;
}

/** Inside `root`, the one element that plays a part: `part(root, "play")` is `[data-part=play]`. */
export function part(root, name) {
  return root.querySelector(`[data-part="${name}"]`);
}

/** Say something to screen readers, once. */
export function announce(text) {
  const region = document.querySelector("[data-part=announcer]");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
