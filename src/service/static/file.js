// A file of rows: chosen or dropped, scored with progress, then downloaded with the results.

import { formatRecord, readRecords } from "./csv.js";
import { clearError, clearErrors, find, make, reveal, showError } from "./elements.js";
import { isOfMessages } from "./heading.js";
import { countOf, formatCount } from "./numbers.js";
import { dropHeader, findPlaces, formatSize, guessColumn, listNames, openTable, shorten } from "./opening.js";
import { addRows, countRows, countScored, makeRemarks, makeRows, startOutcome } from "./outcome.js";
import { readFields, readMessage, scoreRecords } from "./scoring.js";
import { readModel } from "./service.js";

const BYTE_ORDER_MARK = "\ufeff";
const SAFETY = "as text: a spreadsheet may run cells that begin with = + - @.";

const chosen = find("chosen");
const drop = chosen.closest(".drop");
const status = find("file-status");
const columnsForm = find("columns");
const submit = find("score");
const choice = find("choice");
const column = find("column");
const running = find("running");
const progress = find("progress");
const progressText = find("progress-text");
const cancel = find("cancel");
const outcome = find("outcome");

let table = null;
let run = null;
let download = null;

/** Show the first message of the column that is chosen. */
function showSample() {
  const place = Number(column.value);
  const first = table.records.map(({ fields }) => shorten(fields[place] ?? "")).find(Boolean);
  find("sample").textContent = first ? `First message: ${first}` : "The first rows of this column are empty.";
}

/** Show the columns of the file to choose that of the messages from. */
function offerColumns() {
  column.replaceChildren(
    ...table.columns.map((name, i) =>
      make("option", { value: String(i) }, name.trim() || `column ${i + 1}`),
    ),
  );
  column.value = String(guessColumn(table.columns, table.records));
  showSample();
  status.textContent = `${table.file.name} was read. Choose the column with the messages.`;
}

/** Show that the file has the columns of the model, and which others. */
function showColumns(model) {
  const places = new Set(findPlaces(model, table.file, table.columns).map(([, place]) => place));
  const others = table.columns.filter((name, i) => !places.has(i) && name.trim());
  const kept = others.length ? ` Others are kept as they are: ${listNames(others)}.` : "";
  const noun = places.size === 1 ? "The column of the model was found." : `All ${formatCount(places.size)} columns of the model were found.`;
  find("sample").textContent = noun + kept;
  status.textContent = `${table.file.name} was read. ${find("sample").textContent}`;
}

/** Open a file, and show what was found in it. */
async function takeFile(file) {
  if (run) {
    showError(chosen, "Another file is being scored: cancel it first.", false);
    return;
  }
  clearError(chosen);
  outcome.hidden = true;
  columnsForm.hidden = true;
  let isMessages;
  try {
    const model = await readModel();
    table = await openTable(file);
    isMessages = isOfMessages(model);
    if (isMessages) offerColumns();
    else showColumns(model);
  } catch (error) {
    showError(chosen, describeError(error, file));
    return;
  }
  const kind = { ",": "comma", ";": "semicolon", "\t": "tab" }[table.separator];
  const about = `${formatSize(file.size)}, ${countOf(table.columns.length, "column")}, ${kind}-separated`;
  find("file-about").replaceChildren(make("strong", {}, file.name), ` ${about}`);
  choice.hidden = !isMessages;
  columnsForm.hidden = false;
  submit.classList.add("main");
  (isMessages ? column : submit).focus({ preventScroll: true });
  reveal(columnsForm);
}

/** Return an error as a sentence. */
function describeError(error, file) {
  if (["NotReadableError", "NotFoundError"].includes(error.name)) {
    return `${file.name} cannot be read: it has changed or is not a file. Choose it again.`;
  }
  return error.message;
}

/** Return how the opened file is scored by a model. */
function makePlan(model) {
  const { columns, separator, file } = table;
  const plan = { columns, separator, limits: model.limits };
  if (isOfMessages(model) === choice.hidden) {
    throw new Error("The service has loaded a model of another kind: choose the file again.");
  }
  if (isOfMessages(model)) return { ...plan, key: "texts", read: readMessage, place: Number(column.value) };
  return { ...plan, key: "rows", read: readFields, places: findPlaces(model, file, columns) };
}

