// The sound of a take, drawn as bars: one drawing for what is to come, one for what was played.

/** Loudest of the peaks behind each of `count` bars, 0 … 1. */
export function toBars(peaks, count) {
  if (!peaks.length) return new Array(count).fill(0);
  return Array.from({ length: count }, (_unused, bar) => {
    const from = Math.floor((bar * peaks.length) / count);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / count));
    return Math.min(1, Math.max(0, ...peaks.slice(from, to)));
  });
}

const PITCH = 4; // pixels from bar to bar
const WIDTH = 2.5;

/** Draw bars into a canvas in its own CSS colour; without peaks, a quiet line. */
export function drawBars(canvas, peaks) {
  const { width, height } = canvas.getBoundingClientRect();
  if (!width || !height) return;
  const scale = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(canvas).color;
  const count = Math.max(1, Math.floor(width / PITCH));
  toBars(peaks ?? [], count).forEach((peak, bar) => {
    // The square root lets quiet playing be seen beside loud.
    const size = Math.max(2, Math.sqrt(peak) * (height - 4));
    context.beginPath();
    context.roundRect(bar * (width / count), (height - size) / 2, WIDTH, size, WIDTH / 2);
    context.fill();
  });
}
