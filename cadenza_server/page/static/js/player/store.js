// What the page knows of one take and its thread: markers and messages, from the server and from
// the outbox. Of the markers it shows those of the video on the stage.

import { inOrder, merge } from "./markers.js";

/** A marker that is not on the server yet, as it will look. */
export function pendingMarker(item, me) {
  return {
    id: item.id, submission_id: item.submissionId, message_id: item.messageId ?? null, author_id: me.id,
    author_name: me.name, status: "open", settled_by_submission_id: null, carried_from_id: null,
    created_at: item.at, edited_at: null, is_own: true, pending: true, ...item.body,
  };
}

/** A message that is not on the server yet, as it will look. */
export function pendingMessage(item, me) {
  return {
    id: item.id, submission_id: item.submissionId, sender_id: me.id, sender_name: me.name,
    text: item.body.text, video_s3_key: null, media_state: null, marker_id: null,
    created_at: item.at, edited_at: null, deleted_at: null, read_at: null, is_own: true,
    pending: true,
  };
}

export class Store {
  constructor(me, onChange) {
    this.me = me;
    this.onChange = onChange;
    this.markers = [];
    this.messages = [];
    this.waiting = []; // items of the outbox
    this.watchedId = null; // the message whose video is on the stage; null for the take
    this.loaded = { markers: false, messages: false };
  }

  watch(messageId) {
    this.watchedId = messageId;
    this.onChange();
  }

  setMarkers(markers) {
    this.loaded.markers = true;
    this.markers = inOrder(markers);
    this.onChange();
  }

  setMessages(messages) {
    this.loaded.messages = true;
    this.messages = messages;
    this.onChange();
  }

  setWaiting(items) {
    this.waiting = items;
    this.onChange();
  }

  putMarker(marker) {
    this.setMarkers(merge(this.markers, marker));
  }

  dropMarker(id) {
    this.setMarkers(this.markers.filter((marker) => marker.id !== id));
  }

  putMessage(message) {
    const rest = this.messages.filter((other) => other.id !== message.id);
    const all = [...rest, message];
    all.sort((a, b) => a.created_at.localeCompare(b.created_at));
    this.setMessages(all);
  }

  /** Those of the video on the stage. */
  shownMarkers() {
    return this.allMarkers().filter((marker) => marker.message_id === this.watchedId);
  }

  /** How many there are on each reply's video, by its id. */
  countOnReplies() {
    const counts = new Map();
    for (const { message_id: id } of this.allMarkers()) {
      if (id) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  /** Everything there is, what still waits included. */
  allMarkers() {
    const known = new Set(this.markers.map((marker) => marker.client_id));
    const pending = this.waiting
      .filter((item) => item.kind === "marker" && !known.has(item.body.client_id))
      .map((item) => pendingMarker(item, this.me));
    return inOrder([...this.markers, ...pending]);
  }

  allMessages() {
    const known = new Set(this.messages.map((message) => message.id));
    const pending = this.waiting
      .filter((item) => item.kind === "message" && !known.has(item.id))
      .map((item) => pendingMessage(item, this.me));
    return [...this.messages, ...pending];
  }

  message(id) {
    return this.messages.find((message) => message.id === id) ?? null;
  }

  marker(id) {
    return this.allMarkers().find((marker) => marker.id === id) ?? null;
  }
}