/** Show what is happening while a file is scored. */
function showProgress(sentence) {
  progressText.textContent = sentence;
  status.textContent = sentence;
}

/** Score the file, collect its results and show the progress. */
async function collect(found, plan, signal) {
  const { file, separator, columns, hasMark } = table;
  const pieces = dropHeader(readRecords(file, separator));
  found.parts.push((hasMark ? BYTE_ORDER_MARK : "") + formatRecord([...columns, ...found.added]));
  for await (const { rows, bytes } of scoreRecords(pieces, plan, { signal, onWait: showProgress })) {
    addRows(found, rows);
    progress.value = bytes / file.size;
    progressText.textContent = `${countOf(countRows(found), "row")} done, ${Math.floor((100 * bytes) / file.size)}%`;
  }
}

/** Show the results of the file, as far as it was scored. */
function showOutcome(found, plan, end) {
  const rows = countRows(found);
  const count = rows ? `${formatCount(countScored(found))} of ${countOf(rows, "row")}` : "No rows";
  const done = `${count} scored${end}`;
  const heading = make("h3", { tabIndex: -1 }, done);
  status.textContent = `${table.file.name}: ${done}.`;
  outcome.replaceChildren(heading);
  if (rows > 0) {
    URL.revokeObjectURL(download);
    download = URL.createObjectURL(new Blob(found.parts, { type: "text/csv;charset=utf-8" }));
    const name = `${table.file.name.replace(/\.[^.]*$/, "")}.scored.csv`;
    const what = plan.places ? "values" : "messages";
    outcome.append(
      ...makeRemarks(found),
      make("a", { className: "button main", href: download, download: name }, "Download results"),
      make("p", { className: "hint" }, `Open untrusted ${what} ${SAFETY}`),
      ...makeRows(found, plan),
    );
    submit.classList.remove("main");
  }
  outcome.hidden = false;
  heading.focus({ preventScroll: true });
  reveal(heading);
}

/** Score the opened file. */
async function scoreFile() {
  if (run) return;
  run = new AbortController();
  const { signal } = run;
  let end = "";
  clearError(chosen);
  outcome.hidden = true;
  columnsForm.hidden = true;
  running.hidden = false;
  chosen.disabled = true;
  drop.classList.add("off");
  progress.value = 0;
  showProgress("Reading the file");
  cancel.focus({ preventScroll: true });
  let found = null;
  let plan = null;
  try {
    const model = await readModel({ again: true, onWait: showProgress, signal });
    plan = makePlan(model);
    found = startOutcome(table, model);
    await collect(found, plan, signal);
    clearErrors();
  } catch (error) {
    end = signal.aborted ? ", then cancelled" : ", then stopped by an error";
    if (!signal.aborted) showError(chosen, describeError(error, table.file), false);
  }
  run = null;
  running.hidden = true;
  columnsForm.hidden = false;
  chosen.disabled = false;
  drop.classList.remove("off");
  if (found) {
    showOutcome(found, plan, end);
  } else {
    status.textContent = "";
    (choice.hidden ? submit : column).focus();
  }
}

/** Add the listeners of the form for files. */
export function startFile() {
  chosen.addEventListener("change", () => {
    const [file] = chosen.files;
    if (file) takeFile(file);
    // Lets the same file be chosen again after it was changed.
    chosen.value = "";
  });
  column.addEventListener("change", () => {
    clearError(chosen);
    showSample();
    submit.classList.add("main");
  });
  columnsForm.addEventListener("submit", (event) => {
    event.preventDefault();
    scoreFile();
  });
  cancel.addEventListener("click", () => run?.abort());
  // A file dropped beside the box must not replace the page.
  let depth = 0;
  const hasFile = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    depth = Math.max(0, depth + change);
    drop.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", (event) => hasFile(event) && show(1));
  addEventListener("dragleave", (event) => hasFile(event) && show(-1));
  addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    show(-depth);
    const { files } = event.dataTransfer;
    if (files.length > 1) {
      showError(chosen, "Drop one file at a time.", false);
    } else if (files.length === 1) {
      takeFile(files[0]);
    }
  });
}
