// How loud the microphone is, ten times a second: so that nobody records three silent minutes.

const QUIET_DB = -50;
const HOT_DB = -1;

/** Peak of samples in dBFS; -100 for silence. */
export function peakDb(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak < 1e-5 ? -100 : 20 * Math.log10(peak);
}

/** 0 … 1 for a bar: -60 dB is its left end. */
export function barShare(db) {
  return Math.min(1, Math.max(0, (db + 60) / 60));
}

/** What to say about a level that has been like this for some seconds. */
export function verdict(loudestDb) {
  if (loudestDb < QUIET_DB) return "quiet";
  return loudestDb > HOT_DB ? "loud" : "good";
}

/** Watch a stream; returns a function that ends it. `onLevel(db, verdict)`; -100 without sound. */
export function watchLevel(stream, onLevel) {
  if (!stream.getAudioTracks().length) return () => {};
  const audio = new AudioContext();
  const analyser = audio.createAnalyser();
  analyser.fftSize = 8192; // 170 ms: nothing falls between two looks
  audio.resume().catch(() => {});
  audio.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const recent = [];
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const db = peakDb(samples);
    recent.push(db);
    if (recent.length > 30) recent.shift();
    onLevel(db, recent.length < 20 ? "good" : verdict(Math.max(...recent)));
  }, 100);
  return () => {
    clearInterval(timer);
    audio.close();
  };
}
