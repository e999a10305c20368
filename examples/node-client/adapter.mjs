// The adapter: one JSON object a line on standard input, one on standard output.
import { createInterface } from "node:readline";
import { Client } from "./client.mjs";

const CAPABILITIES = ["enqueue", "status", "start_stop", "kill", "local_file", "relocate_state", "sign_in", "logs",
  "state_dir", "process", "suspend", "thumbnail"];
let client = null;

const commands = {
  hello: () => ({ ok: true, client: "cadenza-node", version: "1.0", capabilities: CAPABILITIES }),
  configure: (fields) => { client = new Client(fields); return { ok: true }; },
  enqueue: (fields) => client.enqueue(fields),
  start: () => { client.start(); return { ok: true }; },
  stop: async () => { await client.stop(); return { ok: true }; },
  status: () => ({ ok: true, recordings: client.status() }),
  sign_in: ({ token, account }) => { Object.assign(client, { token, account, hold: null }); return { ok: true }; },
  sign_out: () => { client.token = "none"; return { ok: true }; },
  logs: () => ({ ok: true, text: "" }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { cmd, ...fields } = JSON.parse(line);
  let reply;
  try { reply = commands[cmd] ? await commands[cmd](fields) : { ok: false, error: `unknown command ${cmd}` }; }
  catch (error) { reply = { ok: false, error: String(error.message) }; }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
await client?.stop();
process.exit(0);
