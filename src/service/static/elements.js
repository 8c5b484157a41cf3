// Elements made by script. Text is always a text node: no data is ever read as HTML.

/**
 * Return a new element. Properties whose name has a hyphen, and "role", become attributes.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Return the element with an id. */
export function find(id) {
  return document.getElementById(id);
}

/** Return a box that tells of a problem, which screen readers read at once. */
export function makeProblem(text) {
  return make("p", { className: "problem", role: "alert" }, text);
}

/** Scroll to an element, and move there only as the reader likes it. */
export function reveal(element) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}
