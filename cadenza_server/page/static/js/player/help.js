// The list of keys, as they are set now.

import { openDialog } from "../dialog.js";
import { ACTIONS, keysOf, shownKey } from "../keys.js";
import { el, part } from "../parts.js";

const TEACHERS = new Set(["type1", "type3", "review", "nextInQueue"]);

export function showHelp(dialog, saved, role) {
  const rows = ACTIONS.filter((action) => role === "teacher" || !TEACHERS.has(action.id)).map(
    (action) =>
      el(
        "div",
        { class: "key-row" },
        el("dt", {}, action.title),
        el("dd", {}, keysOf(action, saved).map((name) => el("kbd", {}, shownKey(name)))),
      ),
  );
  part(dialog, "keys").replaceChildren(...rows);
  part(dialog, "keys-off").hidden = !saved.off;
  openDialog(dialog);
}
