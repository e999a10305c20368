// The player's keys as they stand on this device.

import { el } from "./dom.js";
import { ACTIONS, keysOf, readKeys, shownKey } from "./keys.js";

const saved = readKeys(localStorage);
document.querySelector("[data-keys]").replaceChildren(
  ...ACTIONS.map((action) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, action.title),
      el("td", {}, ...keysOf(action, saved).map((key) => el("kbd", {}, shownKey(key)))),
    ),
  ),
);
