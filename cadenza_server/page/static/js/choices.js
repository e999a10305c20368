// What a person wants to be told of at once, on this device.

const STORAGE_KEY = "cadenza.tell";

/** Types of notification that were switched off. */
export function readSilenced(storage) {
  try {
    const saved = JSON.parse(storage.getItem(STORAGE_KEY) ?? "[]");
    return new Set(Array.isArray(saved) ? saved : []);
  } catch {
    return new Set();
  }
}

export function writeSilenced(storage, silenced) {
  storage.setItem(STORAGE_KEY, JSON.stringify([...silenced]));
}
