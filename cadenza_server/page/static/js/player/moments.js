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
  /** @param {object} page `store`, `transport`, `controls`, `scrubber`, `list`, `media`, `show()`. */
  constructor(page) {
    this.page = page;
    this.selectedId = null;
    this.activeId = null;
    this.followed = null;
  }

  /** Light up what is playing. */
  onTime(ms) {
    const active = activeAt(this.page.store.allMarkers(), ms)?.id ?? null;
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
    const link = writeLink(location.search, { ms: marker.timestamp_ms, markerId: marker.id });
    history.replaceState(history.state, "", `${location.pathname}${link}`);
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
    const marker = this.page.store.marker(id);
    if (marker) this.jump(marker);
  }

  loop(marker) {
    this.select(marker);
    this.page.controls.loopMarker(marker);
  }

  walk(direction) {
    const { store, transport } = this.page;
    const markers = store.allMarkers();
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
    const { ms, markerId } = readLink(location.search);
    const link = `${ms}/${markerId}`;
    if (this.followed === link || this.page.media.state !== "ready") return;
    const marker = markerId ? this.page.store.marker(markerId) : null;
    if (marker) this.jump(marker);
    else if (ms !== null) {
      this.page.transport.seekToMoment(ms);
      this.page.controls.showTime();
    }
    if (!markerId || marker) this.followed = link;
  }

  label(id) {
    const marker = this.page.store.marker(id);
    return marker ? `About ${formatTime(marker.timestamp_ms)}` : null;
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
