// One message: the form, the verdict, and the user's feedback on it.

import { clearError, clearErrors, find, reveal, showError } from "./elements.js";
import { askForLabel } from "./feedback.js";
import { countOf, formatCount, formatProbability } from "./numbers.js";
import { makeVerdict } from "./result.js";
import { countCharacters, isBlank } from "./scoring.js";
import { predict, readModel } from "./service.js";
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

/** Show a verdict. */
function showVerdict(message, answer, model) {
  const { label, probability, words } = answer.predictions[0];
  const { labels, classes } = model;
  result.replaceChildren(
    ...makeVerdict(answer.predictions[0], answer.threshold, labels, "message"),
    ...makeWords(words, labels),
  );
  if (model.feedback) result.append(askForLabel({ text: message }, label, classes, "message"));
  status.textContent = `Verdict: ${label}. The probability of ${labels.positive} is ${formatProbability(probability)}.`;
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
    if (turn !== latest) return;
    // A model that takes other columns refuses a message; the form for it is shown when it is read.
    if (error.status === 422) await readModel({ again: true }).catch(() => null);
    showFailure(error.message, INVALID.includes(error.status));
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
