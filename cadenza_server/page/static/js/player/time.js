// Times of a take: milliseconds inside, `0:23.4` outside, and frames by the real frame rate.

const CLOCK = /^(?:(\d+):)?(\d{1,3})(?:[.,](\d{1,3}))?$/;

/** `23400` → `0:23.4`; tenths, because nobody points closer than that by hand. */
export function formatTime(milliseconds, { tenths = true } = {}) {
  const total = Math.max(0, Math.round(milliseconds / 100));
  const minutes = Math.floor(total / 600);
  const seconds = String(Math.floor((total % 600) / 10)).padStart(2, "0");
  return tenths ? `${minutes}:${seconds}.${total % 10}` : `${minutes}:${seconds}`;
}

/** `0:23.4`, `23.4`, `1:05` → milliseconds; null when it is no time. */
export function parseTime(text) {
  const match = CLOCK.exec(text.trim());
  if (!match) return null;
  const [, minutes, seconds, fraction = ""] = match;
  if (minutes !== undefined && Number(seconds) > 59) return null;
  const thousandths = Number(fraction.padEnd(3, "0"));
  return Number(minutes ?? 0) * 60000 + Number(seconds) * 1000 + thousandths;
}

/** What a screen reader says: `0 minutes 23 seconds`. */
export function spokenTime(milliseconds) {
  const seconds = Math.floor(Math.max(0, milliseconds) / 1000);
  const rest = `${seconds % 60} seconds`;
  return seconds < 60 ? rest : `${Math.floor(seconds / 60)} minutes ${rest}`;
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), Math.max(low, high));
}

/** The number of the frame shown at a time; a thousandth of a frame forgives rounded times. */
export function frameAt(seconds, fps) {
  return Math.floor(seconds * fps + 0.001);
}

/** Where to seek so that this frame is the one shown: its middle, never its edge. */
export function frameCentre(frame, fps) {
  return (Math.max(0, frame) + 0.5) / fps;
}

/** The middle of the frame `steps` away from the one shown at `seconds`, inside the take. */
export function stepFrame(seconds, steps, fps, duration) {
  const last = Math.max(0, Math.ceil(duration * fps - 0.001) - 1);
  return frameCentre(clamp(frameAt(seconds, fps) + steps, 0, last), fps);
}

/** A shift by one frame, for the ends of a loop, without landing between two. */
export function nudgeFrame(seconds, steps, fps, duration) {
  return clamp((Math.round(seconds * fps) + steps) / fps, 0, duration);
}
