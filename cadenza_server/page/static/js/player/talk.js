// Changing what was said in the conversation, and recording what is easier shown than said.

import { api } from "../api.js";
import { confirmDialog } from "../dialog.js";
import { part } from "../parts.js";
import { toast } from "../toast.js";

export class Talk {
  /** @param {object} page `root`, `store`, `sync`, `reply`, `transport`, `me`, `submissionId`, `show()`. */
  constructor(page) {
    this.page = page;
  }

  async edit(message, text) {
    try {
      if (text && text !== message.text) {
        this.page.store.putMessage(await api("PATCH", `/messages/${message.id}`, { text }));
      }
    } catch (error) {
      toast(error.detail);
    }
    this.page.show();
  }

  async remove(message) {
    const yes = await confirmDialog({
      title: "Delete this message?", text: "It leaves a note that something was deleted.",
      yes: "Delete", danger: true,
    });
    if (!yes) return;
    try {
      await api("DELETE", `/messages/${message.id}`);
      await this.page.sync.readMessages();
    } catch (error) {
      toast(error.detail);
    }
  }

  async record({ file = null, text = "" }) {
    const { root, transport, me, submissionId, reply, sync } = this.page;
    transport.pause();
    // Few visits record: its modules come when they are asked for.
    const { openReplyRecorder } = await import("../recorder/reply-dialog.js");
    await openReplyRecorder(part(root, "recorder-dialog"), {
      userId: me.id, submissionId, text, file,
      onSent: () => {
        reply.clear();
        sync.readMessages();
      },
    });
  }
}
