// A file of messages: chosen or dropped, scored with progress, then downloaded with the results.

import { formatRecord, guessSeparator, readRecords } from "./csv.js";
import { clearError, clearErrors, find, make, reveal, showError } from "./elements.js";
import { countOf, formatCount, formatProbability } from "./numbers.js";
import { scoreRecords } from "./scoring.js";
import { readModel } from "./service.js";

// Rows of each kind to keep and show.
const SHOWN = 50;
// Symbols, since a label can be any string.
const ALL = Symbol("all");
const UNSCORED = Symbol("not scored");
const SAMPLE_CHARACTERS = 160;
const LINES_LISTED = 5;
const TEXT_COLUMNS = ["text", "message", "body", "sms"];
const ADDED = ["label", "probability", "model_version", "reason"];
const JSON_NAME = /\.(json|jsonl|ndjson)$/i;
// An object, or an array of them.
const JSON_START = /^\s*(\[\s*)?\{\s*"/;
const BYTE_ORDER_MARK = "\ufeff";
const SAFETY =
  "Open untrusted messages as text: a spreadsheet may run cells that begin with = + - @.";
const UNITS = ["bytes", "kB", "MB", "GB"];

const chosen = find("chosen");
const drop = chosen.closest(".drop");
const status = find("file-status");
const columnsForm = find("columns");
const submit = columnsForm.querySelector("button");
const column = find("column");
const running = find("running");
const progress = find("progress");
const progressText = find("progress-text");
const cancel = find("cancel");
const outcome = find("outcome");

let table = null;
let run = null;
let download = null;

/** Return a number of bytes in a suitable unit. */
function formatSize(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
}

/** Return a text's beginning, on one line. */
function shorten(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SAMPLE_CHARACTERS ? `${line.slice(0, SAMPLE_CHARACTERS)}…` : line;
}

/** Return the number of the column that most likely holds the messages. */
function guessColumn(columns, records) {
  const names = columns.map((name) => name.trim().toLowerCase());
  const named = TEXT_COLUMNS.map((name) => names.indexOf(name)).find((i) => i >= 0);
  if (named !== undefined) return named;
  const mostly = (pattern) =>
    columns.findIndex((_, i) => {
      const cells = records.map(({ fields }) => (fields[i] ?? "").trim()).filter(Boolean);
      return cells.length > 0 && cells.filter((cell) => pattern.test(cell)).length > cells.length / 2;
    });
  // Cells with several words, or else cells with letters.
  return Math.max(0, [mostly(/\p{L}.*\s.*\p{L}/su), mostly(/\p{L}/u)].find((i) => i >= 0) ?? 0);
}

/**
 * Read a file's header and first rows.
 *
 * @throws {Error} if they are missing or not valid, or it is another kind of file
 */
async function openTable(file) {
  const start = await file.slice(0, 1 << 16).text();
  if (JSON_NAME.test(file.name) || JSON_START.test(start)) {
    throw new Error(
      `${file.name} holds JSON, which this page does not read: save it as CSV or TSV and choose that file.`,
    );
  }
  const separator = guessSeparator(start.split(/[\r\n]/, 1)[0], file.name);
  const { value: first } = await readRecords(file, separator).next();
  const [header, ...records] = first?.records ?? [];
  if (!header || header.reason || header.fields.length === 0) {
    throw new Error(`${file.name} has no first row that names the columns: add one.`);
  }
  if (header.fields.some((name) => separator === "\t" && name.includes("\r"))) {
    throw new Error(`${file.name} has carriage returns within its lines: end them with line feeds.`);
  }
  if (records.length === 0 && first.bytes === file.size) {
    throw new Error(`${file.name} has no rows below its first, which names the columns: add some.`);
  }
  const names = header.fields.filter((name) => name.trim());
  const repeated = names.find((name, i) => names.indexOf(name) < i);
  if (repeated !== undefined) {
    throw new Error(`${file.name} has the column "${shorten(repeated)}" more than once: rename or remove one.`);
  }
  const mark = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  const hasMark = [0xef, 0xbb, 0xbf].every((byte, i) => mark[i] === byte);
  return { file, separator, columns: header.fields, records, hasMark };
}

/** Show the first message of the column that is chosen. */
function showSample() {
  const place = Number(column.value);
  const first = table.records.map(({ fields }) => shorten(fields[place] ?? "")).find(Boolean);
  find("sample").textContent = first ? `First message: ${first}` : "The first rows of this column are empty.";
}

/** Open a file, and ask which column has the messages. */
async function takeFile(file) {
  if (run) {
    showError(chosen, "Another file is being classified: cancel it first.", false);
    return;
  }
  clearError(chosen);
  outcome.hidden = true;
  columnsForm.hidden = true;
  try {
    table = await openTable(file);
  } catch (error) {
    showError(chosen, describeError(error, file));
    return;
  }
  const kind = { ",": "comma", ";": "semicolon", "\t": "tab" }[table.separator];
  const about = `${formatSize(file.size)}, ${countOf(table.columns.length, "column")}, ${kind}-separated`;
  find("file-about").replaceChildren(make("strong", {}, file.name), ` ${about}`);
  column.replaceChildren(
    ...table.columns.map((name, i) =>
      make("option", { value: String(i) }, name.trim() || `column ${i + 1}`),
    ),
  );
  column.value = String(guessColumn(table.columns, table.records));
  showSample();
  columnsForm.hidden = false;
  submit.classList.add("main");
  status.textContent = `${file.name} was read. Choose the column with the messages.`;
  column.focus({ preventScroll: true });
  reveal(columnsForm);
}

/** Return an error as a sentence. */
function describeError(error, file) {
  if (["NotReadableError", "NotFoundError"].includes(error.name)) {
    return `${file.name} cannot be read: it has changed or is not a file. Choose it again.`;
  }
  return error.message;
}

/** Yield what `readRecords` yields, without the first record. */
async function* dropHeader(pieces) {
  let isFirst = true;
  for await (const { records, bytes } of pieces) {
    yield { records: isFirst ? records.slice(1) : records, bytes };
    if (records.length) isFirst = false;
  }
}

/** Return names for the added columns that the file does not have yet. */
function nameAdded(columns) {
  return ADDED.map((name) => {
    let free = name;
    while (columns.includes(free)) free = `predicted_${free}`;
    return free;
  });
}

/** Show what is happening while a file is scored. */
function showProgress(sentence) {
  progressText.textContent = sentence;
  status.textContent = sentence;
}

/** Count a row, and keep it to be shown if it is among the first of its kind. */
function keepRow(kinds, name, row) {
  const kind = kinds.get(name) ?? { count: 0, first: [] };
  kind.count++;
  if (kind.first.length < SHOWN) kind.first.push(row);
  kinds.set(name, kind);
}

/** Score the file, collect its results and show the progress. */
async function collect(found, labels, place, limits, signal) {
  const { file, separator, columns, hasMark } = table;
  const pieces = dropHeader(readRecords(file, separator));
  found.parts.push((hasMark ? BYTE_ORDER_MARK : "") + formatRecord([...columns, ...found.added]));
  const asked = { columns, place, separator, limits };
  for await (const { rows, bytes } of scoreRecords(pieces, asked, { signal, onWait: showProgress })) {
    for (const row of rows) {
      keepRow(found.kinds, ALL, row);
      keepRow(found.kinds, row.reason ? UNSCORED : row.label, row);
      if (row.reason) {
        const lines = found.reasons.get(row.reason) ?? { count: 0, first: [] };
        lines.count++;
        if (lines.first.length < LINES_LISTED) lines.first.push(row.line);
        found.reasons.set(row.reason, lines);
        continue;
      }
      if (found.versions.at(-1)?.version !== row.version) {
        found.versions.push({ version: row.version, line: row.line });
      }
    }
    found.parts.push(
      rows
        .map((row) => [row.label, row.probability, row.version, row.reason])
        .map((added, i) => formatRecord([...rows[i].fields, ...added.map((value) => value ?? "")]))
        .join(""),
    );
    progress.value = bytes / file.size;
    progressText.textContent = `${countOf(countRows(found), "row")} done, ${Math.floor((100 * bytes) / file.size)}%`;
  }
}

/** Return how many rows were read. */
function countRows({ kinds }) {
  return kinds.get(ALL)?.count ?? 0;
}

/** Return how many of the rows were scored. */
function countScored({ kinds }) {
  return countRows({ kinds }) - (kinds.get(UNSCORED)?.count ?? 0);
}

/** Return the class that gives a label its colour. */
function nameSide(label, labels) {
  if (label === labels.positive) return "positive";
  return label === labels.negative ? "negative" : "";
}

/** Return a row of the table. */
function makeRow(row, place, labels) {
  const key = `key ${nameSide(row.label, labels)}`;
  const result = row.reason
    ? [make("td", { colSpan: 2, className: "unscored" }, UNSCORED.description)]
    : [
        make("td", {}, make("span", { className: key }, make("span", {}, row.label))),
        make("td", { className: "number" }, formatProbability(row.probability)),
      ];
  const message = make("td", { className: "wrap" }, shorten(row.fields[place]));
  if (row.reason) message.prepend(make("span", { className: "reason" }, row.reason));
  return make("tr", {}, make("td", { className: "number" }, formatCount(row.line)), ...result, message);
}

/** Return a table of the first rows of a kind. */
function makeTable({ first, count }, place, labels) {
  const head = [
    ["Line", "number"],
    ["Label", ""],
    [`Probability of ${labels.positive}`, "number"],
    ["Message", ""],
  ].map(([name, className]) => make("th", { scope: "col", className }, name));
  const isCut = first.length < count;
  const shown = isCut ? `The first ${first.length} of ${countOf(count, "row")}` : countOf(count, "row");
  return make(
    "table",
    { className: "rows" },
    make("caption", { className: isCut ? "" : "unseen" }, shown),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...first.map((row) => makeRow(row, place, labels))),
  );
}

/** Return a choice of the kinds of rows, each with its count, and the table of the chosen kind. */
function makeRows({ kinds }, place, labels) {
  const names = new Set([ALL, labels.positive, labels.negative, ...kinds.keys()]);
  names.delete(UNSCORED);
  names.add(UNSCORED);
  const table = make("div", { className: "shown" });
  const show = (name) => table.replaceChildren(makeTable(kinds.get(name), place, labels));
  const choices = [...names].map((name) => {
    const count = kinds.get(name)?.count ?? 0;
    const radio = make("input", {
      type: "radio",
      name: "kind",
      checked: name === ALL,
      disabled: count === 0,
    });
    radio.addEventListener("change", () => show(name));
    return make(
      "label",
      { className: `choice ${nameSide(name, labels)}` },
      radio,
      make("span", { className: "name" }, name.description ?? name),
      " ",
      make("span", { className: "of" }, formatCount(count)),
    );
  });
  show(ALL);
  const legend = make("legend", {}, "Rows to show");
  return [make("fieldset", { className: "choices" }, legend, ...choices), table];
}

/** Return remarks about the results: rows not scored, a new model, renamed columns. */
function makeRemarks(found) {
  const remarks = [];
  for (const [reason, { count, first }] of found.reasons) {
    const lines = `${first.length === 1 ? "line" : "lines"} ${first.map(formatCount).join(", ")}`;
    const more = count > first.length ? " and others" : "";
    remarks.push(`${countOf(count, "row")} not scored: ${reason} (${lines}${more}).`);
  }
  found.versions.slice(1).forEach(({ version, line }, i) => {
    const before = found.versions[i].version;
    remarks.push(
      `The model was replaced during the run: rows from line ${formatCount(line)} on were scored by ${version}, those before by ${before}.`,
    );
  });
  const renamed = found.added.filter((name) => !ADDED.includes(name));
  if (renamed.length) {
    remarks.push(
      `The file has columns of the same name already: the new ones are called ${renamed.join(", ")}.`,
    );
  }
  return remarks.length
    ? [make("ul", { className: "remarks" }, ...remarks.map((one) => make("li", {}, one)))]
    : [];
}

/** Show the results of the file, as far as it was scored. */
function showOutcome(found, labels, place, end) {
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
    outcome.append(
      ...makeRemarks(found),
      make("a", { className: "button main", href: download, download: name }, "Download results"),
      make("p", { className: "hint" }, SAFETY),
      ...makeRows(found, place, labels),
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
  const place = Number(column.value);
  const found = {
    kinds: new Map(),
    reasons: new Map(),
    versions: [],
    parts: [],
    added: nameAdded(table.columns),
  };
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
  let labels = null;
  try {
    const model = await readModel({ again: true, onWait: showProgress, signal });
    labels = model.labels;
    await collect(found, labels, place, model.limits, signal);
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
  if (labels) {
    showOutcome(found, labels, place, end);
  } else {
    status.textContent = "";
    column.focus();
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
