// Keeping in step with the server: first reading, live changes, and what waited for the network.

import { onEvent } from "../live.js";
import { toast } from "../toast.js";

export class Sync {
  /** @param {object} world `api`, `apiAll`, `store`, `outbox`, `submissionId`, `onRefused(item, error)`, `onSubmission(dto)`, `onMedia(messageId)`, `onGone(error)`. */
  constructor(world) {
    this.world = world;
    this.path = `/video-submissions/${world.submissionId}`;
    this.reading = new Map();
  }

  async start() {
    this.world.store.setWaiting(this.world.outbox.items());
    await Promise.all([this.readMarkers(), this.readMessages()]);
    await this.flush();
    onEvent("*", (event) => this.#heard(event));
    addEventListener("online", () => this.flush());
    document.addEventListener("visibilitychange", () => this.#markRead());
  }

  readMarkers() {
    return this.#once("markers", async () => {
      const path = `${this.path}/markers?include=messages`;
      this.world.store.setMarkers(await this.world.apiAll(path));
    });
  }

  readMessages() {
    return this.#once("messages", async () => {
      this.world.store.setMessages(await this.world.apiAll(`${this.path}/messages`));
      this.#markRead();
    });
  }

  readSubmission() {
    return this.#once("submission", async () => {
      this.world.onSubmission(await this.world.api("GET", this.path));
    });
  }

  /** Keep first, then send: what was written survives whatever happens in between. */
  async submit(item) {
    this.world.outbox.add(item);
    this.world.store.setWaiting(this.world.outbox.items());
    await this.flush();
  }

  async flush() {
    const { outbox, store } = this.world;
    if (!outbox.items().length) return;
    const { left, refused } = await outbox.flush((item) => this.#send(item));
    store.setWaiting(outbox.items());
    for (const { item, error } of refused) this.world.onRefused(item, error);
    clearTimeout(this.retry);
    if (left) this.retry = setTimeout(() => this.flush(), 5000);
  }

  async #send(item) {
    const { api, store } = this.world;
    if (item.kind === "marker") {
      const on = item.messageId ? `/messages/${item.messageId}` : this.path;
      store.putMarker(await api("POST", `${on}/markers`, item.body));
    } else {
      const { message } = await api("POST", `${this.path}/messages`, { id: item.id, ...item.body });
      store.putMessage(message);
    }
  }

  /** One reading at a time; asked meanwhile, once more afterwards. */
  async #once(name, read) {
    if (this.reading.has(name)) {
      this.reading.set(name, "again");
      return;
    }
    this.reading.set(name, "running");
    try {
      await read();
    } catch (error) {
      if (error.status === 410 || error.status === 403) this.world.onGone(error);
      else if (error.status && error.status !== 401) toast(error.detail);
    } finally {
      const again = this.reading.get(name) === "again";
      this.reading.delete(name);
      if (again) await this.#once(name, read);
    }
  }

  #heard({ type, data }) {
    if (data?.submission_id !== this.world.submissionId) return;
    const [subject] = type.split(".");
    if (subject === "marker") {
      if (type === "marker.deleted") this.world.store.dropMarker(data.marker_id);
      else this.readMarkers();
    }
    if (subject === "message") this.readMessages();
    // Its video has arrived, or was made ready.
    if (["message.created", "message.updated"].includes(type)) this.world.onMedia(data.message_id);
    if (subject === "submission") this.readSubmission();
    if (subject === "derivative" || ["submission.uploaded", "submission.ready"].includes(type)) {
      this.world.onMedia(data.message_id ?? null);
      if (data.message_id) this.readMessages();
    }
  }

  /** Seen is what was on a screen somebody had in front of them. */
  async #markRead() {
    if (document.visibilityState !== "visible" || this.world.role === "observer") return;
    const { api, store } = this.world;
    for (const message of store.messages) {
      if (message.is_own || message.read_at || message.deleted_at) continue;
      try {
        store.putMessage(await api("PATCH", `/messages/${message.id}/read`));
      } catch {
        return; // next time the page is looked at
      }
    }
  }
}
