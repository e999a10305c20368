// One recording: every second goes to the vault as it comes, so that a crash costs one second.

import { Countdown } from "./countdown.js";
import { chooseFormat, MAX_SECONDS } from "./format.js";
import { grab } from "./still.js";

const BITS = { videoBitsPerSecond: 1_900_000, audioBitsPerSecond: 128_000 }; // 3 min ≈ 46 MB

const lockOf = (id) => `cadenza-recording-${id}`;

/** Whether some tab is recording it at this moment: then it is no left-over of a crash. */
export async function isBeingRecorded(item) {
  if (!item.recording || !navigator.locks) return false;
  const { held } = await navigator.locks.query();
  return held.some((lock) => lock.name === lockOf(item.id));
}

export class RecordingSession {
  /**
   * @param {object} world `vault`, `stream`, `preview` (video element), `item` (what is kept of it),
   *   `onTick(remainingMs)`, `onStop(item)`, `onError(error)`.
   */
  constructor(world) {
    this.world = world;
    this.chunks = 0;
    this.writes = Promise.resolve();
    this.thumbnail = null;
    this.countdown = new Countdown(
      { onTick: world.onTick, onEnd: () => this.stop() },
      MAX_SECONDS * 1000,
    );
  }

  async start() {
    const { vault, stream, item } = this.world;
    const mimeType = chooseFormat((type) => MediaRecorder.isTypeSupported(type));
    this.recorder = new MediaRecorder(stream, { mimeType, ...BITS });
    item.mimeType = this.recorder.mimeType || mimeType;
    const over = new Promise((resolve) => {
      this.release = resolve;
    });
    navigator.locks?.request(lockOf(item.id), () => over);
    await vault.put({ ...item, blob: null, recording: true });
    this.recorder.ondataavailable = ({ data }) => this.#keep(data);
    this.recorder.onstop = () => this.#finish();
    this.recorder.onerror = ({ error }) => this.world.onError(error);
    this.recorder.start(1000);
    this.countdown.start();
    setTimeout(() => this.#picture(), 1000);
  }

  stop() {
    if (this.recorder?.state !== "recording") return;
    this.durationMs = this.countdown.stop();
    this.recorder.stop();
  }

  #keep(data) {
    if (!data.size) return;
    const number = this.chunks;
    this.chunks += 1;
    this.writes = this.writes
      .then(() => this.world.vault.addChunk(this.world.item.id, number, data))
      .catch((error) => this.world.onError(error));
  }

  async #picture() {
    this.thumbnail ??= await grab(this.world.preview);
  }

  async #finish() {
    const { vault, item, stream } = this.world;
    await this.#picture();
    await this.writes;
    const { width, height } = stream.getVideoTracks()[0]?.getSettings() ?? {};
    const blob = await vault.assemble(item.id, item.mimeType);
    const done = {
      ...item, blob, width, height,
      recording: false, durationMs: this.durationMs, thumbnail: this.thumbnail,
    };
    await vault.put(done);
    await vault.dropChunks(item.id);
    this.release();
    this.world.onStop(done);
  }
}

/** A recording that was cut off by a crash or a reload: what there is of it, one chunk a second. */
export async function rescue(vault, item) {
  const blob = await vault.assemble(item.id, item.mimeType);
  if (!blob.size) {
    await vault.discard(item.id);
    return null;
  }
  const seconds = await vault.chunkCount(item.id);
  const rescued = { ...item, blob, recording: false, durationMs: seconds * 1000, thumbnail: null };
  await vault.put(rescued);
  await vault.dropChunks(item.id);
  return rescued;
}
