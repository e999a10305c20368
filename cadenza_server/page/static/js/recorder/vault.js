// The recordings of this device that the server has not confirmed yet, in IndexedDB.
// A reload, a crash or a dead battery loses nothing that reached it.

const CHANNEL = "cadenza-vault";
const NAME = "cadenza";
const VERSION = 1;

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** Call `fn` when the vault has changed, in this tab or another. */
export function hearOfChanges(fn) {
  if (!("BroadcastChannel" in globalThis)) return;
  new BroadcastChannel(CHANNEL).addEventListener("message", () => fn());
}

export class Vault {
  static async open(factory = indexedDB) {
    const request = factory.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("items", { keyPath: "id" });
      db.createObjectStore("chunks", { keyPath: ["itemId", "number"] });
      db.createObjectStore("receipts", { keyPath: "asset_id" });
    };
    return new Vault(await settled(request));
  }

  constructor(db) {
    this.db = db;
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;
  }

  /** Another list of recordings than before. */
  #tell() {
    this.channel?.postMessage("changed");
  }

  /** What this user recorded here and is not confirmed, the oldest first. */
  async items(userId) {
    const all = await settled(this.db.transaction("items").objectStore("items").getAll());
    return all
      .filter((item) => item.userId === userId)
      .sort((a, b) => a.capturedAt.localeCompare(b.capturedAt));
  }

  async get(id) {
    return (await settled(this.db.transaction("items").objectStore("items").get(id))) ?? null;
  }

  /** Durable when the promise is fulfilled, as far as the browser can say. */
  async put(item) {
    const transaction = this.db.transaction("items", "readwrite", { durability: "strict" });
    transaction.objectStore("items").put(item);
    await finished(transaction);
    this.#tell();
  }

  async change(id, fields) {
    const transaction = this.db.transaction("items", "readwrite", { durability: "strict" });
    const store = transaction.objectStore("items");
    const item = await settled(store.get(id));
    if (item) store.put({ ...item, ...fields });
    await finished(transaction);
    this.#tell();
  }

  /** One second of a recording that is still going on. */
  async addChunk(itemId, number, blob) {
    const transaction = this.db.transaction("chunks", "readwrite");
    transaction.objectStore("chunks").put({ itemId, number, blob });
    await finished(transaction);
  }

  /** All seconds of a recording, as one blob. */
  async assemble(itemId, type) {
    const store = this.db.transaction("chunks").objectStore("chunks");
    const chunks = await settled(store.getAll(IDBKeyRange.bound([itemId, 0], [itemId, 1e9])));
    return new Blob(chunks.map((chunk) => chunk.blob), { type });
  }

  async chunkCount(itemId) {
    const store = this.db.transaction("chunks").objectStore("chunks");
    return settled(store.count(IDBKeyRange.bound([itemId, 0], [itemId, 1e9])));
  }

  async dropChunks(itemId) {
    const transaction = this.db.transaction("chunks", "readwrite");
    transaction.objectStore("chunks").delete(IDBKeyRange.bound([itemId, 0], [itemId, 1e9]));
    await finished(transaction);
  }

  /** Forget a recording: the user said so. */
  async discard(id) {
    await this.dropChunks(id);
    const transaction = this.db.transaction("items", "readwrite");
    transaction.objectStore("items").delete(id);
    await finished(transaction);
    this.#tell();
  }

  /** Keep the receipt and let the recording go, both or neither. */
  async exchange(id, receipt) {
    const transaction = this.db.transaction(["items", "chunks", "receipts"], "readwrite", {
      durability: "strict",
    });
    transaction.objectStore("receipts").put(receipt);
    transaction.objectStore("items").delete(id);
    transaction.objectStore("chunks").delete(IDBKeyRange.bound([id, 0], [id, 1e9]));
    await finished(transaction);
    this.#tell();
  }

  async receipt(assetId) {
    return settled(this.db.transaction("receipts").objectStore("receipts").get(assetId));
  }
}
