// What a page is called: the name and the task of the model that is served.

import { find } from "./elements.js";
import { toSentence } from "./numbers.js";

// Characters of a name that is shown in sentences.
const LONGEST = 60;

/** Return whether the model gives messages one of two labels. */
export function isOfMessages({ task, is_messages: takesOneText }) {
  return task === "binary" && takesOneText;
}

/** Return what the model predicts, as its data call it; a long name is cut. */
export function nameTarget({ target_name: name }) {
  return name.length > LONGEST ? `${[...name].slice(0, LONGEST).join("")}…` : name;
}

/** Return labels as a list of words, as in "a, b or c"; of many only how many there are. */
function listLabels(labels) {
  if (labels.length > 5 || labels.join("").length > 100) return `which of ${labels.length} labels fits`;
  return `${labels.slice(0, -1).join(", ")} or ${labels.at(-1)}`;
}

/** Return what the page for predictions is called, and what it says about the model. */
export function describePage(model) {
  if (isOfMessages(model)) {
    const { positive, negative } = model.labels;
    return {
      title: "Classify a message",
      lede: `The model says ${positive} or ${negative}, how sure it is, and which words matter.`,
    };
  }
  const answer =
    model.task === "regression"
      ? "The model says how much it expects, how far off that may be, and which values matter."
      : `The model says ${listLabels(model.classes)}, how sure it is, and which values matter.`;
  return { title: `Predict ${nameTarget(model)}`, lede: `${toSentence(model.summary)} ${answer}` };
}

/** Show what the model is called in the page's header and title. */
export function showName(model, title) {
  find("brand").textContent = model.name;
  document.title = `${title} – ${model.name}`;
}

/** Show the page, which is not visible before its words are known. */
export function showPage() {
  document.body.classList.remove("pending");
}
