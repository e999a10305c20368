// A look into the take without opening it: the pointer's place on the picture is the place in time.

/** Let every picture with a storyboard be scrubbed, also those that come later. */
export function scrubThumbnails(root = document) {
  root.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const thumb = event.target.closest?.(".thumb[data-storyboard]");
    if (thumb) show(thumb, event.clientX);
  });
  root.addEventListener("pointerout", (event) => {
    const thumb = event.target.closest?.(".thumb[data-storyboard]");
    if (thumb && !thumb.contains(event.relatedTarget)) thumb.querySelector(".thumb-scrub")?.remove();
  });
}

function show(thumb, x) {
  const [columns, rows] = thumb.dataset.tiles.split("x").map(Number);
  const box = thumb.getBoundingClientRect();
  const share = Math.max(0, Math.min(0.999, (x - box.left) / box.width));
  let layer = thumb.querySelector(".thumb-scrub");
  if (!layer) {
    layer = document.createElement("span");
    layer.className = "thumb-scrub";
    layer.style.backgroundImage = `url("${thumb.dataset.storyboard}")`;
    layer.style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
    thumb.append(layer);
  }
  const tile = Math.floor(share * columns * rows);
  const at = (index, count) => (count > 1 ? (index / (count - 1)) * 100 : 0);
  layer.style.backgroundPosition = `${at(tile % columns, columns)}% ${at(Math.floor(tile / columns), rows)}%`;
  layer.style.setProperty("--share", share);
}
