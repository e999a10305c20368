// Times in the reader's own zone and words; the server wrote UTC.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const WEEKDAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const WHOLE = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short" });

/** "just now", "12 min ago", "14:05", "Tue 18:02", "3 Nov 2026". */
export function ago(date, now = new Date()) {
  const seconds = (now - date) / 1000;
  if (seconds < MINUTE) return "just now";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (date.toDateString() === now.toDateString()) return CLOCK.format(date);
  return (seconds < 6 * DAY ? WEEKDAY : DATE).format(date);
}

/** "4 min", "5 h", "2 days": the same steps as the server's `span`. */
export function span(seconds) {
  if (seconds < HOUR) return `${Math.max(1, Math.floor(seconds / MINUTE))} min`;
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`;
  return `${Math.floor(seconds / DAY)} days`;
}

function write(now) {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const date = new Date(time.dateTime);
    time.textContent = ago(date, now);
    time.title = WHOLE.format(date);
  }
  for (const time of document.querySelectorAll("time[data-since]")) {
    time.textContent = span((now - new Date(time.dateTime)) / 1000);
  }
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = (new Date(time.dateTime) - now) / 1000;
    time.textContent = left >= 0 ? `${span(left)} left` : `${span(-left)} late`;
  }
}

/** Write all times now and every half minute; call `write` again after the page changed. */
export function keepTimes() {
  write(new Date());
  setInterval(() => write(new Date()), 30000);
}

export const writeTimes = () => write(new Date());
