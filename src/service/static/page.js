// The page at `/`: a form for what the model takes, its prediction, and files of rows.

import { find, ignoreHeldEnter, make, makeProblem } from "./elements.js";
import { startFile } from "./file.js";
import { describePage, isOfMessages, showName, showPage } from "./heading.js";
import { startMessage } from "./message.js";
import { formatThreshold } from "./numbers.js";
import { listEntered, showRowForm, startRow } from "./row.js";
import { onModel, readModel } from "./service.js";

/** Return what the footer says about the model. */
function describeModel(model) {
  const { version, labels, threshold } = model;
  if (!labels) return `Model ${version}.`;
  const what = isOfMessages(model) ? "message" : "row";
  return `Model ${version} marks a ${what} as ${labels.positive} from a probability of ${formatThreshold(threshold)}.`;
}

/** Return a notice that the form has changed, with the values that have no place in it. */
function makeNotice({ name, version }, lost) {
  const said = `The service has loaded another model, ${name} ${version}: the form now shows its columns. Values of columns with the same name were kept.`;
  const close = make("button", { type: "button" }, "Close");
  const notice = make("div", { className: "card notice", role: "alert" }, make("p", {}, said));
  if (lost.length) {
    const items = lost.map((pair) => pair.map((text) => make("bdi", {}, text)));
    const list = items.map(([column, text]) => make("li", {}, column, ": ", text));
    notice.append(make("p", {}, "These values have no place in the form:"), make("ul", {}, ...list));
  }
  notice.append(close);
  close.addEventListener("click", () => notice.remove());
  return notice;
}

/** Make the form for a model that takes other columns than the one before. */
function replaceForm(model, before) {
  let entered = new Map();
  if (before) {
    const text = find("text").value;
    entered = isOfMessages(before) ? new Map(text ? [[before.columns[0].name, text]] : []) : listEntered();
  }
  const lost = new Map(entered);
  if (isOfMessages(model)) {
    const [{ name }] = model.columns;
    find("text").value = entered.get(name) ?? "";
    lost.delete(name);
  } else {
    for (const name of showRowForm(model, entered)) lost.delete(name);
  }
  find("verdict").hidden = true;
  if (before) find("notices").replaceChildren(makeNotice(model, [...lost]));
}

/** Show the form for a model, in place of that for the model before. */
function show(model, before) {
  const isMessages = isOfMessages(model);
  const { title, lede } = describePage(model);
  find("title").textContent = title;
  find("lede").textContent = lede;
  showName(model, title);
  find("message").hidden = !isMessages;
  find("row").hidden = isMessages;
  find("file").hidden = false;
  find("file-name").textContent = isMessages ? "A file of messages" : "A file of rows";
  find("verdict-name").textContent = isMessages ? "Verdict" : "Prediction";
  find("score").textContent = isMessages ? "Classify the file" : "Predict for the file";
  find("privacy").textContent =
    `${isMessages ? "Messages are" : "What you enter is"} sent to this service and nowhere else.`;
  find("about-model").textContent = describeModel(model);
  const isSame = JSON.stringify(before?.columns) === JSON.stringify(model.columns);
  if (!isSame) replaceForm(model, before);
  showPage();
}

/** Read the model and show its form; offer to try again if that fails. */
async function start() {
  const notices = find("notices");
  const wait = make("p", { className: "hint", role: "status" });
  notices.append(wait);
  try {
    await readModel({ onWait: (sentence) => (wait.textContent = sentence) });
  } catch (error) {
    const again = make("button", { type: "button" }, "Try again");
    const block = make("div", { className: "retry" }, makeProblem(error.message), again);
    again.addEventListener("click", () => {
      block.remove();
      start();
    });
    notices.append(block);
  }
  wait.remove();
}

ignoreHeldEnter();
startMessage();
startRow();
startFile();
onModel(show);
start();
