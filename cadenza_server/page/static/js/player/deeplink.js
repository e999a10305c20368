// `?message=…&t=23400&marker=…`: a moment of a take, or of a reply's video, as an address.

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function readLink(search) {
  const query = new URLSearchParams(search);
  const t = query.get("t");
  const message = query.get("message");
  return {
    ms: t !== null && /^\d{1,9}$/.test(t) ? Number(t) : null,
    markerId: query.get("marker"),
    messageId: message !== null && UUID.test(message) ? message.toLowerCase() : null,
  };
}

/** The address's query with this moment; what else it says is kept. */
export function writeLink(search, { ms = null, markerId = null, messageId = null }) {
  const query = new URLSearchParams(search);
  for (const name of ["message", "t", "marker"]) query.delete(name);
  if (messageId) query.set("message", messageId);
  if (ms !== null) query.set("t", String(Math.round(ms)));
  if (markerId) query.set("marker", markerId);
  const text = query.toString();
  return text ? `?${text}` : "";
}
