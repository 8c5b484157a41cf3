// The question whether a prediction is right, and its answer.

import { make, makeProblem } from "./elements.js";
import { withUnit } from "./numbers.js";
import { request } from "./service.js";
import { explainReason, readValue } from "./values.js";

// With more labels, the right one is chosen from a list.
const BUTTONS = 2;

/** Send the right answer; `what` is the part of the body that says what it belongs to. */
async function send(what, right, said, block) {
  const controls = block.querySelectorAll("button, input, select");
  for (const one of controls) one.disabled = true;
  block.querySelector(".problem")?.remove();
  try {
    await request("v1/feedback", { body: { ...what, ...right }, isRepeatable: false });
    const thanks = make("p", { className: "thanks", tabIndex: -1, role: "status" });
    block.replaceChildren(thanks);
    thanks.textContent = `Thank you. Your answer, ${said}, is stored.`;
    thanks.focus({ preventScroll: true });
  } catch (error) {
    for (const one of controls) one.disabled = false;
    block.append(makeProblem(error.message));
  }
}

/** Return a form with one field and a button that sends what is in it. */
function makeForm(title, field, submit) {
  field.id = "right-answer";
  const error = make("p", { id: "right-answer-error", className: "error", role: "alert" });
  field.setAttribute("aria-describedby", error.id);
  const form = make(
    "form",
    { noValidate: true },
    make("label", { htmlFor: field.id }, title),
    make("div", { className: "actions" }, field, make("button", { type: "submit" }, "Send")),
    error,
  );
  const show = (sentence) => {
    error.textContent = sentence;
    if (sentence) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  };
  field.addEventListener("input", () => show(""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const sentence = submit(field.value);
    show(sentence);
    if (sentence) field.focus();
  });
  return form;
}

/** Return a box that asks for the right label. */
export function askForLabel(what, label, labels, stored = "row") {
  const block = make("div", { className: "feedback", role: "group", "aria-labelledby": "right" });
  const answer = (name, right) => {
    const one = make("button", { type: "button" }, name);
    one.addEventListener("click", () => send(what, { label: right }, right, block));
    return one;
  };
  const others = labels.filter((one) => one !== label);
  const isFew = labels.length <= BUTTONS;
  const buttons = [answer(`Yes, it is ${label}`, label)];
  if (isFew) buttons.push(...others.map((other) => answer(`No, it is ${other}`, other)));
  block.append(
    make("h3", { id: "right" }, "Is this right?"),
    make("div", { className: "actions" }, ...buttons),
  );
  if (!isFew) {
    const options = [["", "Choose a label"], ...others.map((other, i) => [String(i), other])];
    const choice = make("select", {}, ...options.map(([value, name]) => make("option", { value }, name)));
    block.append(
      makeForm("No, the right label is", choice, (place) => {
        if (place === "") return "Choose the right label.";
        send(what, { label: others[Number(place)] }, others[Number(place)], block);
        return "";
      }),
    );
  }
  block.append(make("p", { className: "hint" }, `Your answer is stored together with the ${stored}.`));
  return block;
}

/** Return a box that asks for the right number. */
export function askForNumber(what, unit) {
  const block = make("div", { className: "feedback", role: "group", "aria-labelledby": "right" });
  const column = { kind: "number", is_needed: true };
  const field = make("input", { type: "text", inputMode: "decimal", autocomplete: "off" });
  const form = makeForm(withUnit("The right number", unit && `(${unit})`), field, (text) => {
    const { value, reason } = readValue(column, text);
    if (reason === "missing value") return "Enter the right number.";
    if (reason) return explainReason(column, text, reason);
    send(what, { number: value }, withUnit(text.trim(), unit), block);
    return "";
  });
  block.append(
    make("h3", { id: "right" }, "Do you know the right number?"),
    form,
    make("p", { className: "hint" }, "Your answer is stored together with the row."),
  );
  return block;
}
