// The recorder as one sees it: ask, preview, record, look at it, say something, send.

import { newId } from "../ids.js";
import { announce, part } from "../parts.js";
import { canRecord, close, constraints, listDevices, sentenceOf } from "./devices.js";
import { remainingText } from "./countdown.js";
import { chooseFormat, MAX_SECONDS, refusal } from "./format.js";
import { barShare, watchLevel } from "./level.js";
import { send, submit } from "./outgoing.js";
import { isBeingRecorded, rescue, RecordingSession } from "./session.js";
import { inspect } from "./still.js";

const VERDICTS = {
  quiet: "Very quiet. Is this the right microphone?",
  loud: "Very loud: it may crackle. Move a little away.",
  good: "Good",
};

/** Which parts each state shows. */
const SHOWN = {
  asking: ["preview", "message"],
  blocked: ["preview", "message", "retry", "pick"],
  ready: ["preview", "countdown", "level", "devices", "start", "pick"],
  recording: ["preview", "countdown", "level", "live", "stop"],
  review: ["playback", "form"],
  sending: ["playback", "sending"],
  sent: ["playback", "sending"],
};
const ALL = new Set(Object.values(SHOWN).flat());

export class RecorderView {
  /**
   * @param {HTMLElement} root `[data-part=recorder]`.
   * @param {object} world `vault`, `userId`, `kind` "take" or "reply", `submissionId`,
   *   `itemId` (what to begin with, of what is left over), `onSent(answer)`, `onState(state)`.
   */
  constructor(root, world) {
    this.root = root;
    this.world = world;
    this.item = null;
    this.stream = null;
    this.stopLevel = () => {};
    this.#listen();
  }

