// From 3:00 to 0:00, and then it stops by itself, whatever else the page is doing.

export class Countdown {
  /**
   * @param {object} hooks `onTick(remainingMs)` a few times a second, `onEnd()` once at zero.
   * @param {number} limitMs how long may be recorded.
   */
  constructor({ onTick, onEnd, now = () => performance.now() }, limitMs) {
    this.hooks = { onTick, onEnd };
    this.now = now;
    this.limitMs = limitMs;
    this.startedAt = null;
    this.timer = null;
  }

  get elapsedMs() {
    return this.startedAt === null ? 0 : Math.min(this.limitMs, this.now() - this.startedAt);
  }

  start() {
    this.startedAt = this.now();
    this.timer = setInterval(() => this.#tick(), 200);
    this.hooks.onTick(this.limitMs);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    return this.elapsedMs;
  }

  #tick() {
    const remaining = this.limitMs - this.elapsedMs;
    this.hooks.onTick(remaining);
    if (remaining <= 0) {
      this.stop();
      this.hooks.onEnd();
    }
  }
}

/** `2:57`, rounded up: 3:00 is shown for the whole first second. */
export function remainingText(milliseconds) {
  const seconds = Math.ceil(Math.max(0, milliseconds) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
