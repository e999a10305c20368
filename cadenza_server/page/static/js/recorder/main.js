// `/record`: a take, from the camera to the teacher.

import { part } from "../parts.js";
import { Vault } from "./vault.js";
import { RecorderView } from "./view.js";

const page = document.querySelector("[data-record]");
if (page) {
  const view = new RecorderView(part(page, "recorder"), {
    vault: await Vault.open(),
    userId: Number(page.dataset.userId),
    kind: "take",
    itemId: new URLSearchParams(location.search).get("item"),
    onState: (state) => {
      part(page, "after").hidden = state !== "sent";
    },
    onSent: ({ submission }) => {
      part(page, "open-take").href = `/v/${submission.id}`;
    },
  });
  part(page, "another").addEventListener("click", () => view.ask());
  addEventListener("pagehide", () => view.leave());
  await view.open();
}