  /** Begin: with a file, with what was left over, or with the camera. */
  async open({ file = null, text = "" } = {}) {
    part(this.root, "notes").value = text;
    if (file) await this.useFile(file);
    else if (!(await this.#leftOver())) await this.ask();
  }

  /** Let go of camera and microphone; what is recorded stays in the vault. */
  leave() {
    this.session?.stop();
    this.#release();
  }

  async ask() {
    if (!canRecord() || !chooseFormat((type) => MediaRecorder.isTypeSupported(type))) {
      this.#blocked(sentenceOf(null));
      return;
    }
    this.show("asking", "The camera and the microphone are asked for…");
    try {
      await this.#openStream();
      this.show("ready");
    } catch (error) {
      this.#blocked(sentenceOf(error));
    }
  }

  show(state, message = null) {
    const { root } = this;
    root.dataset.state = state;
    for (const name of ALL) part(root, name).hidden = !SHOWN[state].includes(name);
    if (message !== null) part(root, "message").textContent = message;
    this.world.onState?.(state);
  }

  async record() {
    this.item = this.#newItem();
    this.session = new RecordingSession({
      vault: this.world.vault,
      stream: this.stream,
      preview: part(this.root, "preview"),
      item: this.item,
      onTick: (ms) => this.#tick(ms),
      onStop: (item) => this.review(item),
      onError: (error) => this.#blocked(`The recording failed: ${error.message}`),
    });
    try {
      await this.session.start();
      this.show("recording");
      announce("Recording");
      part(this.root, "stop").focus();
    } catch (error) {
      this.#blocked(`The recording could not be started: ${error.message}`);
    }
  }

  async useFile(file) {
    try {
      const { seconds, width, height, thumbnail } = await inspect(file);
      const sentence = refusal({ type: file.type, size: file.size, seconds, width, height });
      if (sentence) {
        this.#blocked(sentence);
        return;
      }
      const item = {
        ...this.#newItem(), blob: file, width, height, thumbnail,
        durationMs: Number.isFinite(seconds) ? seconds * 1000 : MAX_SECONDS * 1000,
      };
      await this.world.vault.put(item);
      this.review(item);
    } catch {
      this.#blocked("This file can't be opened as a video.");
    }
  }

  review(item) {
    this.item = item;
    this.#release();
    const playback = part(this.root, "playback");
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(item.blob);
    playback.src = this.url;
    if (item.notes) part(this.root, "notes").value = item.notes;
    this.show("review");
    announce("Recorded. Look at it, then send it.");
    part(this.root, "submit").focus();
  }

  async submit() {
    const { vault } = this.world;
    this.show("sending");
    part(this.root, "sending-text").textContent = "Preparing…";
    const old = this.item;
    // What the server refused once may have been announced: other words need another id.
    if (old.submitted) this.item = { ...old, id: newId() };
    this.item = await submit(vault, { ...this.item, ...this.#words() });
    if (old.id !== this.item.id) await vault.discard(old.id);
    await this.follow(this.item);
  }

  /** Send an item and say how it goes. */
  async follow(item) {
    const text = part(this.root, "sending-text");
    const bar = part(this.root, "progress");
    this.show("sending");
    const answer = await send(this.world.vault, item, ({ state, share, error }) => {
      if (state === "sending") {
        bar.value = share;
        text.textContent = share < 1 ? `Sending ${Math.round(share * 100)} %` : "Checking…";
      } else if (state === "waiting") {
        text.textContent = "No connection. It is kept on this device and sent by itself.";
      } else if (state === "refused") {
        this.show("review");
        part(this.root, "message").hidden = false;
        part(this.root, "message").textContent = error.detail ?? "It was not accepted.";
      } else {
        bar.value = 1;
        text.textContent = "Sent.";
        this.show("sent");
      }
    });
    if (answer) this.world.onSent?.(answer);
  }

  async discard() {
    await this.world.vault.discard(this.item.id);
    this.item = null;
    part(this.root, "notes").value = "";
    part(this.root, "playback").removeAttribute("src");
    await this.ask();
  }

  #newItem() {
    const { kind, submissionId, userId } = this.world;
    return {
      id: newId(), kind, submissionId: submissionId ?? null, userId, submitted: false,
      capturedAt: `${new Date().toISOString().slice(0, 19)}Z`, sha256: null, notes: "",
    };
  }

  /** What is written beside the recording. */
  #words() {
    const number = (name) => Number(part(this.root, name)?.value) || null;
    const words = { notes: part(this.root, "notes").value.trim() };
    if (this.world.kind === "reply") return words;
    const context = part(this.root, "context");
    const [field, id] = context.value.split(":");
    const title = context.selectedOptions[0]?.text; // for the list, as long as the server has none
    return { ...words, title, context: { [field]: id }, page: number("page"), measure: number("measure") };
  }

  /** What an earlier visit left: cut off, or looked at and not sent. */
  async #leftOver() {
    const { vault, userId, kind, submissionId } = this.world;
    const mine = (await vault.items(userId)).filter(
      (item) => item.kind === kind && item.submissionId === (submissionId ?? null),
    );
    const asked = mine.find((item) => item.id === this.world.itemId);
    if (asked) mine.unshift(asked);
    const unsent = (asked ? [asked] : mine).find((item) => item.submitted && !item.refused);
    if (unsent) {
      this.item = unsent;
      if (unsent.blob) part(this.root, "playback").src = URL.createObjectURL(unsent.blob);
      this.follow(unsent);
      return true;
    }
    for (const item of mine.filter((one) => !one.submitted || one.refused)) {
      if (await isBeingRecorded(item)) continue;
      const whole = item.recording ? await rescue(vault, item) : item;
      if (whole) {
        this.review(whole);
        return true;
      }
    }
    return false;
  }

  async #openStream() {
    this.#release();
    const camera = part(this.root, "camera");
    const microphone = part(this.root, "microphone");
    this.stream = await navigator.mediaDevices.getUserMedia(
      constraints({ cameraId: camera.value, microphoneId: microphone.value }),
    );
    const preview = part(this.root, "preview");
    preview.srcObject = this.stream;
    preview.play().catch(() => {});
    const idOf = (track) => track?.getSettings().deviceId;
    await listDevices(camera, "videoinput", idOf(this.stream.getVideoTracks()[0]));
    await listDevices(microphone, "audioinput", idOf(this.stream.getAudioTracks()[0]));
    const meter = part(this.root, "meter");
    this.stopLevel = watchLevel(this.stream, (db, verdict) => {
      meter.value = Math.max(barShare(db), meter.value - 0.04); // falls slowly, as needles do
      const sentence = VERDICTS[verdict];
      const place = part(this.root, "verdict");
      if (place.textContent !== sentence) place.textContent = sentence;
      this.root.dataset.level = verdict;
    });
  }

  #release() {
    this.stopLevel();
    this.stopLevel = () => {};
    close(this.stream);
    this.stream = null;
    part(this.root, "preview").srcObject = null;
  }

  #blocked(sentence) {
    this.#release();
    this.show("blocked", sentence);
  }

  #tick(ms) {
    const text = remainingText(ms);
    const countdown = part(this.root, "countdown");
    if (countdown.textContent !== text) countdown.textContent = text;
    this.root.classList.toggle("is-ending", ms <= 10000);
  }

  #listen() {
    const on = (name, event, act) => part(this.root, name)?.addEventListener(event, act);
    on("start", "click", () => this.record());
    on("stop", "click", () => this.session.stop());
    on("retry", "click", () => this.ask());
    on("discard", "click", () => this.discard());
    on("camera", "change", () => this.ask());
    on("microphone", "change", () => this.ask());
    on("file", "change", ({ target }) => {
      if (target.files.length) this.useFile(target.files[0]);
      target.value = "";
    });
    on("form", "submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    addEventListener("beforeunload", (event) => {
      if (this.root.dataset.state === "recording") event.preventDefault();
    });
  }
}
