// Reviewed: at once, taken back within eight seconds or any time later, and on to the next.

import { announce } from "../parts.js";
import { toast } from "../toast.js";

const UNDO_SECONDS = 8;

/** The take to go to from `currentId`: the one after it, else the first other one. */
export function nextOf(queue, currentId) {
  const ids = queue.map((item) => item.submission.id);
  const at = ids.indexOf(currentId);
  if (at >= 0 && at + 1 < ids.length) return ids[at + 1];
  return ids.find((id) => id !== currentId) ?? null;
}

export class Review {
  /** @param {object} world `api`, `submission`, `button`, `onChange(submission)`, `go(path)`. */
  constructor(world) {
    this.world = world;
    this.busy = false;
    this.dismiss = null;
    world.button?.addEventListener("click", () => this.toggle());
  }

  async toggle() {
    return this.world.submission().reviewed_at ? this.#reopen() : this.#review();
  }

  /** Open the next take of the queue. */
  async next() {
    const queue = await this.world.api("GET", "/review-queue?limit=50");
    const id = nextOf(queue, this.world.submission().id);
    if (id) this.world.go(`/v/${id}`);
    else {
      toast("That was the last one: nothing else is waiting.", {
        action: "To the queue",
        onAction: () => this.world.go("/inbox"),
      });
    }
  }

  #path() {
    return `/video-submissions/${this.world.submission().id}/reviewed`;
  }

  async #change(method) {
    if (this.busy) return false;
    this.busy = true;
    try {
      this.world.onChange(await this.world.api(method, this.#path()));
      return true;
    } catch (error) {
      toast(error.detail);
      return false;
    } finally {
      this.busy = false;
    }
  }

  async #review() {
    if (!(await this.#change("PATCH"))) return;
    announce("Marked as reviewed");
    this.dismiss = toast("Marked as reviewed.", {
      action: "Undo",
      seconds: UNDO_SECONDS,
      onAction: () => this.#reopen(),
    });
  }

  async #reopen() {
    this.dismiss?.();
    if (await this.#change("DELETE")) announce("Waiting for review again");
  }
}
