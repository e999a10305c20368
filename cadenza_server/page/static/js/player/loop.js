// The A–B loop: two ends in seconds, and when to jump back. No picture, no video: only the rule.

import { nudgeFrame } from "./time.js";

/** Shorter than this is a slip of the hand. */
export const SHORTEST = 0.1;

export const NO_LOOP = Object.freeze({ start: null, end: null, on: false });

export function isComplete(loop) {
  return loop.start !== null && loop.end !== null;
}

/** Put the beginning here; an end that is not after it is given up. */
export function setStart(loop, seconds) {
  const end = loop.end !== null && loop.end - seconds >= SHORTEST ? loop.end : null;
  return { start: seconds, end, on: end !== null && loop.on };
}

/** Put the end here and loop; without a beginning the take's own is meant. */
export function setEnd(loop, seconds) {
  const start = loop.start !== null && seconds > loop.start ? loop.start : 0;
  if (seconds - start < SHORTEST) return loop;
  return { start, end: seconds, on: true };
}

/** Loop a range, as "loop this marker" does; a point gets `around` seconds on each side. */
export function loopRange(startMs, endMs, duration, around = 1.5) {
  const start = endMs === null ? Math.max(0, startMs / 1000 - around) : startMs / 1000;
  const end = endMs === null ? Math.min(duration, startMs / 1000 + around) : endMs / 1000;
  return end - start < SHORTEST ? NO_LOOP : { start, end, on: true };
}

export function toggle(loop) {
  return isComplete(loop) ? { ...loop, on: !loop.on } : loop;
}

/** Move one end by frames; it never passes the other. */
export function nudge(loop, which, steps, fps, duration) {
  if (loop[which] === null) return loop;
  const moved = { ...loop, [which]: nudgeFrame(loop[which], steps, fps, duration) };
  return !isComplete(moved) || moved.end - moved.start >= SHORTEST ? moved : loop;
}

/** Drag one end to a time; it stops before the other. */
export function moveEnd(loop, which, seconds, duration) {
  const other = which === "start" ? loop.end : loop.start;
  let target = Math.min(Math.max(0, seconds), duration);
  if (other !== null) {
    target = which === "start" ? Math.min(target, other - SHORTEST) : Math.max(target, other + SHORTEST);
  }
  return { ...loop, [which]: target };
}

/** Where to jump from here, or null: past the end, or in the last moment before it. */
export function wrapTarget(loop, seconds, { ended = false } = {}) {
  if (!loop.on || !isComplete(loop)) return null;
  return ended || seconds >= loop.end ? loop.start : null;
}
