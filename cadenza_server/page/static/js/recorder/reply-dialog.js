// The recorder in the player's dialog, for replies.

import { openDialog } from "../dialog.js";
import { part } from "../parts.js";
import { toast } from "../toast.js";
import { Vault } from "./vault.js";
import { RecorderView } from "./view.js";

const views = new WeakMap();

export async function openReplyRecorder(dialog, { userId, submissionId, file, text, onSent }) {
  const view = views.get(dialog) ?? new RecorderView(part(dialog, "recorder"), {
    vault: await Vault.open(),
    userId, submissionId, kind: "reply",
    onSent: (answer) => {
      dialog.close();
      toast("Your reply was sent.");
      onSent(answer);
    },
  });
  views.set(dialog, view);
  dialog.addEventListener("close", () => view.leave(), { once: true });
  part(dialog, "close").onclick = () => dialog.close();
  openDialog(dialog);
  await view.open({ file, text });
}
