// Elements made by script. Text is always a text node: data is never parsed as HTML.

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

/** Return a new SVG element with attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return the element with an id. */
export function find(id) {
  return document.getElementById(id);
}

/** Return a box with an error, which screen readers announce at once. */
export function makeProblem(text) {
  return make("p", { className: "problem", role: "alert" }, text);
}

/** Show an error beside a field, and mark the field as invalid if its value is the cause. */
export function showError(field, sentence, isInvalid = true) {
  find(`${field.id}-error`).textContent = sentence;
  if (isInvalid) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

/** Remove the error beside a field. */
export function clearError(field) {
  showError(field, "", false);
}

/** Remove the errors beside all fields. */
export function clearErrors() {
  for (const { id } of document.querySelectorAll(".error")) clearError(find(id.replace(/-error$/, "")));
}

/** Ignore repeated key presses of a held Enter: the focus may have moved to another button. */
export function ignoreHeldEnter() {
  const ignore = (event) => {
    const isPress = event.target.tagName !== "TEXTAREA" || event.ctrlKey || event.metaKey;
    if (!event.repeat || event.key !== "Enter" || !isPress) return;
    event.preventDefault();
    event.stopPropagation();
  };
  addEventListener("keydown", ignore, { capture: true });
}

/** Scroll to an element, smoothly unless the reader prefers reduced motion. */
export function reveal(element) {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "nearest", behavior: isCalm ? "auto" : "smooth" });
}
