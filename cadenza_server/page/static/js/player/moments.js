// Walking through the markers of a take, and changing them.

import { api } from "../api.js";
import { confirmDialog } from "../dialog.js";
import { announce } from "../parts.js";
import { toast } from "../toast.js";
import { readLink, writeLink } from "./deeplink.js";
import { activeAt, KINDS, neighbour, neighbourOf } from "./markers.js";
import { formatTime } from "./time.js";

/** One stands on a marker when the picture is this near to it. */
const NEAR_MS = 60;

export class Moments {
  /** @param {object} page `store`, `transport`, `controls`, `scrubber`, `list`, `media`, `watching`, `show()`. */
  constructor(page) {
    this.page = page;
    this.selectedId = null;
    this.activeId = null;
    this.followed = null;
  }

  /** Light up what is playing. */
  onTime(ms) {
    const active = activeAt(this.page.store.shownMarkers(), ms)?.id ?? null;
    if (active === this.activeId) return;
    this.activeId = active;
    this.showActive();
  }

  showActive() {
    this.page.scrubber.showActive(this.activeId);
    this.page.list.showActive(this.activeId);
  }

  select(marker) {
    this.selectedId = marker.id;
    const link = writeLink(location.search, {
      ms: marker.timestamp_ms, markerId: marker.id, messageId: marker.message_id,
    });
    history.replaceState(history.state, "", `${location.pathname}${link}`);
    this.followed = link; // one is there
    this.page.show();
    this.page.list.reveal(marker.id);
  }

  jump(marker) {
    const { transport, controls } = this.page;
    transport.pause();
    transport.seekToMoment(marker.timestamp_ms);
    controls.showTime();
    this.select(marker);
    announce(`${KINDS[marker.marker_type].label} at ${formatTime(marker.timestamp_ms)}: ${marker.text}`);
  }

  jumpTo(id) {
    const { store, watching } = this.page;
    const marker = store.marker(id);
    if (!marker) return;
    if (marker.message_id === watching.messageId) this.jump(marker);
    else watching.openAt(marker);
  }

  /** Another video is on the stage. */
  forget() {
    this.selectedId = null;
    this.activeId = null;
    this.followed = null;
  }

  loop(marker) {
    this.select(marker);
    this.page.controls.loopMarker(marker);
  }

  walk(direction) {
    const { store, transport } = this.page;
    const markers = store.shownMarkers();
    const ms = transport.seconds * 1000;
    const selected = store.marker(this.selectedId);
    const isHere = selected && Math.abs(selected.timestamp_ms - ms) < NEAR_MS;
    const next = isHere
      ? neighbourOf(markers, selected.id, direction)
      : neighbour(markers, ms, direction);
    if (next) this.jump(next);
    else announce(direction > 0 ? "No later marker" : "No earlier marker");
  }

  /** Go where the address says, once the picture and the markers are there. */
  followLink() {
    const { store, watching, media } = this.page;
    const link = location.search;
    if (this.followed === link) return;
    const { ms, markerId } = readLink(link);
    const marker = markerId ? store.marker(markerId) : null;
    if (watching.follow(marker)) return; // another video: here again when it is ready
    if (media.state !== "ready") return;
    if (marker) this.jump(marker);
    else if (ms !== null) {
      this.page.transport.seekToMoment(ms);
      this.page.controls.showTime();
    }
    if (!markerId || marker) this.followed = link;
  }

  label(id) {
    const marker = this.page.store.marker(id);
    if (!marker) return null;
    const where = marker.message_id ? " in a reply" : "";
    return `About ${formatTime(marker.timestamp_ms)}${where}`;
  }

  async change(marker, change) {
    try {
      this.page.store.putMarker(await api("PATCH", `/markers/${marker.id}`, change));
    } catch (error) {
      toast(error.detail);
    }
  }

  async edit(marker, text) {
    if (text && text !== marker.text) await this.change(marker, { text });
    this.page.show();
  }

  async remove(marker) {
    const yes = await confirmDialog({
      title: "Delete this marker?", text: marker.text, yes: "Delete", danger: true,
    });
    if (!yes) return;
    try {
      await api("DELETE", `/markers/${marker.id}`);
      this.page.store.dropMarker(marker.id);
    } catch (error) {
      toast(error.detail);
    }
  }
}
