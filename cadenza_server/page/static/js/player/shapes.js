// The three shapes of markers, drawn once and used on the scrubber, in lists and in the composer.

const SVG = "http://www.w3.org/2000/svg";

const DRAWINGS = {
  circle: ["circle", { cx: "8", cy: "8", r: "6" }],
  diamond: ["path", { d: "M8 1 15 8 8 15 1 8Z" }],
  star: ["path", { d: "m8 .8 2.2 4.7 5.1.6-3.8 3.5 1 5.1L8 12.2l-4.5 2.5 1-5.1L.7 6.1l5.1-.6Z" }],
};

/** An SVG of `shape`; its colour comes from the class of what holds it. */
export function drawShape(shape) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const [tag, attributes] = DRAWINGS[shape];
  const drawing = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) drawing.setAttribute(name, value);
  svg.append(drawing);
  return svg;
}
