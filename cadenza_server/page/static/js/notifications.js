// Reading what happened: opening one marks it, a button marks them all.

import { api } from "./api.js";
import { onEvent } from "./live.js";
import { refresh, refreshSoon } from "./refresh.js";
import { toast } from "./toast.js";

const button = document.querySelector("[data-read-all]");

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-notice].is-unread");
  if (!link) return;
  // The browser goes on to the take meanwhile: the request outlives this page.
  api("PATCH", `/notifications/${link.dataset.notice}/read`, undefined, { keepalive: true }).catch(() => {});
});

button?.addEventListener("click", async () => {
  try {
    await api("POST", "/notifications/read-all");
    await refresh();
    document.getElementById("main").focus();
  } catch (problem) {
    toast(problem.detail);
  }
});

document.addEventListener("cadenza:refreshed", () => {
  button.hidden = !document.querySelector("[data-notice].is-unread");
});
onEvent("*", refreshSoon);
addEventListener("pageshow", (event) => event.persisted && refresh());
