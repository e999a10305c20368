// On every page: the menu closes, the offline banner shows, times stay true.

import { api } from "./api.js";
import { readSilenced } from "./choices.js";
import { onEvent } from "./live.js";
import { refreshSoon } from "./refresh.js";
import { keepTimes } from "./times.js";
import { toast } from "./toast.js";

const banner = document.querySelector("[data-offline]");
const showConnection = () => {
  if (banner) banner.hidden = navigator.onLine;
};
addEventListener("online", showConnection);
addEventListener("offline", showConnection);
showConnection();

for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault(); // it did its work: it closes nothing else
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

keepTimes();

// What happens elsewhere: the numbers in the navigation, and a word at the bottom.
onEvent("notification.created", async () => {
  refreshSoon();
  if (document.hidden) return;
  const [latest] = await api("GET", "/notifications?unread=true&limit=1").catch(() => []);
  if (!latest || readSilenced(localStorage).has(latest.type)) return;
  if (new URL(latest.url, location).pathname === location.pathname) return; // it is on this page
  toast(latest.body ? `${latest.title}: ${latest.body}` : latest.title, {
    action: "Open",
    onAction: () => location.assign(latest.url),
    seconds: 8,
  });
});
