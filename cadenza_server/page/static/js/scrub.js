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
  const [columns, count, width, height] = thumb.dataset.tiles.split("x").map(Number);
  const rows = Math.ceil(count / columns);
  const box = thumb.getBoundingClientRect();
  const share = Math.max(0, Math.min(0.999, (x - box.left) / box.width));
  const layer = thumb.querySelector(".thumb-scrub") ?? newLayer(thumb, columns, rows, width / height);
  const tile = Math.floor(share * count);
  const at = (index, all) => (all > 1 ? (index / (all - 1)) * 100 : 0);
  layer.firstChild.style.backgroundPosition =
    `${at(tile % columns, columns)}% ${at(Math.floor(tile / columns), rows)}%`;
  layer.style.setProperty("--share", share);
}

/** A frame that fills the thumbnail, and in it the picture in its own shape: phones film upright. */
function newLayer(thumb, columns, rows, shape) {
  const layer = document.createElement("span");
  layer.className = "thumb-scrub";
  const picture = document.createElement("span");
  picture.style.aspectRatio = String(shape);
  picture.style[shape < thumb.clientWidth / thumb.clientHeight ? "height" : "width"] = "100%";
  picture.style.backgroundImage = `url("${thumb.dataset.storyboard}")`;
  picture.style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
  layer.append(picture);
  thumb.append(layer);
  return layer;
}
