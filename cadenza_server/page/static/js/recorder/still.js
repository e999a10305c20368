// One picture of a video: its thumbnail, and what can be known of a file before it is sent.

const LONGEST_SIDE = 480;

function once(target, good, bad, milliseconds = 8000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the video does not open")), milliseconds);
    target.addEventListener(good, () => { clearTimeout(timer); resolve(); }, { once: true });
    target.addEventListener(bad, () => { clearTimeout(timer); reject(new Error("the video does not open")); }, { once: true });
  });
}

/** A JPEG of what a video element shows; null when it shows nothing. */
export function grab(video) {
  const { videoWidth, videoHeight } = video;
  if (!videoWidth) return Promise.resolve(null);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(videoWidth * scale);
  canvas.height = Math.round(videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/jpeg", 0.8);
  });
}

/** Size, length and a picture of a file; a length of Infinity means: the container has none. */
export async function inspect(blob) {
  const video = document.createElement("video");
  const url = URL.createObjectURL(blob);
  video.muted = true;
  video.preload = "auto";
  video.src = url;
  try {
    await once(video, "loadeddata", "error");
    const facts = { seconds: video.duration, width: video.videoWidth, height: video.videoHeight };
    if (Number.isFinite(video.duration) && video.duration > 1) {
      video.currentTime = Math.min(1, video.duration / 2);
      await once(video, "seeked", "error");
    }
    return { ...facts, thumbnail: await grab(video) };
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}
