// What is known of markers: their kinds, their order, which is next, which is lit.

/** Kinds by shape as well as by colour: never by colour alone. */
export const KINDS = Object.freeze({
  feedback: { key: "1", label: "Feedback", shape: "circle", glyph: "●" },
  question: { key: "2", label: "Question", shape: "diamond", glyph: "◆" },
  praise: { key: "3", label: "Praise", shape: "star", glyph: "★" },
});

/** How long a point stays lit while the take plays on. */
export const POINT_MS = 2000;

export function kindsFor(role) {
  return role === "teacher" ? ["feedback", "question", "praise"] : ["question"];
}

export function inOrder(markers) {
  return [...markers].sort(
    (a, b) => a.timestamp_ms - b.timestamp_ms || a.created_at.localeCompare(b.created_at),
  );
}

/** With `changed` in its place, once, whichever side told of it first. */
export function merge(markers, changed) {
  const same = (m) =>
    m.id === changed.id || (changed.client_id !== null && m.client_id === changed.client_id);
  return inOrder([...markers.filter((m) => !same(m)), changed]);
}

/** The one after (or before) a time; `slack` keeps the marker one stands on from being it. */
export function neighbour(markers, ms, direction, slack = 60) {
  const sorted = inOrder(markers);
  return direction > 0
    ? (sorted.find((m) => m.timestamp_ms > ms + slack) ?? null)
    : (sorted.findLast((m) => m.timestamp_ms < ms - slack) ?? null);
}

/** The one after (or before) a marker in the list: several may share one moment. */
export function neighbourOf(markers, id, direction) {
  const sorted = inOrder(markers);
  const at = sorted.findIndex((m) => m.id === id);
  return at < 0 ? null : (sorted[at + direction] ?? null);
}

/** Lit at a time: the latest that has begun and is not over. */
export function activeAt(markers, ms) {
  const over = (m) => Math.max(m.end_ms ?? 0, m.timestamp_ms + POINT_MS);
  return inOrder(markers).findLast((m) => m.timestamp_ms <= ms && ms < over(m)) ?? null;
}

/** `page 3, bars 17–20`, or nothing. */
export function placeText({ page_number: page, measure_number: bar, measure_end: to }) {
  const parts = [];
  if (page) parts.push(`page ${page}`);
  if (bar) parts.push(to && to !== bar ? `bars ${bar}–${to}` : `bar ${bar}`);
  return parts.join(", ");
}

/** What a marker says in one line, for labels and screen readers. */
export function firstLine(text, length = 60) {
  const line = text.split("\n", 1)[0].trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
