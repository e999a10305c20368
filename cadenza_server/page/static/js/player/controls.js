// The buttons under the picture and the commands of the keys: the same things, one place.

import { announce, part } from "../parts.js";
import { icon } from "../dom.js";
import {
  isComplete, loopRange, moveEnd, NO_LOOP, nudge, setEnd, setStart, toggle, wrapTarget,
} from "./loop.js";
import { changeSpeed, speedText } from "./speed.js";
import { clamp, formatTime } from "./time.js";

export class Controls {
  /** @param {object} world `root`, `transport`, `scrubber`, `onTime(ms)`. */
  constructor(world) {
    this.world = world;
    this.loop = NO_LOOP;
    this.#listen();
    this.#showSpeed();
    this.#showLoop();
  }

  /** Actions by the ids of keys.js. */
  acts() {
    const by = (seconds) => () => this.seekBy(seconds);
    const speed = (step) => () => this.setSpeed(changeSpeed(this.world.transport.speed, step));
    return {
      play: () => this.world.transport.toggle(),
      back5: by(-5),
      forward5: by(5),
      back1: by(-1),
      forward1: by(1),
      frameBack: () => this.step(-1),
      frameForward: () => this.step(1),
      slower: speed(-0.05),
      faster: speed(0.05),
      muchSlower: speed(-0.25),
      muchFaster: speed(0.25),
      speed1: () => this.setSpeed(1),
      loopIn: () => this.setLoop(setStart(this.loop, this.world.transport.seconds)),
      loopOut: () => this.setLoop(setEnd(this.loop, this.world.transport.seconds)),
      loopToggle: () => this.setLoop(toggle(this.loop)),
      loopClear: () => this.setLoop(NO_LOOP),
      fullscreen: () => this.fullscreen(),
    };
  }

  seekBy(seconds) {
    const { transport } = this.world;
    transport.seek(clamp(transport.seconds + seconds, 0, transport.duration));
    this.showTime();
  }

  step(frames) {
    this.world.transport.step(frames);
    this.showTime();
  }

  setSpeed(speed) {
    this.world.transport.speed = speed;
    this.#showSpeed();
    announce(`Speed ${speedText(speed)}`);
  }

  setLoop(loop) {
    const before = this.loop;
    this.loop = loop;
    this.#showLoop();
    if (before.on !== loop.on || before.end !== loop.end || before.start !== loop.start) {
      announce(this.#loopSentence());
    }
  }

  /** Loop a marker's passage and play it. */
  loopMarker(marker) {
    const { transport } = this.world;
    this.setLoop(loopRange(marker.timestamp_ms, marker.end_ms, transport.duration));
    if (!isComplete(this.loop)) return;
    transport.seek(this.loop.start);
    transport.play();
  }

  nudgeLoop(which, frames) {
    const { transport } = this.world;
    this.setLoop(nudge(this.loop, which, frames, transport.fps, transport.duration));
    if (transport.paused) transport.seek(this.loop[which]);
  }

  dragLoop(which, seconds) {
    this.loop = moveEnd(this.loop, which, seconds, this.world.transport.duration);
    this.#showLoop();
  }

  /** Called at every frame: show the time, jump back at the end of the loop. */
  showTime() {
    const { transport, scrubber, root } = this.world;
    const seconds = transport.seconds;
    scrubber.showTime(seconds);
    const text = formatTime(seconds * 1000);
    const clock = part(root, "clock");
    if (clock.textContent !== text) clock.textContent = text;
    part(root, "stage").classList.toggle("is-at-start", seconds < 0.05);
    this.world.onTime(seconds * 1000);
  }

  wrap({ ended = false } = {}) {
    const { transport } = this.world;
    if (transport.video.seeking || (!ended && transport.paused)) return;
    const target = wrapTarget(this.loop, transport.video.currentTime, { ended });
    if (target === null) return;
    transport.seek(target);
    if (ended) transport.play();
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else part(this.world.root, "stage").requestFullscreen?.().catch(() => {});
  }

  #showSpeed() {
    const { transport, root } = this.world;
    const text = speedText(transport.speed);
    part(root, "speed-text").textContent = text;
    const badge = part(root, "speed-badge");
    badge.hidden = transport.speed === 1;
    badge.textContent = text;
  }

  #showLoop() {
    const { root, scrubber } = this.world;
    scrubber.showLoop(this.loop);
    const complete = isComplete(this.loop);
    const button = part(root, "loop-toggle");
    button.setAttribute("aria-pressed", String(this.loop.on));
    button.disabled = !complete;
    part(root, "loop-clear").disabled = this.loop.start === null && this.loop.end === null;
    part(root, "loop-text").textContent = complete
      ? `${formatTime(this.loop.start * 1000)}–${formatTime(this.loop.end * 1000)}`
      : "";
  }

  #loopSentence() {
    if (!isComplete(this.loop)) {
      return this.loop.start === null ? "No loop" : `Loop from ${formatTime(this.loop.start * 1000)}`;
    }
    const range = `${formatTime(this.loop.start * 1000)} to ${formatTime(this.loop.end * 1000)}`;
    return this.loop.on ? `Looping ${range}` : "Loop off";
  }

  #listen() {
    const { root, transport } = this.world;
    const acts = this.acts();
    for (const button of root.querySelectorAll("[data-act]")) {
      const act = acts[button.dataset.act];
      if (act) button.addEventListener("click", act);
    }
    const { video } = transport;
    const showPlaying = () => this.#showPlaying();
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, showPlaying);
    video.addEventListener("ended", () => this.wrap({ ended: true }));
    video.addEventListener("timeupdate", () => {
      this.wrap();
      this.showTime();
    });
    video.addEventListener("seeking", () => this.showTime());
    video.addEventListener("click", () => transport.toggle());
    video.addEventListener("play", () => this.#everyFrame());
    part(root, "volume").addEventListener("click", () => {
      video.muted = !video.muted;
    });
    video.addEventListener("volumechange", () => {
      const button = part(root, "volume");
      button.setAttribute("aria-pressed", String(video.muted));
      button.replaceChildren(icon(video.muted ? "mute" : "sound"));
    });
  }

  #showPlaying() {
    const { root, transport } = this.world;
    for (const button of root.querySelectorAll("[data-act=play]")) {
      button.replaceChildren(icon(transport.paused ? "play" : "pause"));
      button.setAttribute("aria-label", transport.paused ? "Play" : "Pause");
    }
    part(root, "stage").classList.toggle("is-playing", !transport.paused);
  }

  #everyFrame() {
    const frame = () => {
      if (this.world.transport.paused) return;
      this.wrap();
      this.showTime();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
}
