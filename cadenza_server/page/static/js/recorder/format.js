// Which format to record in: asked of the browser, never guessed from its name.

// MP4 only with the codecs every player knows; anything else goes as WebM, which the server
// turns into H.264 and AAC. A bare "video/mp4" would be taken by Chromium to mean VP9 and Opus.
const CANDIDATES = [
  "video/mp4;codecs=avc1.42E01E,mp4a.40.2",
  "video/mp4;codecs=avc1.4D401F,mp4a.40.2",
  "video/webm;codecs=h264,opus",
  "video/webm;codecs=vp8,opus",
  "video/webm;codecs=vp9,opus",
  "video/webm",
];

export const MAX_SECONDS = 180;
export const MAX_BYTES = 250_000_000;
const GRACE_SECONDS = 0.5;

/** The first format the browser can write, or null: this browser can't record. */
export function chooseFormat(isTypeSupported) {
  return CANDIDATES.find((type) => isTypeSupported(type)) ?? null;
}

/** `video/webm;codecs=…` → `video/webm`; the server knows only these two. */
export function contentType(mimeType) {
  const base = mimeType.split(";", 1)[0].trim().toLowerCase();
  return base === "video/quicktime" ? "video/mp4" : base;
}

/** Whole seconds as the server counts them: half up, at least one, never over the limit. */
export function wholeSeconds(seconds) {
  return Math.min(MAX_SECONDS, Math.max(1, Math.floor(seconds + 0.5)));
}

/** Why a file can't be sent, in a sentence with the measured value and the limit; null when it can. */
export function refusal({ type, size, seconds, width, height }) {
  const base = contentType(type);
  if (base !== "video/mp4" && base !== "video/webm") {
    return "Only MP4, MOV and WebM videos can be sent.";
  }
  if (!(width > 0)) return "This file has no picture this browser can show.";
  if (size > MAX_BYTES) {
    return `This file has ${Math.ceil(size / 1e6)} MB; at most ${MAX_BYTES / 1e6} MB can be sent.`;
  }
  if (Number.isFinite(seconds) && seconds > MAX_SECONDS + GRACE_SECONDS) {
    return `This video is ${Math.round(seconds)} seconds long; at most ${MAX_SECONDS} can be sent.`;
  }
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  if (long > 1280 || short > 720) {
    return `This video has ${width} × ${height} pixels; at most 1280 × 720 can be sent.`;
  }
  return null;
}
