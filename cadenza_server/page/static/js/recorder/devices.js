// Cameras and microphones: asked for once, chosen by name, and given back at the end.

// Music is no telephone call: the browser's cleaning would eat the quiet notes.
const SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const PICTURE = {
  width: { ideal: 1280, max: 1280 },
  height: { ideal: 720, max: 720 },
  frameRate: { ideal: 30, max: 30 },
};

export function constraints({ cameraId, microphoneId } = {}) {
  const exactly = (id) => (id ? { deviceId: { exact: id } } : {});
  return {
    video: { ...PICTURE, ...exactly(cameraId) },
    audio: { ...SOUND, ...exactly(microphoneId) },
  };
}

/** Why there is no picture, in a sentence that says what to do. */
export function sentenceOf(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "The camera or the microphone is blocked. Allow both for this page, in the address bar, and ask again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera and microphone were found. Connect them and ask again.";
    case "NotReadableError":
    case "AbortError":
      return "Another program uses the camera or the microphone. Close it and ask again.";
    default:
      return "This browser can't record here. Choose a video file instead.";
  }
}

export function canRecord(world = globalThis) {
  return Boolean(world.navigator?.mediaDevices?.getUserMedia && world.MediaRecorder);
}

/** Fill a <select> with the devices of one kind; the one in use is chosen. */
export async function listDevices(select, kind, currentId) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === kind);
  select.replaceChildren(
    ...devices.map((device, index) => {
      const name = device.label || `${kind === "videoinput" ? "Camera" : "Microphone"} ${index + 1}`;
      return new Option(name, device.deviceId, false, device.deviceId === currentId);
    }),
  );
  return devices.length;
}

export function close(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
