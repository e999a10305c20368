// A second, independent Cadenza client: durable, offline first, with Node's standard library only.
// It is written from docs/spec alone and shares no code with the Python client. The numbers in
// brackets are clauses of the specification.
import { createHash, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TIMINGS = {
  fast: { base: 50, cap: 1000, connect: 1000, idle: 1000, reply: 2000, expect: 1000 },
  real: { base: 2000, cap: 900_000, connect: 10_000, idle: 30_000, reply: 60_000, expect: 1000 },
};
const AGAIN = ["not_uploaded_yet", "size_mismatch", "checksum_mismatch"];
const FATAL = { 400: "bad_request", 403: "forbidden", 404: "submission_gone", 409: "id_conflict",
  410: "submission_deleted", 413: "too_large", 415: "unsupported_media", 422: "bad_request",
  405: "client_too_old", 426: "client_too_old", 451: "legal", 501: "client_too_old" };

class Hold extends Error {}                     // wait, nothing is spent
class Fail extends Error {}                     // only the user can help; the file stays [DEL-3]
class Later extends Error {                     // try again after a pause
  constructor(message, afterMs = 0) { super(message); this.afterMs = afterMs; }
}

export class Client {
  constructor({ api, storage_hosts, token, account, state_dir, profile }) {
    Object.assign(this, { api, token, account, dir: state_dir, t: TIMINGS[profile] });
    this.hosts = new Set([new URL(api).host, ...storage_hosts]);
    this.urls = new Map();                       // in memory only [URL-1]
    this.running = false; this.hold = null; this.notBefore = 0; this.loop = null;
    fs.mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    this.takes = fs.readdirSync(this.dir).filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(fs.readFileSync(path.join(this.dir, name), "utf8")))
      .sort((a, b) => a.order - b.order);
    for (const take of this.takes) {            // what a crash left behind [CRASH-1 … CRASH-4]
      if (take.state === "uploading") take.state = "pending";
      if (take.state === "uploaded") this.clean(take);
    }
  }

  // ── the queue: one JSON file a take, replaced atomically ──────────────────────────────────
  file(name) { return path.join(this.dir, name); }   // only names are stored [REC-5]

  write(name, data) {                            // file, then directory, then it counts [REC-1]
    const part = this.file(`${name}.part`), fd = fs.openSync(part, "w", 0o600);
    fs.writeSync(fd, data); fs.fsyncSync(fd); fs.closeSync(fd);
    fs.renameSync(part, this.file(name));
    const dir = fs.openSync(this.dir, "r"); fs.fsyncSync(dir); fs.closeSync(dir);
  }

  save(take, changes) { Object.assign(take, changes); this.write(`${take.id}.json`, JSON.stringify(take)); }

  enqueue({ recording, path: source, thumbnail_path, ...facts }) {   // touches no network [REC-2]
    const id = randomUUID(), video = this.keep(source, `${id}.mp4`);
    const thumbnail = thumbnail_path ? this.keep(thumbnail_path, `${id}.jpg`) : null;
    const take = { id, recording, video, thumbnail, order: Date.now() + this.takes.length / 1e4,
      user: this.account.user_id, piece: facts.piece_id, notes: facts.notes, width: facts.width,
      height: facts.height, seconds: facts.duration_seconds, captured: facts.captured_at,
      state: "pending", stage: "recorded", attempt: 0, due: 0, refreshes: 0, redone: 0, hold: null, code: null };
    this.save(take, {}); this.takes.push(take);
    return { ok: true, local_id: id, local_path: video.name };
  }

  keep(source, name) {                           // a copy of our own, hashed as it is made [REC-3]
    const hash = createHash("sha256"), from = fs.openSync(source, "r");
    const to = fs.openSync(this.file(name), "wx", 0o600), block = Buffer.alloc(1 << 20);
    let size = 0;
    for (let n; (n = fs.readSync(from, block)) > 0; size += n) { hash.update(block.subarray(0, n)); fs.writeSync(to, block, 0, n); }
    fs.fsyncSync(to); fs.closeSync(to); fs.closeSync(from);
    return { name, size, sha256: hash.digest("hex"), stored: false, tries: 0 };
  }

  status() {
    return Object.fromEntries(this.takes.map((take) => [take.recording, {
      state: take.state, stage: take.stage, attempt: take.attempt, fail_code: take.code,
      hold: take.state === "pending" ? this.hold ?? take.hold : null,
      local_file: fs.existsSync(this.file(take.video.name)) ? "present" : "absent" }]));
  }

  // ── the worker: oldest first, one at a time ───────────────────────────────────────────────
  start() { this.running = true; this.loop ??= this.run(); }

  async stop() { this.running = false; this.request?.destroy(new Error("stopped")); await this.loop; this.loop = null; }

  async run() {
    while (this.running) {
      const now = Date.now();
      const due = this.takes.filter((take) => take.state === "pending" && take.user === this.account.user_id
        && take.due <= now + this.t.cap && take.due <= now);
      if (this.hold === "auth" || now < this.notBefore || due.length === 0) { await sleep(20); continue; }
      await this.carry(due[0]);
    }
  }

  async carry(take) {
    this.save(take, { state: "uploading" });     // told before the first byte
    try {
      while (take.stage !== "confirmed") await this[take.stage](take);
      this.hold = null;
      this.save(take, { state: "uploaded", hold: null });
      this.clean(take);
    } catch (error) {
      if (error instanceof Fail) return this.save(take, { state: "failed", code: error.message });
      if (error instanceof Hold) {               // nothing was spent [NET-1, AUTH-3]
        if (error.message === "auth") this.hold = "auth";
        return this.save(take, { state: "pending", hold: error.message, due: Date.now() + this.jitter(3) });
      }
      if (!(error instanceof Later)) console.error("bug", error.stack);
      const attempt = take.attempt + (this.running ? 1 : 0);   // a stop costs nothing [CRASH-7]
      this.notBefore = Date.now() + (error.afterMs ?? 0);   // it asked for all of us [RETRY-2]
      this.save(take, { state: "pending", hold: null, attempt, due: this.notBefore + this.jitter(attempt) });
    }
  }

  jitter(attempt) { return (0.5 + Math.random() / 2) * Math.min(this.t.cap, this.t.base * 2 ** Math.max(0, attempt - 1)); }

  clean(take) {                                  // after the receipt, never before [DEL-1, DEL-2]
    for (const asset of [take.video, take.thumbnail]) if (asset) fs.rmSync(this.file(asset.name), { force: true });
    this.save(take, { stage: "cleaned" });
  }

  async recorded(take) {                         // the id is ours, so repeating is safe [IDEM-1]
    const answer = await this.call("POST", "/video-submissions", { id: take.id, piece_id: take.piece, notes: take.notes,
      duration_seconds: take.seconds, size_bytes: take.video.size, sha256: take.video.sha256, width: take.width,
      height: take.height, captured_at: take.captured, ...(take.thumbnail && { thumbnail_size_bytes: take.thumbnail.size }) });
    if (answer.submission?.id !== take.id) throw new Later("another submission");
    this.urls.set(take.id, answer);
    this.save(take, { stage: "registered" });
  }

  async registered(take) {
    if (take.thumbnail && !take.thumbnail.stored && take.thumbnail.tries < 5) await this.offer(take);
    try { await this.put(take, take.video, "upload_url", "upload_headers", "video/mp4"); }
    catch (error) {
      if (error.message !== "already_uploaded" && error.message !== "local_file_missing") throw error;
      if (error.message === "local_file_missing" && !(await this.isConfirmed(take))) throw error;   // [FILE-2]
    }
    this.save(take, { stage: "stored", refreshes: 0 });
  }

  async offer(take) {                            // a thumbnail never fails the take [THUMB-1]
    try { await this.put(take, take.thumbnail, "thumbnail_upload_url", "thumbnail_upload_headers", "image/jpeg"); take.thumbnail.stored = true; }
    catch (error) { if (error instanceof Hold) throw error; take.thumbnail.tries += 1; this.urls.delete(take.id); }
    this.save(take, {});
  }

  async stored(take) {
    const body = { size_bytes: take.video.size, sha256: take.video.sha256, thumbnail: Boolean(take.thumbnail?.stored) };
    let answer;
    try { answer = await this.call("POST", `/video-submissions/${take.id}/confirm`, body); }
    catch (error) {                              // it did not arrive: send it again [CONF-3, CONF-4]
      const stage = error.message === "submission_gone" ? "recorded" : AGAIN.includes(error.message) ? "registered" : null;
      if (!stage || take.redone >= 3) throw error;
      this.urls.delete(take.id);
      return this.save(take, { stage, redone: take.redone + 1 });
    }
    const { receipt } = answer;                  // of these very bytes, or it is none [CONF-5]
    if (receipt?.size_bytes !== take.video.size || receipt?.sha256 !== take.video.sha256) throw new Later("a receipt for other bytes");
    this.save(take, { stage: "confirmed", receipt });
  }

  async isConfirmed(take) {
    try { return (await this.call("POST", `/video-submissions/${take.id}/confirm`, { size_bytes: take.video.size, sha256: take.video.sha256 })).receipt?.sha256 === take.video.sha256; }
    catch { return false; }
  }

  // ── the wire ──────────────────────────────────────────────────────────────────────────────
  async put(take, asset, urlField, headersField, type) {
    const file = this.file(asset.name);
    if (!fs.existsSync(file)) throw new Fail("local_file_missing");
    const hash = createHash("sha256");           // frozen at intake, or not sent at all [FILE-1]
    for await (const part of fs.createReadStream(file)) hash.update(part);
    if (hash.digest("hex") !== asset.sha256) throw new Fail("local_file_changed");
    if (!this.urls.has(take.id)) this.urls.set(take.id, await this.call("GET", `/video-submissions/${take.id}/upload-url`));
    const urls = this.urls.get(take.id), url = this.allowed(urls[urlField], take.id);
    const headers = { "Content-Type": type, "Content-Length": asset.size, ...(urls[headersField] ?? {}) };
    const answer = await this.send("PUT", url, headers, file);
    if (answer.status === 412) return;           // it is there already: ask the API [PUT-6]
    if (answer.status >= 200 && answer.status < 300 && answer.headers.etag && !answer.text.trim()) return;   // [PUT-4]
    this.urls.delete(take.id);                   // a URL that was refused is never used again [URL-2]
    const code = /<Code>([^<]+)</.exec(answer.text)?.[1];
    if (answer.status === 403 || answer.status === 401 || code === "ExpiredToken") {
      this.save(take, { refreshes: take.refreshes + 1 });
      if (take.refreshes > 8) throw new Fail("storage_forbidden");
      if (take.refreshes > 2) throw new Later("refused with a fresh URL");   // no loop [URL-3]
      return this.put(take, asset, urlField, headersField, type);
    }
    if (answer.status === 413 || code === "EntityTooLarge") throw new Fail("too_large");
    if ([405, 411, 501].includes(answer.status)) throw new Fail("storage_rejects");
    throw new Later(`storage ${answer.status}`, this.wish(answer));
  }

  allowed(text, id) {                            // bytes go only where we know [URL-5]
    const url = URL.canParse(text) ? new URL(text) : null;
    if (!text) { this.urls.delete(id); throw new Later("no upload URL"); }
    if (!url || url.username || !["http:", "https:"].includes(url.protocol) || !this.hosts.has(url.host) || !url.pathname.includes(id)) throw new Fail("bad_upload_url");
    return url;
  }

  async call(method, route, body, retried = false) {
    const used = this.token, data = body && Buffer.from(JSON.stringify(body));
    const headers = { Authorization: `Bearer ${used}`, Accept: "application/json", ...(data && { "Content-Type": "application/json", "Content-Length": data.length }) };
    const answer = await this.send(method, new URL(this.api + route), headers, data);
    const isJson = /json/.test(answer.headers["content-type"] ?? "");
    let said = null;
    try { said = isJson ? JSON.parse(answer.text) : null; } catch { /* told below */ }
    if (answer.status >= 200 && answer.status < 300 && said && typeof said === "object") return said;
    if (answer.status < 400) throw new Hold("network");                     // a portal or proxy [NET-3]
    if (answer.status === 401) {                                            // one more look, then wait [AUTH-2]
      if (!retried && this.token !== used) return this.call(method, route, body, true);
      throw new Hold("auth");
    }
    if (said?.code === "already_uploaded") throw new Fail("already_uploaded");
    if (AGAIN.includes(said?.code)) throw new Later(said.code);
    if (said && FATAL[answer.status]) throw new Fail(FATAL[answer.status]);
    throw new Later(`api ${answer.status}`, this.wish(answer));
  }

  wish({ headers }) {                            // Retry-After: seconds, or a date by the server's clock [RETRY-2 … 4]
    const text = headers["retry-after"]?.trim() ?? "";
    const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - (Date.parse(headers.date) || Date.now());
    return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 3_600_000) : 0;
  }

  send(method, url, headers, body) {             // no redirects, no total timeout, the answer is read even when it is early [PUT-7, PUT-8]
    return new Promise((resolve, reject) => {
      const isFile = typeof body === "string", library = url.protocol === "https:" ? https : http;
      const request = this.request = library.request(url, { method, agent: false, headers: { ...headers, ...(isFile && { Expect: "100-continue" }) } });
      let sent = !isFile, answered = false, stream = null;
      const lost = () => { if (!answered) reject(new Later("no answer")); };
      const upload = () => { if (sent) return; sent = true;
        stream = fs.createReadStream(body, { highWaterMark: 1 << 18 });
        stream.on("data", () => request.setTimeout(this.t.idle)); stream.on("error", lost); stream.pipe(request); };
      request.setTimeout(isFile ? this.t.idle : this.t.reply, () => request.destroy(new Error("silence")));
      request.on("error", (error) => { if (answered) return;
        reject(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH"].includes(error.code) ? new Hold("network") : new Later("no answer")); });
      request.on("finish", () => request.setTimeout(this.t.reply)); request.on("close", lost);
      request.on("continue", upload);
      request.on("response", (response) => { answered = true; stream?.unpipe(request);
        const parts = []; let size = 0;
        response.on("data", (part) => { if ((size += part.length) > 1 << 20) response.destroy(new Error("too much")); else parts.push(part); });
        response.on("error", () => reject(new Later("half an answer")));
        response.on("end", () => { resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }); request.destroy(); });
        setTimeout(() => { if (!response.complete) response.destroy(new Error("slow")); }, this.t.reply).unref(); });
      if (isFile) { request.flushHeaders(); setTimeout(upload, this.t.expect).unref(); } else request.end(body);
    });
  }
}
