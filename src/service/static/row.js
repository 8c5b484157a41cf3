// One row of a table: the form, the prediction, and the user's feedback on it.

import { clearErrors, find, reveal, showError } from "./elements.js";
import { Field } from "./fields.js";
import { formatCount } from "./numbers.js";
import { describeResult, makeResult } from "./result.js";
import { predict, readModel } from "./service.js";
import { explainReason } from "./values.js";

// So many columns are shown at first, the most important ones.
const SHOWN_COLUMNS = 12;
const INVALID = [413, 422];

const form = find("row");
const more = find("more");
const status = find("row-status");
const wait = find("row-wait");
const verdict = find("verdict");
const result = find("result");
const button = form.querySelector("button[type=submit]");

let fields = [];
let latest = 0;

/** Add the elements of the columns that are not shown at first. */
function fillMore() {
  const place = more.querySelector(".fields");
  if (place.children.length === 0) {
    place.append(...fields.slice(SHOWN_COLUMNS).map((field) => field.build()));
  }
}

/** Return what the user has entered, by column. */
export function listEntered() {
  const filled = fields.filter(({ input, text }) => input && text !== "");
  return new Map(filled.map(({ column, text }) => [column.name, text]));
}

/** Make the form for a model; fill in what was entered in another, and return the names kept. */
export function showRowForm(model, entered) {
  fields = model.columns.map((column, i) => new Field(column, i));
  const rest = fields.slice(SHOWN_COLUMNS);
  find("row-hint").textContent = describeForm(model.columns);
  find("fields").replaceChildren(...fields.slice(0, SHOWN_COLUMNS).map((field) => field.build()));
  more.hidden = rest.length === 0;
  more.open = false;
  more.querySelector("summary").textContent =
    `More columns (${formatCount(rest.length)}), filled with their usual values`;
  more.querySelector(".fields").replaceChildren();
  for (const field of rest) field.fill();
  const kept = [];
  for (const field of fields.filter(({ column }) => entered.has(column.name))) {
    const text = entered.get(field.column.name);
    field.text = text;
    // A choice or a date does not take every text.
    if (field.text === text) kept.push(field.column.name);
  }
  return kept;
}

/** Return what the form says about its fields. */
function describeForm(columns) {
  const parts = [];
  if (columns.some(({ minimum }) => minimum != null)) parts.push("Ranges are those of the training rows.");
  if (columns.some(({ is_needed: isNeeded }) => !isNeeded)) parts.push("An empty field is a missing value.");
  return parts.join(" ");
}

/** Show errors beside fields, given as pairs, and go to the first. */
function showInvalid(found) {
  if (found.some(([field]) => !field.input)) {
    more.open = true;
    fillMore();
  }
  for (const [field, sentence] of found) showError(field.input, sentence);
  const [[first]] = found;
  if (more.contains(first.input)) more.open = true;
  first.input.focus();
}

/** Return the values in the form as pairs; null if some cannot be read, whose errors are shown. */
function readRow() {
  const read = fields.map((field) => [field, field.read()]);
  const invalid = read
    .filter(([, { reason }]) => reason)
    .map(([field, { reason }]) => [field, explainReason(field.column, field.text, reason)]);
  if (invalid.length) {
    showInvalid(invalid);
    return null;
  }
  if (read.slice(0, SHOWN_COLUMNS).every(([, { value }]) => value === null)) {
    showError(form, "There are no values yet: fill in some, or try the usual ones.", false);
    fields[0].input.focus();
    return null;
  }
  return Object.fromEntries(read.map(([{ column }, { value }]) => [column.name, value]));
}

/** Show why the page is waiting for the service, or nothing. */
function showWait(sentence) {
  status.textContent = sentence;
  wait.textContent = sentence;
  wait.hidden = !sentence;
}

/** Show why there is no prediction: beside the fields that an error names, or below the form. */
function showFailure(problem) {
  verdict.hidden = true;
  showWait("");
  const named = (problem.errors ?? []).flatMap((one) => {
    const [, name] = /^\/row\/(.*)$/s.exec(one?.pointer) ?? [];
    const plain = name?.replaceAll("~1", "/").replaceAll("~0", "~");
    const field = fields.find(({ column }) => column.name === plain);
    return field && typeof one.detail === "string" ? [[field, `${one.detail}.`]] : [];
  });
  if (INVALID.includes(problem.status) && named.length) showInvalid(named);
  else showError(form, problem.message, false);
}

/** Predict from the row in the form. */
async function run() {
  const turn = ++latest;
  const options = { onWait: (sentence) => turn === latest && showWait(sentence) };
  clearErrors();
  showWait("");
  const row = readRow();
  // An older prediction must not stay beside a newer error.
  if (!row) verdict.hidden = true;
  if (!row) return;
  result.setAttribute("aria-busy", "true");
  button.classList.add("busy");
  try {
    let model = await readModel(options);
    const answer = await predict({ row, explain: true }, 1, options);
    // The model may have been replaced since the form was made.
    if (answer.model_version !== model.version) model = await readModel({ again: true });
    if (turn !== latest) return;
    showWait("");
    result.replaceChildren(...makeResult(answer, model, row));
    status.textContent = describeResult(answer, model);
    verdict.hidden = false;
    reveal(verdict);
  } catch (problem) {
    if (turn !== latest) return;
    // A model with other columns refuses the row; the form for it is made when it is read.
    if (INVALID.includes(problem.status)) await readModel({ again: true }).catch(() => null);
    showFailure(problem);
  } finally {
    if (turn === latest) {
      result.removeAttribute("aria-busy");
      button.classList.remove("busy");
    }
  }
}

/** Add the listeners of the form for a row. */
export function startRow() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  form.addEventListener("input", () => showError(form, "", false));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      run();
    }
  });
  more.addEventListener("toggle", () => more.open && fillMore());
  find("clear").addEventListener("click", () => {
    for (const field of fields) field.text = "";
    clearErrors();
    fields[0].input.focus();
  });
  find("usual").addEventListener("click", () => {
    for (const field of fields) field.fill();
    run();
  });
}
