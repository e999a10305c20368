// Getting the picture: signed links that expire, takes on the way, and what can't be shown.

/** What an API refusal means to somebody who wants to watch. */
export function stateOf(error) {
  if (!error?.status) return "offline";
  if (error.status === 403) return "forbidden";
  if (error.code === "submission_deleted" || error.code === "message_deleted") return "deleted";
  if (error.status === 404) return "missing";
  if (error.code === "media_expired") return "expired";
  if (error.code === "unsupported_media") return "unsupported";
  if (error.code === "not_uploaded_yet") return error.fields?.preparing ? "preparing" : "on_the_way";
  if (error.status === 401) return "signed_out";
  return "failed";
}

export const SENTENCES = Object.freeze({
  loading: "Loading the take…",
  on_the_way: "This take is on the way. It appears here by itself when it has arrived.",
  preparing: "The take has arrived and is being prepared. This takes a moment.",
  unsupported: "This browser can't play the take. You can download it and play it elsewhere.",
  expired: "The video is no longer kept. Markers and messages are.",
  offline: "There is no connection. The take is tried again when it is back.",
  forbidden: "This take is not shared with you.",
  deleted: "This take was deleted.",
  missing: "There is no such take.",
  failed: "The take could not be loaded. Try again in a moment.",
  signed_out: "You are signed out. Sign in again to go on.",
});

const REPLY_SENTENCES = Object.freeze({
  ...SENTENCES,
  loading: "Loading the reply…",
  on_the_way: "This reply is on the way. It appears here by itself when it has arrived.",
  preparing: "The reply has arrived and is being prepared. This takes a moment.",
  unsupported: "This browser can't play the reply. You can download it and play it elsewhere.",
  offline: "There is no connection. The reply is tried again when it is back.",
  deleted: "This reply was deleted.",
  missing: "There is no such reply.",
  failed: "The reply could not be loaded. Try again in a moment.",
});

/** Why there is no picture, in words. */
export function sentenceFor(state, { isReply = false } = {}) {
  const sentences = isReply ? REPLY_SENTENCES : SENTENCES;
  return sentences[state] ?? sentences.failed;
}

export class TakeMedia {
  /**
   * @param {HTMLVideoElement} video
   * @param {() => Promise<object>} ask for fresh links (`video-url`).
   * @param {(state: string, playback: object|null) => void} onState
   */
  constructor(video, ask, onState) {
    this.video = video;
    this.ask = ask;
    this.onState = onState;
    this.playback = null;
    this.state = "loading";
    this.refreshed = false; // one fresh link for a broken one; then it is the media's fault
    this.turn = 0; // answers that were asked for an earlier video come too late
    video.addEventListener("error", () => this.#failed());
    video.addEventListener("loadeddata", () => this.#arrived());
  }

  #set(state) {
    this.state = state;
    this.onState(state, this.playback);
  }

  async start() {
    this.#set("loading");
    await this.#load();
  }

  /** Another video on the same stage. */
  changeVideo() {
    this.turn += 1;
    this.playback = null;
    this.refreshed = false;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.removeAttribute("poster");
    this.video.load();
    return this.start();
  }

  /** The network is back, or the server told of news: try whatever did not work. */
  async again() {
    if (this.state === "ready" || this.state === "loading") return;
    this.refreshed = false;
    await this.start();
  }

  /** The take was deleted, or is shared no longer, while it was open. */
  end(error) {
    this.video.pause();
    this.video.removeAttribute("src");
    this.#set(stateOf(error));
  }

  async #load() {
    const { turn } = this;
    try {
      const playback = await this.ask();
      if (turn !== this.turn) return;
      this.playback = playback;
    } catch (error) {
      if (turn === this.turn) this.#set(stateOf(error));
      return;
    }
    this.video.src = this.playback.video_url;
    this.video.load();
  }

  async #failed() {
    const code = this.video.error?.code;
    if (!code || code === MediaError.MEDIA_ERR_ABORTED) return;
    if (this.refreshed) {
      const { turn } = this;
      const state = await this.#blame();
      if (turn === this.turn) this.#set(state);
      return;
    }
    this.refreshed = true;
    const { turn } = this;
    const { currentTime, paused, playbackRate } = this.video;
    this.video.addEventListener(
      "loadedmetadata",
      () => {
        if (turn !== this.turn) return;
        this.video.currentTime = currentTime;
        this.video.playbackRate = playbackRate;
        if (!paused) this.video.play().catch(() => {});
      },
      { once: true },
    );
    await this.#load();
  }

  /** Fresh links did not help: is it the way, the store, or the video itself? */
  async #blame() {
    try {
      const first = await fetch(this.playback.video_url, { headers: { Range: "bytes=0-0" } });
      return first.ok ? "unsupported" : "failed";
    } catch {
      return navigator.onLine === false ? "offline" : "failed";
    }
  }

  #arrived() {
    // Sound without a picture is how an unknown video codec shows itself: no error is raised.
    if (this.video.videoWidth === 0) {
      this.video.pause();
      this.#set("unsupported");
      return;
    }
    this.#set("ready");
    // A link that worked and breaks later has expired again: it may be renewed again.
    this.video.addEventListener("timeupdate", () => { this.refreshed = false; }, { once: true });
  }
}
