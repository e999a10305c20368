// What was typed is never lost: drafts while typing, and an outbox for what could not be sent.

const PREFIX = "cadenza.draft.";
const OUTBOX = "cadenza.outbox.";

export class Drafts {
  constructor(storage, submissionId) {
    this.storage = storage;
    this.submissionId = submissionId;
  }

  read(name) {
    try {
      return JSON.parse(this.storage.getItem(this.#key(name)) ?? "null");
    } catch {
      return null;
    }
  }

  write(name, value) {
    try {
      if (value === null) this.storage.removeItem(this.#key(name));
      else this.storage.setItem(this.#key(name), JSON.stringify(value));
    } catch {
      // A full or forbidden storage: typing goes on, only the safety net is missing.
    }
  }

  #key(name) {
    return `${PREFIX}${this.submissionId}.${name}`;
  }
}

/** Markers and messages that wait for the network. Each has an id of its own: a repeat is harmless. */
export class Outbox {
  constructor(storage, submissionId) {
    this.storage = storage;
    this.key = `${OUTBOX}${submissionId}`;
    this.sending = null;
  }

  items() {
    try {
      const items = JSON.parse(this.storage.getItem(this.key) ?? "[]");
      return Array.isArray(items) ? items : [];
    } catch {
      return [];
    }
  }

  add(item) {
    this.#write([...this.items().filter((other) => other.id !== item.id), item]);
  }

  remove(id) {
    this.#write(this.items().filter((item) => item.id !== id));
  }

  /** Send all, the oldest first; stops at the first that finds no network. One run at a time. */
  flush(send) {
    this.sending ??= this.#run(send).finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  async #run(send) {
    const refused = [];
    // What is added while one is sent goes out in the same run.
    for (let [item] = this.items(); item; [item] = this.items()) {
      try {
        await send(item);
        this.remove(item.id);
      } catch (error) {
        if (isTransient(error)) return { left: this.items().length, refused };
        this.remove(item.id);
        refused.push({ item, error });
      }
    }
    return { left: 0, refused };
  }

  #write(items) {
    if (items.length) this.storage.setItem(this.key, JSON.stringify(items));
    else this.storage.removeItem(this.key);
  }
}

/** Worth another try: no answer, too busy, or the server's own trouble. */
export function isTransient(error) {
  const status = error?.status ?? 0;
  return !status || status === 408 || status === 429 || status >= 500;
}
