// Playing speed: 0.25 to 2, in steps of 0.05 or 0.25, always on the grid.

import { clamp } from "./time.js";

export const SLOWEST = 0.25;
export const FASTEST = 2;

/** The next speed in steps of `step`; from between two steps to the nearest in that direction. */
export function changeSpeed(speed, step) {
  const size = Math.abs(step);
  const place = speed / size;
  const next = step > 0 ? Math.floor(place + 1e-6) + 1 : Math.ceil(place - 1e-6) - 1;
  return clamp(Math.round(next * size * 100) / 100, SLOWEST, FASTEST);
}

/** `0.75×`; nothing is shown for 1. */
export function speedText(speed) {
  return `${Math.round(speed * 100) / 100}×`;
}
