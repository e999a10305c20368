// What is on the stage: the take, or the video of a reply in its thread. One player for both.

import { api } from "../api.js";
import { announce, part } from "../parts.js";
import { draftName } from "./composer.js";
import { readLink, writeLink } from "./deeplink.js";
import { NO_LOOP } from "./loop.js";
import { formatTime } from "./time.js";
import { whenText } from "./when.js";

/** Whether a message has a video to put on the stage. */
export function hasVideo(message) {
  return Boolean(message && !message.deleted_at && (message.video_s3_key || message.media_state));
}

/** `Watching Tessa’s reply, Tue 18:02`. */
export function watchingText(message, now = Date.now(), timeZone = undefined) {
  const whose = message.is_own ? "your" : `${message.sender_name}’s`;
  return `Watching ${whose} reply, ${whenText(message.created_at, now, timeZone)}`;
}

/** The place in the score a new marker begins with: that of the message, else that of the take. */
export function defaultPlace(submission, message) {
  const { page_number: page, measure_number: measure, measure_end: measureEnd } =
    message?.page_number || message?.measure_number ? message : submission;
  return { page, measure, measureEnd: measureEnd ?? null };
}

export class Watching {
  /** @param {object} page the parts of the player, as `main.js` puts them together. */
  constructor(page) {
    this.page = page;
    this.messageId = null; // null: the take
    this.take = { seconds: 0, loop: NO_LOOP }; // where the take was left
    this.arrival = null; // what is to happen once the picture is there
    part(page.root, "back-to-take").addEventListener("click", () => this.back());
  }

  get message() {
    return this.page.store.message(this.messageId);
  }

  /** For the composer: which draft is its own, and where in the score one is. */
  get subject() {
    return {
      draft: draftName(this.messageId),
      defaults: defaultPlace(this.page.submission, this.message),
    };
  }

  /** Links to what is on the stage. */
  ask() {
    const path = this.messageId
      ? `/messages/${this.messageId}`
      : `/video-submissions/${this.page.submissionId}`;
    return api("GET", `${path}/video-url`);
  }

  /** Put a reply on the stage and play it. */
  open(message) {
    if (this.messageId === message.id) {
      this.#comeForward();
      this.page.transport.play();
      return;
    }
    this.#go({ messageId: message.id });
    this.#turnTo(message.id, { play: true });
    announce(watchingText(message));
  }

  /** The video a marker is on, at its moment. */
  openAt(marker) {
    this.#go({ ms: marker.timestamp_ms, markerId: marker.id, messageId: marker.message_id });
    this.#turnTo(marker.message_id);
    announce(this.message ? watchingText(this.message) : "The take");
  }

  /** The take again, where it was left. */
  back() {
    if (this.messageId === null) return;
    this.#go({});
    this.#turnTo(null);
    announce("Back to the take");
  }

  /**
   * Show what the address asks for.
   * @param {object|null} marker the one of the address, if it is known; it says where it is.
   * @returns {boolean} whether another video comes now.
   */
  follow(marker) {
    const { store, thread } = this.page;
    const wanted = marker ? marker.message_id : readLink(location.search).messageId;
    if (wanted === this.messageId) return false;
    if (wanted !== null && !store.loaded.messages) return true; // asked again when they are there
    if (wanted !== null && !hasVideo(store.message(wanted))) {
      thread.reveal(wanted); // words: nothing to watch
      if (this.messageId === null) return false;
      this.#turnTo(null);
      return true;
    }
    this.#turnTo(wanted);
    return true;
  }

  /** The picture is there. */
  arrived() {
    const arrival = this.arrival;
    this.arrival = null;
    if (arrival?.seconds) this.page.transport.seek(arrival.seconds);
    if (arrival?.loop) this.page.controls.setLoop(arrival.loop);
    if (arrival?.play) this.page.transport.play();
  }

  /** Was it deleted while one watched? */
  get isGone() {
    return this.messageId !== null && this.page.store.loaded.messages && !hasVideo(this.message);
  }

  /** The bar above the picture, and what speaks of "the take" elsewhere. */
  show() {
    const { root, submissionId } = this.page;
    const { message, messageId } = this;
    part(root, "watching").hidden = messageId === null;
    if (message) part(root, "watching-text").textContent = watchingText(message);
    root.classList.toggle("is-reply", messageId !== null);
    const subject = messageId ? "reply" : "take";
    part(root, "video").setAttribute("aria-label", `The ${subject}`);
    part(root, "markers-title").textContent = messageId ? "Markers on the reply" : "Markers";
    const address = `/v/${submissionId}${messageId ? `/replies/${messageId}` : ""}/download`;
    for (const name of ["download", "cover-download"]) part(root, name).href = address;
    part(root, "download-text").textContent = messageId ? "Download the reply" : "Download the video";
  }

  #go(moment) {
    const link = writeLink(location.search, moment);
    history.pushState(null, "", `${location.pathname}${link}`);
  }

  #turnTo(messageId, arrival = {}) {
    const { page } = this;
    const { transport, controls, scrubber, moments, list, store, submission } = page;
    if (this.messageId === null) this.take = { seconds: transport.seconds, loop: controls.loop };
    this.arrival = messageId === null ? { ...this.take, ...arrival } : arrival;
    list.leave();
    this.messageId = messageId;
    transport.forget();
    page.media.changeVideo();
    controls.setLoop(NO_LOOP);
    scrubber.clear(`Position in the ${messageId ? "reply" : "take"}`);
    moments.forget();
    const seconds = messageId ? this.message?.video_duration_seconds : submission.duration_seconds;
    part(page.root, "duration").textContent = formatTime((seconds ?? 0) * 1000, { tenths: false });
    controls.showTime();
    store.watch(messageId);
    page.composer?.turnTo(this.subject);
    this.#comeForward();
  }

  /** The keys are the player's again, and a phone scrolls back up to it. */
  #comeForward() {
    const { root } = this.page;
    part(root, "stage").focus({ preventScroll: true });
    part(root, this.messageId ? "watching" : "stage").scrollIntoView({ block: "nearest" });
  }
}
