// Small pictures of the take for the place under the pointer: one sprite, many tiles.

/** Which tile shows a moment, as column and row; the last tile stands for all that follows. */
export function tileAt(facts, ms) {
  const number = Math.max(0, Math.floor(ms / facts.interval_ms));
  const last = facts.columns * facts.rows - 1;
  const count = facts.count ?? last + 1;
  const tile = Math.min(number, last, count - 1);
  return { column: tile % facts.columns, row: Math.floor(tile / facts.columns) };
}

/** Show the tile of a moment in an element, at most `width` pixels wide. */
export function showTile(element, url, facts, ms, width = 160) {
  const scale = width / facts.tile_width;
  const { column, row } = tileAt(facts, ms);
  element.style.width = `${width}px`;
  element.style.height = `${Math.round(facts.tile_height * scale)}px`;
  element.style.backgroundImage = `url("${new URL(url, location.href).href}")`;
  element.style.backgroundSize = `${facts.columns * width}px auto`;
  element.style.backgroundPosition = `${-column * width}px ${-row * facts.tile_height * scale}px`;
}
