// Sends what the vault holds, one at a time, in whichever tab is open; the others watch.

import { api } from "../api.js";
import { sha256Hex } from "./gate.js";
import { putBlob } from "./put.js";
import { sendUntilDone } from "./send.js";

const LOCK = "cadenza-send";

/** Wait, or less when the network comes back. */
export function waitForNetwork(seconds) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    addEventListener("online", done);
  });
}

/** One tab at a time; without the Locks API repeats are harmless all the same. */
function alone(work) {
  return navigator.locks ? navigator.locks.request(LOCK, work) : work();
}

/** Submit one item of the vault: from here on it is sent whatever happens to this page. */
export async function submit(vault, item) {
  const ready = { ...item, submitted: true, refused: null, sha256: await sha256Hex(item.blob) };
  await vault.put(ready);
  return ready;
}

/** Send an item until it is confirmed or refused. `onState` as in `sendUntilDone`. */
export function send(vault, item, onState) {
  return alone(async () => {
    const still = await vault.get(item.id);
    if (!still) {
      onState({ state: "sent", answer: null }); // another tab was quicker
      return null;
    }
    return sendUntilDone(still, { api, put: putBlob, vault }, { onState, wait: waitForNetwork });
  });
}
