// Sends what the vault holds, one at a time, in whichever tab is open; the others watch.

import { api } from "../api.js";
import { sha256Hex } from "./gate.js";
import { putBlob } from "./put.js";
import { sendUntilDone } from "./send.js";

const LOCK = "cadenza-send";
const CHANNEL = "cadenza-sending";
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;

/**
 * Call `fn` with {id, state, share} as recordings are sent, by this tab or another.
 * @returns {() => void} stops listening
 */
export function hearOfSending(fn) {
  if (!channel) return () => {};
  const ear = new BroadcastChannel(CHANNEL); // a channel does not hear itself
  ear.addEventListener("message", ({ data }) => fn(data));
  return () => ear.close();
}

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
  // While another tab sends it, its progress is told here too.
  const stop = hearOfSending(({ id, state, share }) => {
    if (id === item.id && ["sending", "waiting"].includes(state)) onState({ state, share });
  });
  return alone(async () => {
    stop();
    const still = await vault.get(item.id);
    if (!still) {
      const answer = { [item.kind === "reply" ? "message" : "submission"]: { id: item.id } };
      onState({ state: "sent", answer }); // another tab was quicker
      return answer;
    }
    if (still.refused) {
      onState({ state: "refused", error: { detail: still.refused } });
      return null;
    }
    const tell = (told) => {
      channel?.postMessage({ id: item.id, state: told.state, share: told.share });
      onState(told);
    };
    const world = { api, put: putBlob, vault };
    return sendUntilDone(still, world, { onState: tell, wait: waitForNetwork });
  });
}
