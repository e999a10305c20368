// `?t=23400&marker=…`: a moment of a take, as an address to send to somebody.

export function readLink(search) {
  const query = new URLSearchParams(search);
  const t = query.get("t");
  return {
    ms: t !== null && /^\d{1,9}$/.test(t) ? Number(t) : null,
    markerId: query.get("marker"),
  };
}

/** The address's query with this moment; what else it says is kept. */
export function writeLink(search, { ms, markerId }) {
  const query = new URLSearchParams(search);
  query.delete("t");
  query.delete("marker");
  if (ms !== null) query.set("t", String(Math.round(ms)));
  if (markerId) query.set("marker", markerId);
  const text = query.toString();
  return text ? `?${text}` : "";
}
