// Making elements without markup in strings: text can never become an element.

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("../icons.svg", import.meta.url);

/**
 * An element: `el("a", {href: "/inbox", class: "button"}, icon("inbox"), "Inbox")`.
 * Attributes that are null or false are left out; functions become listeners ("onclick").
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown);
  return element;
}

/** One of the drawings in icons.svg; hidden from screen readers, so give the button a label. */
export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE.pathname}#${name}`);
  svg.append(use);
  return svg;
}
