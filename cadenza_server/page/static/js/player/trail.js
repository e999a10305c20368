// What happened to a take, in words: the audit trail for people.

import { openDialog } from "../dialog.js";
import { el, part } from "../parts.js";
import { whenText } from "./when.js";

const WORDS = {
  created: "Announced by the student's device",
  urls_issued: "The device got an address to upload to",
  confirmed: "The video arrived whole and was checked",
  lazy_confirmed: "The video was found in the store and checked",
  confirm_refused: "The upload was not what was announced: it is sent again",
  invalidated: "The upload was no video that can be played",
  playback_url_issued: "Opened for watching",
  reviewed: "Marked as reviewed",
  reopened: "Opened for review again",
  deleted: "Deleted",
  thumbnail_confirmed: "The preview picture arrived",
};

export function sentenceOf(event) {
  if (event.event === "playback_url_issued" && event.data?.download) return "Opened for download";
  return WORDS[event.event] ?? event.event.replaceAll("_", " ");
}

/** Many openings in a row are one line with a number. */
export function condense(events) {
  const lines = [];
  for (const event of events) {
    const text = sentenceOf(event);
    const last = lines.at(-1);
    if (last && last.text === text) {
      last.times += 1;
      last.at = event.at;
    } else lines.push({ text, at: event.at, times: 1 });
  }
  return lines;
}

export async function showTrail(dialog, api, submissionId) {
  const list = part(dialog, "trail");
  list.replaceChildren(el("li", { class: "soft" }, "Loading…"));
  openDialog(dialog);
  try {
    const events = await api("GET", `/video-submissions/${submissionId}/events`);
    list.replaceChildren(
      ...condense(events).map(({ text, at, times }) =>
        el(
          "li",
          {},
          el("time", { datetime: at }, whenText(at)),
          el("span", {}, times > 1 ? `${text} (${times} times)` : text),
        ),
      ),
    );
  } catch (error) {
    list.replaceChildren(el("li", { class: "soft" }, error.detail));
  }
}
