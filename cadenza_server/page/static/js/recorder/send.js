// From this device to the teacher: create, PUT, confirm; whatever fails is tried again.

import { mayDelete } from "./gate.js";
import { contentType, wholeSeconds } from "./format.js";

const FRESH_URLS = 3;

/** Where an item goes: a take is a submission, a reply is a message of one. */
export function routesOf(item) {
  return item.kind === "reply"
    ? { create: `/video-submissions/${item.submissionId}/messages`, base: `/messages/${item.id}` }
    : { create: "/video-submissions", base: `/video-submissions/${item.id}` };
}

/** The body of the create request: the same at every repeat, or the server would refuse it. */
export function announcement(item) {
  const video = {
    id: item.id,
    size_bytes: item.blob.size,
    sha256: item.sha256 ?? undefined,
    width: item.width || undefined,
    height: item.height || undefined,
    content_type: contentType(item.blob.type),
    thumbnail_size_bytes: item.thumbnail?.size,
    page_number: item.page ?? undefined,
    measure_number: item.measure ?? undefined,
  };
  const seconds = wholeSeconds(item.durationMs / 1000);
  if (item.kind === "reply") {
    return {
      ...video,
      text: item.notes || undefined,
      include_video: true,
      video_duration_seconds: seconds,
      marker_id: item.markerId ?? undefined,
    };
  }
  return {
    ...video,
    ...item.context,
    notes: item.notes || undefined,
    duration_seconds: seconds,
    captured_at: item.capturedAt,
  };
}

/** Seconds to wait before try number `attempt` (from 1): 1, 2, 4 … 30. */
export function backoffSeconds(attempt) {
  return Math.min(30, 2 ** (attempt - 1));
}

/** No network, too busy, the server's trouble: the same request may succeed later. */
export function isRetryable(error) {
  const status = error?.status ?? 0;
  return !status || [408, 425, 429].includes(status) || status >= 500;
}

/**
 * Send one item, once through. Every step may be repeated: the id was made here.
 *
 * @param {object} world `api(method, path, body)`, `put(url, headers, blob, onProgress)`.
 * @param {(share: number) => void} onProgress 0 … 1 of the video's bytes.
 * @returns {Promise<object>} the server's answer to the confirm, with the receipt.
 */
export async function sendOnce(item, { api, put }, onProgress = () => {}) {
  const routes = routesOf(item);
  let target = await api("POST", routes.create, announcement(item));
  for (let tries = 1; target.upload_url; tries += 1) {
    try {
      await put(target.upload_url, target.upload_headers, item.blob, (sent, total) =>
        onProgress(sent / total),
      );
      break;
    } catch (error) {
      if (error.status === 412) break; // it is there already
      if (error.status !== 403 || tries > FRESH_URLS) throw error;
      target = await freshTarget(api, routes);
    }
  }
  onProgress(1);
  const thumbnail = await sendThumbnail(item, target, put);
  return api("POST", `${routes.base}/confirm`, {
    size_bytes: item.blob.size,
    sha256: item.sha256 ?? undefined,
    thumbnail,
  });
}

async function freshTarget(api, routes) {
  try {
    return await api("GET", `${routes.base}/upload-url`);
  } catch (error) {
    if (error.code === "already_uploaded") return { upload_url: null };
    throw error;
  }
}

/** A missing thumbnail never fails a take. */
async function sendThumbnail(item, target, put) {
  if (!item.thumbnail || !target.thumbnail_upload_url) return false;
  try {
    await put(target.thumbnail_upload_url, target.thumbnail_upload_headers, item.thumbnail);
    return true;
  } catch {
    return false;
  }
}

/**
 * Send one item until it is confirmed or refused for good. The recording leaves the vault only
 * through the gate; what does not pass stays, and says why.
 */
export async function sendUntilDone(item, world, { onState, wait, attempts = Infinity }) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      onState({ state: "sending", share: 0 });
      const answer = await sendOnce(item, world, (share) => onState({ state: "sending", share }));
      if (!mayDelete(answer.receipt, item)) {
        throw Object.assign(new Error("the receipt is of other bytes"), { status: 409 });
      }
      await world.vault.exchange(item.id, answer.receipt);
      onState({ state: "sent", answer });
      return answer;
    } catch (error) {
      if (!isRetryable(error) || attempt >= attempts) {
        await world.vault.change(item.id, { refused: error.detail ?? String(error.message) });
        onState({ state: "refused", error });
        return null;
      }
      onState({ state: "waiting", seconds: backoffSeconds(attempt), error });
      await wait(backoffSeconds(attempt));
    }
  }
}
