// The video as a thing to steer: exact places, frames, speed, and which frame is really shown.

import { clamp, frameAt, frameCentre, stepFrame } from "./time.js";

/** Seconds past a frame's beginning: surely inside it, at any rate up to 60 a second. */
const INSIDE = 0.006;

export class Transport {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    this.fps = 30; // a guess, until the server has looked into the video
    this.knowsFps = false;
    this.shownAt = null; // media time of the frame on the screen
    this.target = null; // where a seek that is not finished yet goes
    video.preservesPitch = true;
    video.addEventListener("seeked", () => {
      this.target = null;
    });
    this.#watchFrames();
  }

  get duration() {
    return Number.isFinite(this.video.duration) ? this.video.duration : 0;
  }

  learnFps(fps) {
    if (!fps) return;
    this.fps = fps;
    this.knowsFps = true;
  }

  /** Another video is coming: what was learnt of this one is not true of it. */
  forget() {
    this.fps = 30;
    this.knowsFps = false;
    this.shownAt = null;
    this.target = null;
  }

  /** Where we are, in seconds; during a seek, where we will be: two quick presses add up. */
  get seconds() {
    return this.target ?? this.video.currentTime;
  }

  get paused() {
    return this.video.paused;
  }

  async play() {
    try {
      await this.video.play();
      return true;
    } catch {
      return false; // paused again at once, or the browser wants a gesture first
    }
  }

  pause() {
    this.video.pause();
  }

  toggle() {
    if (this.video.paused) return this.play();
    this.video.pause();
    return Promise.resolve(false);
  }

  seek(seconds) {
    this.target = clamp(seconds, 0, this.duration || seconds);
    this.video.currentTime = this.target;
  }

  /** Show the frame that is on the screen at a moment of so many milliseconds. */
  seekToMoment(ms) {
    const seconds = ms / 1000;
    if (!this.knowsFps) {
      this.seek(seconds);
      return;
    }
    this.seek(Math.min(frameCentre(frameAt(seconds, this.fps), this.fps), Math.max(0, this.duration - 0.001)));
  }

  step(frames) {
    this.pause();
    this.seek(stepFrame(this.#onScreen(), frames, this.fps, this.duration));
  }

  /** The moment on the screen, in ms: the middle of the frame shown, so that it is found again. */
  moment() {
    if (!this.knowsFps) return Math.round(this.#onScreen() * 1000);
    const frame = frameAt(this.#onScreen(), this.fps);
    return Math.round(clamp(frameCentre(frame, this.fps), 0, this.duration || Infinity) * 1000);
  }

  set speed(value) {
    this.video.preservesPitch = true;
    this.video.defaultPlaybackRate = value;
    this.video.playbackRate = value;
  }

  get speed() {
    return this.video.playbackRate;
  }

  /** Wait until the picture of the last seek is there. */
  settled() {
    if (!this.video.seeking) return Promise.resolve();
    return new Promise((resolve) => {
      this.video.addEventListener("seeked", () => resolve(), { once: true });
    });
  }

  #onScreen() {
    if (this.target !== null) return this.target;
    const now = this.video.currentTime;
    // The picture may lag behind the clock by a frame; what the eye sees is what is meant.
    const fresh = this.shownAt !== null && Math.abs(now - this.shownAt) < 0.25;
    return fresh ? this.shownAt + INSIDE : now;
  }

  #watchFrames() {
    if (!this.video.requestVideoFrameCallback) return;
    const next = (_now, { mediaTime }) => {
      this.shownAt = mediaTime;
      this.video.requestVideoFrameCallback(next);
    };
    this.video.requestVideoFrameCallback(next);
  }
}
