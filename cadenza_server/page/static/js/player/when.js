// When something was said, in few words: `Tue 18:02` this week, the date before.

const WEEK_MS = 6 * 24 * 3600 * 1000;
const CLOCK = { hour: "2-digit", minute: "2-digit", hour12: false };

export function whenText(iso, now = Date.now(), timeZone = undefined) {
  const then = new Date(iso);
  const recent = Math.abs(now - then.getTime()) < WEEK_MS;
  const day = recent ? { weekday: "short" } : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat("en-GB", { ...day, ...CLOCK, timeZone })
    .format(then)
    .replace(",", "");
}

export const EDIT_MS = 15 * 60 * 1000;

/** A message may be changed by its sender for 15 minutes. */
export function mayEdit(message, now = Date.now()) {
  return message.is_own && !message.deleted_at && Boolean(message.text)
    && now - Date.parse(message.created_at) < EDIT_MS;
}

/** The first message that is new to me: the divider goes above it. */
export function firstUnread(messages) {
  return messages.find((m) => !m.is_own && !m.read_at && !m.deleted_at) ?? null;
}

/** My last message that the other side has read: "Seen" is written under it. */
export function lastSeen(messages) {
  return messages.findLast((m) => m.is_own && m.read_at && !m.deleted_at) ?? null;
}
