// The player's keys: what each does, which keys do it, and what the user changed.
// Kept in localStorage under `cadenza.keys`: {"off": bool, "keys": {action: [key, …]}}.

export const STORAGE_KEY = "cadenza.keys";

/** Every action in the order of the help. Pedals send PageUp, PageDown or the arrows. */
export const ACTIONS = Object.freeze([
  { id: "play", title: "Play or pause", keys: ["Space", "K"] },
  { id: "back5", title: "Back 5 seconds", keys: ["J"] },
  { id: "forward5", title: "Forward 5 seconds", keys: ["L"] },
  { id: "back1", title: "Back 1 second", keys: ["ArrowLeft"] },
  { id: "forward1", title: "Forward 1 second", keys: ["ArrowRight"] },
  { id: "frameBack", title: "One frame back", keys: [","] },
  { id: "frameForward", title: "One frame forward", keys: ["."] },
  { id: "slower", title: "A little slower (0.05)", keys: ["<"] },
  { id: "faster", title: "A little faster (0.05)", keys: [">"] },
  { id: "muchSlower", title: "Slower (0.25)", keys: ["-"] },
  { id: "muchFaster", title: "Faster (0.25)", keys: ["="] },
  { id: "speed1", title: "Normal speed", keys: ["0"] },
  { id: "loopIn", title: "Loop from here", keys: ["I"] },
  { id: "loopOut", title: "Loop to here", keys: ["O"] },
  { id: "loopToggle", title: "Loop on or off", keys: ["R"] },
  { id: "loopClear", title: "Clear the loop", keys: ["\\"] },
  { id: "mark", title: "Add a marker", keys: ["M"] },
  { id: "markEnd", title: "Marker ends here", keys: ["]"] },
  { id: "type1", title: "Marker: feedback", keys: ["1"] },
  { id: "type2", title: "Marker: question", keys: ["2"] },
  { id: "type3", title: "Marker: praise", keys: ["3"] },
  { id: "nextMarker", title: "Next marker", keys: ["N", "PageDown"] },
  { id: "previousMarker", title: "Previous marker", keys: ["P", "PageUp"] },
  { id: "review", title: "Mark as reviewed", keys: ["E"] },
  { id: "nextInQueue", title: "Next in the queue", keys: ["U"] },
  { id: "reply", title: "Write a reply", keys: ["Enter"] },
  { id: "backToTake", title: "Back from a reply to the take", keys: ["Escape"] },
  { id: "fullscreen", title: "Full screen", keys: ["F"] },
  { id: "help", title: "Show the keys", keys: ["?"] },
]);

const NAMES = { " ": "Space", "+": "=" };

/** One name for a key, whatever the case and the modifier that was needed to type it. */
export function keyName({ key, shiftKey = false }) {
  // Shift+, and Shift+. on keyboards that have ; and : there.
  if ((key === ";" || key === ":") && shiftKey) return key === ";" ? "<" : ">";
  const name = NAMES[key] ?? key;
  return name.length === 1 ? name.toUpperCase() : name;
}

const TEXT_INPUTS = new Set([
  "text", "search", "email", "url", "tel", "password", "number", "date", "time", "datetime-local",
]);

/** Whether keys are being written into something: then none of them is a command. */
export function isTyping(element) {
  if (!element || !element.tagName) return false;
  const tag = element.tagName;
  if (tag === "TEXTAREA" || tag === "SELECT" || element.isContentEditable) return true;
  return tag === "INPUT" && TEXT_INPUTS.has(element.type || "text");
}

/** Space and Enter belong to what has the focus, when that is something to press. */
export function belongsToFocus(element, name) {
  if (!element || !element.tagName) return false;
  if (name === "Space" || name === "Enter") {
    return Boolean(element.closest?.("button, a[href], summary, input, [role=button], [role=radio]"));
  }
  if (name.startsWith("Arrow") || name.startsWith("Page")) {
    return Boolean(element.closest?.("[role=slider], input[type=range], input[type=radio], [role=menu], dialog"));
  }
  return false;
}

/** What the user changed; anything unreadable counts as nothing. */
export function readKeys(storage) {
  try {
    const saved = JSON.parse(storage.getItem(STORAGE_KEY) ?? "{}");
    const known = new Set(ACTIONS.map((action) => action.id));
    const keys = Object.fromEntries(
      Object.entries(saved.keys ?? {}).filter(([id, names]) => known.has(id) && Array.isArray(names)),
    );
    return { off: saved.off === true, keys };
  } catch {
    return { off: false, keys: {} };
  }
}

export function writeKeys(storage, { off = false, keys = {} }) {
  storage.setItem(STORAGE_KEY, JSON.stringify({ off, keys }));
}

/** The keys of one action, as they stand. */
export function keysOf(action, saved) {
  return saved.keys[action.id] ?? action.keys;
}

/** Give an action other keys; whoever had them loses them. */
export function remap(saved, actionId, names) {
  const keys = { ...saved.keys };
  for (const action of ACTIONS) {
    const now = keysOf(action, { keys });
    if (action.id !== actionId && now.some((name) => names.includes(name))) {
      keys[action.id] = now.filter((name) => !names.includes(name));
    }
  }
  keys[actionId] = [...names];
  return { ...saved, keys };
}

/** The action a key press stands for, or null. */
export function actionFor(event, saved) {
  if (saved.off || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const name = keyName(event);
  const found = ACTIONS.find((action) => keysOf(action, saved).includes(name));
  return found ? found.id : null;
}

const SHOWN = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓",
  Escape: "Esc", PageUp: "Page ↑", PageDown: "Page ↓", "<": "Shift ,", ">": "Shift .",
};

export function shownKey(name) {
  return SHOWN[name] ?? name;
}
