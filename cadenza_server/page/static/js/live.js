// What happens elsewhere, within a second or two: server-sent events over /events/stream.
//
// A browser keeps six connections to a server, so the tabs share one stream: the tab that holds a
// lock listens, and tells the others.

const CHANNEL = "cadenza-live";
const TYPES = [
  "submission.created", "submission.uploaded", "submission.ready", "submission.reviewed",
  "submission.reopened", "submission.deleted", "message.created", "message.updated",
  "message.deleted", "message.read", "marker.created", "marker.updated", "marker.deleted",
  "derivative.changed", "notification.created",
];
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

const listeners = new Map();
const channel = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;
let lastSeq = document.querySelector('meta[name="live-after"]')?.content ?? "";
let waitMs = FIRST_WAIT_MS;
let started = false;

/**
 * Call `fn` with {id, type, timestamp, data} whenever such an event arrives.
 * @param {string} type one of the events' types, or "*" for all of them
 * @param {(event: object) => void} fn
 * @returns {() => void} stops listening
 */
export function onEvent(type, fn) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(fn);
  start();
  return () => listeners.get(type).delete(fn);
}

function dispatch(event) {
  for (const fn of [...(listeners.get(event.type) ?? []), ...(listeners.get("*") ?? [])]) fn(event);
}

/** "on" while this page hears of changes; tests and the offline banner read it. */
function setState(state) {
  document.documentElement.dataset.live = state;
}

function start() {
  if (started || !document.querySelector('meta[name="live-after"]')) return;
  started = true;
  channel?.addEventListener("message", ({ data }) => {
    if (data.ask) return;
    if (data.seq) lastSeq = data.seq;
    if (data.state) setState(data.state);
    if (data.event) dispatch(data.event);
  });
  if (!navigator.locks || !channel) return listen();
  channel.postMessage({ ask: true }); // the tab that listens already says so
  navigator.locks.request(CHANNEL, () => {
    channel.addEventListener("message", ({ data }) => {
      if (data.ask) channel.postMessage({ state: document.documentElement.dataset.live });
    });
    listen();
    return new Promise(() => {}); // held until the tab closes
  });
}

function listen() {
  const source = new EventSource(`/events/stream${lastSeq ? `?after=${lastSeq}` : ""}`);
  source.onopen = () => {
    waitMs = FIRST_WAIT_MS;
    announce("on");
  };
  for (const type of TYPES) {
    source.addEventListener(type, (message) => {
      lastSeq = message.lastEventId || lastSeq;
      const event = JSON.parse(message.data);
      channel?.postMessage({ seq: lastSeq, event });
      dispatch(event);
    });
  }
  source.onerror = () => {
    announce("off");
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(listen, waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  };
}

function announce(state) {
  setState(state);
  channel?.postMessage({ state });
}
