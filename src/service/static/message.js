// One message: the form, the verdict, and the user's feedback on it.

import {
  clearError,
  clearErrors,
  find,
  make,
  makeProblem,
  reveal,
  showError,
} from "./elements.js";
import { countOf, formatCount, formatProbability, formatThreshold } from "./numbers.js";
import { countCharacters, isBlank } from "./scoring.js";
import { predict, readModel, request } from "./service.js";
import { makeWords } from "./words.js";

// The share of the limit from which the number of characters is shown.
const NEAR = 0.8;
// Statuses that mean the message itself is not valid.
const INVALID = [413, 422];

const form = find("message");
const text = find("text");
const count = find("count");
const status = find("status");
const wait = find("wait");
const verdict = find("verdict");
const result = find("result");
const button = form.querySelector("button[type=submit]");

let latest = 0;

/** Show the number of characters once it is near the limit. */
function showCount(limit) {
  const length = countCharacters(text.value);
  const isOver = length > limit;
  count.hidden = length < NEAR * limit;
  count.textContent = count.hidden
    ? ""
    : `${formatCount(length)} of ${countOf(limit, "character")}${isOver ? ": too long" : ""}`;
  count.classList.toggle("over", isOver);
}

/** Return a bar of the probability, with a mark where the threshold is. */
function makeMeter(probability, threshold, labels) {
  const meter = make(
    "div",
    {
      className: "meter",
      role: "meter",
      "aria-label": `Probability of ${labels.positive}`,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": (100 * probability).toFixed(2),
      "aria-valuetext": formatProbability(probability),
    },
    make("span", { className: "fill" }),
    make("span", { className: "threshold" }),
  );
  meter.style.setProperty("--probability", probability);
  meter.style.setProperty("--threshold", threshold);
  return meter;
}

/** Send the label that the user says is right. */
async function sendFeedback(message, label, block) {
  for (const one of block.querySelectorAll("button")) one.disabled = true;
  block.querySelector(".problem")?.remove();
  let said;
  try {
    await request("v1/feedback", { body: { text: message, label }, isRepeatable: false });
    said = make("p", { className: "thanks", tabIndex: -1, role: "status" });
    block.replaceChildren(said);
    said.textContent = `Thank you. Your answer, ${label}, is stored.`;
    said.focus({ preventScroll: true });
  } catch (error) {
    for (const one of block.querySelectorAll("button")) one.disabled = false;
    block.append(makeProblem(error.message));
  }
}

/** Return a box that asks whether the verdict is right. */
function makeFeedback(message, label, labels) {
  const other = label === labels.positive ? labels.negative : labels.positive;
  const block = make("div", { className: "feedback", role: "group", "aria-labelledby": "right" });
  const answer = (name, right) => {
    const one = make("button", { type: "button" }, name);
    one.addEventListener("click", () => sendFeedback(message, right, block));
    return one;
  };
  block.append(
    make("h3", { id: "right" }, "Is this right?"),
    make(
      "div",
      { className: "actions" },
      answer(`Yes, it is ${label}`, label),
      answer(`No, it is ${other}`, other),
    ),
    make("p", { className: "hint" }, "Your answer is stored together with the message."),
  );
  return block;
}

/** Show a verdict. */
function showVerdict(message, answer, model) {
  const { label, probability, words } = answer.predictions[0];
  const { labels } = model;
  const side = label === labels.positive ? "positive" : "negative";
  const shown = formatProbability(probability);
  const from = `The line marks ${formatThreshold(answer.threshold)}: from there on, a message is marked as ${labels.positive}.`;
  result.replaceChildren(
    make(
      "div",
      { className: `verdict ${side}` },
      make("p", { className: "label" }, label),
      make("p", {}, make("strong", {}, shown), ` probability of ${labels.positive}`),
    ),
    makeMeter(probability, answer.threshold, labels),
    make("p", { className: "hint" }, from),
    ...makeWords(words, labels),
  );
  if (model.feedback) result.append(makeFeedback(message, label, labels));
  status.textContent = `Verdict: ${label}. The probability of ${labels.positive} is ${shown}.`;
}

/** Show why the page is waiting for the service, or nothing. */
function showWait(sentence) {
  status.textContent = sentence;
  wait.textContent = sentence;
  wait.hidden = !sentence;
}

/** Show why there is no verdict, and hide the verdict on an earlier message. */
function showFailure(sentence, isInvalid) {
  verdict.hidden = true;
  showWait("");
  showError(text, sentence, isInvalid);
  if (isInvalid) text.focus();
}

/** Return why a message cannot be classified, or "". */
function findReason(message, limit) {
  if (isBlank(message)) return "There is no message yet: paste one or try an example.";
  const length = countCharacters(message);
  if (length <= limit) return "";
  return `The message has ${countOf(length, "character")}, the limit is ${formatCount(limit)}: shorten it.`;
}

/** Classify the message in the box. */
async function classify() {
  const message = text.value;
  const turn = ++latest;
  const options = { onWait: (sentence) => turn === latest && showWait(sentence) };
  clearError(text);
  showWait("");
  result.setAttribute("aria-busy", "true");
  button.classList.add("busy");
  try {
    let model = await readModel(options);
    const reason = findReason(message, model.limits.text_length);
    if (turn !== latest) return;
    if (reason) {
      showFailure(reason, true);
      return;
    }
    const answer = await predict({ text: message, explain: true }, 1, options);
    // The model may have been replaced since the page was opened.
    if (answer.model_version !== model.version) model = await readModel({ again: true });
    if (turn !== latest) return;
    clearErrors();
    showWait("");
    showVerdict(message, answer, model);
    verdict.hidden = false;
    reveal(result.querySelector(".text") ?? verdict);
  } catch (error) {
    if (turn === latest) showFailure(error.message, INVALID.includes(error.status));
  } finally {
    if (turn === latest) {
      result.removeAttribute("aria-busy");
      button.classList.remove("busy");
    }
  }
}

/** Add the listeners of the form for a message. */
export function startMessage() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    classify();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      classify();
    }
  });
  text.addEventListener("input", async () => {
    clearError(text);
    // If the limits cannot be read, a message can still be classified.
    const model = await readModel().catch(() => null);
    if (model) showCount(model.limits.text_length);
  });
  if (/Mac|iP/.test(navigator.platform)) find("modifier").textContent = "⌘";
  for (const example of form.querySelectorAll("[data-example]")) {
    example.addEventListener("click", () => {
      text.value = example.dataset.example;
      text.dispatchEvent(new Event("input"));
      classify();
    });
  }
}
