// On every page: the menu closes, the offline banner shows, times stay true.

import { keepTimes } from "./times.js";

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
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

keepTimes();
