// A file of messages: chosen or dropped, scored with progress, and handed back with the results.

import { formatRecord, guessSeparator, readRecords } from "./csv.js";
import { find, make, makeProblem, reveal } from "./elements.js";
import { countOf, formatCount, formatProbability } from "./numbers.js";
import { scoreRecords } from "./scoring.js";
import { orAbort, readModel } from "./service.js";

const SHOWN = 50;
const SAMPLE_CHARACTERS = 160;
const LINES_LISTED = 5;
const TEXT_COLUMNS = ["text", "message", "body", "sms"];
const ADDED = ["label", "probability", "model_version", "reason"];
const BYTE_ORDER_MARK = "\ufeff";
const UNITS = ["bytes", "kB", "MB", "GB"];

const chosen = find("chosen");
const drop = chosen.closest(".drop");
const status = find("file-status");
const problem = find("file-problem");
const columnsForm = find("columns");
const column = find("column");
const running = find("running");
const progress = find("progress");
const progressText = find("progress-text");
const cancel = find("cancel");
const outcome = find("outcome");

let table = null;
let run = null;
let download = null;

/** Return a number of bytes in a unit that suits it. */
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
  // Several words, or at least letters.
  return Math.max(0, [mostly(/\p{L}.*\s.*\p{L}/su), mostly(/\p{L}/u)].find((i) => i >= 0) ?? 0);
}

/**
 * Read a file's header and first rows.
 *
 * @throws {Error} if there are none
 */
async function openTable(file) {
  const start = await file.slice(0, 1 << 16).text();
  const separator = guessSeparator(start.split("\n", 1)[0], file.name);
  const { value: first } = await readRecords(file, separator).next();
  const [header, ...records] = first?.records ?? [];
  if (!header || header.fault || header.fields.length === 0) {
    throw new Error(`${file.name} has no first row that names the columns: add one.`);
  }
  if (records.length === 0 && first.bytes === file.size) {
    throw new Error(`${file.name} has no rows below its first, which names the columns.`);
  }
  const mark = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  const hasMark = [0xef, 0xbb, 0xbf].every((byte, i) => mark[i] === byte);
  return { file, separator, columns: header.fields, records, hasMark };
}

/** Show the first message of the column that is chosen. */
function showSample() {
  const place = Number(column.value);
  const first = table.records.map(({ fields }) => shorten(fields[place] ?? "")).find(Boolean);
  find("sample").textContent = first ? `It begins: ${first}` : "Its first rows are empty.";
}

/** Take a file, and ask which column holds the messages. */
async function takeFile(file) {
  if (run) {
    problem.replaceChildren(makeProblem("Another file is being classified: cancel it first."));
    return;
  }
  problem.replaceChildren();
  outcome.hidden = true;
  columnsForm.hidden = true;
  try {
    table = await openTable(file);
  } catch (error) {
    problem.replaceChildren(makeProblem(tellError(error, file)));
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
  status.textContent = `${file.name} is read: choose the column that holds the messages.`;
  column.focus({ preventScroll: true });
  reveal(columnsForm);
}

/** Return what went wrong as a sentence. */
function tellError(error, file) {
  if (["NotReadableError", "NotFoundError"].includes(error.name)) {
    return `${file.name} cannot be read: it has changed or is no file. Choose it again.`;
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

/** Return the names of the added columns, other than those that the file has already. */
function nameAdded(columns) {
  let prefix = "";
  while (ADDED.some((name) => columns.includes(prefix + name))) prefix += "predicted_";
  return ADDED.map((name) => prefix + name);
}

/** Tell what goes on while a file is scored. */
function tell(sentence) {
  progressText.textContent = sentence;
  status.textContent = sentence;
}

/** Score the file, and collect what is told of it; on the way, show how far it is. */
async function collect(found, labels, place, limits, signal) {
  const { file, separator, columns, hasMark } = table;
  const pieces = dropHeader(readRecords(file, separator));
  found.parts.push((hasMark ? BYTE_ORDER_MARK : "") + formatRecord([...columns, ...found.added]));
  const asked = { columns, place, separator, limits };
  for await (const { rows, bytes } of scoreRecords(pieces, asked, { signal, onWait: tell })) {
    for (const row of rows) {
      if (row.reason) {
        const lines = found.reasons.get(row.reason) ?? { count: 0, first: [] };
        lines.count++;
        if (lines.first.length < LINES_LISTED) lines.first.push(row.line);
        found.reasons.set(row.reason, lines);
        continue;
      }
      found.counts.set(row.label, (found.counts.get(row.label) ?? 0) + 1);
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
    found.shown.push(...rows.slice(0, SHOWN - found.shown.length));
    found.rows += rows.length;
    progress.value = bytes / file.size;
    progressText.textContent = `${countOf(found.rows, "row")} done, ${Math.floor((100 * bytes) / file.size)}%`;
  }
}

/** Return a table of the first rows. */
function makeTable(rows, place, labels) {
  const body = rows.map((row) => {
    const side = row.label === labels.positive ? "positive" : "negative";
    const result = row.reason
      ? [make("td", { colSpan: 2, className: "unscored" }, "not scored")]
      : [
          make("td", {}, make("span", { className: `key ${side}` }, make("span", {}, row.label))),
          make("td", { className: "number" }, formatProbability(row.probability)),
        ];
    const message = make("td", { className: "wrap" }, shorten(row.fields[place]));
    if (row.reason) message.prepend(make("span", { className: "reason" }, row.reason));
    return make(
      "tr",
      {},
      make("td", { className: "number" }, formatCount(row.line)),
      ...result,
      message,
    );
  });
  const head = [
    ["Line", "number"],
    ["Label", ""],
    ["Probability", "number"],
    ["Message", ""],
  ].map(([name, className]) => make("th", { scope: "col", className }, name));
  return make(
    "table",
    { className: "rows" },
    make("caption", {}, `The first ${countOf(rows.length, "row")}, each with its probability of ${labels.positive}`),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

/** Return the counts as figures. */
function makeCounts(found, labels) {
  const others = [...found.counts.keys()].filter((one) => !Object.values(labels).includes(one));
  const scored = [labels.positive, labels.negative, ...others].map((label) => [
    label,
    found.counts.get(label) ?? 0,
    { [labels.positive]: "positive", [labels.negative]: "negative" }[label] ?? "",
  ]);
  const unscored = [...found.reasons.values()].reduce((sum, { count }) => sum + count, 0);
  return make(
    "dl",
    { className: "figures" },
    ...[...scored, ["not scored", unscored, ""]].map(([name, count, side]) =>
      make(
        "div",
        {},
        make("dt", { className: side && `key ${side}` }, make("span", {}, name)),
        make("dd", {}, formatCount(count)),
      ),
    ),
  );
}

/** Return sentences on what the reader should know of the results. */
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
      `The model was replaced on the way: from line ${formatCount(line)} on the results are of ${version}, before of ${before}.`,
    );
  });
  if (found.added[0] !== ADDED[0]) {
    remarks.push(`The file has such columns already, so the added ones are ${found.added.join(", ")}.`);
  }
  return remarks.length
    ? [make("ul", { className: "remarks" }, ...remarks.map((one) => make("li", {}, one)))]
    : [];
}

/** Show what came of the file, as far as it was scored. */
function showOutcome(found, labels, place, end) {
  const heading = make("h3", { tabIndex: -1 }, `${countOf(found.rows, "row")} ${end}`);
  outcome.replaceChildren(heading);
  if (found.rows > 0) {
    URL.revokeObjectURL(download);
    download = URL.createObjectURL(new Blob(found.parts, { type: "text/csv;charset=utf-8" }));
    const name = `${table.file.name.replace(/\.[^.]*$/, "")}.scored.csv`;
    outcome.append(
      makeCounts(found, labels),
      ...makeRemarks(found),
      make("a", { className: "button main", href: download, download: name }, "Download results"),
      makeTable(found.shown, place, labels),
    );
  }
  outcome.hidden = false;
  heading.focus({ preventScroll: true });
  reveal(heading);
}

/** Score the file that was taken. */
async function scoreFile() {
  run = new AbortController();
  const { signal } = run;
  const place = Number(column.value);
  const found = {
    rows: 0,
    counts: new Map(),
    reasons: new Map(),
    versions: [],
    shown: [],
    parts: [],
    added: nameAdded(table.columns),
  };
  let end = "done";
  problem.replaceChildren();
  outcome.hidden = true;
  columnsForm.hidden = true;
  running.hidden = false;
  chosen.disabled = true;
  drop.classList.add("off");
  progress.value = 0;
  tell("Reading the file");
  cancel.focus({ preventScroll: true });
  let labels = null;
  try {
    const model = await orAbort(readModel({ again: true, onWait: tell }), signal);
    labels = model.labels;
    await collect(found, labels, place, model.limits, signal);
  } catch (error) {
    end = signal.aborted ? "done, then cancelled" : "done, then stopped";
    if (!signal.aborted) problem.replaceChildren(makeProblem(tellError(error, table.file)));
  }
  run = null;
  running.hidden = true;
  columnsForm.hidden = false;
  chosen.disabled = false;
  drop.classList.remove("off");
  if (labels) {
    status.textContent = `${table.file.name}: ${countOf(found.rows, "row")} ${end}.`;
    showOutcome(found, labels, place, end);
  } else {
    status.textContent = "";
    column.focus();
  }
}

/** Make choosing, dropping and scoring work. */
export function startFile() {
  chosen.addEventListener("change", () => {
    const [file] = chosen.files;
    if (file) takeFile(file);
    // The same file, changed, may be chosen again.
    chosen.value = "";
  });
  column.addEventListener("change", showSample);
  columnsForm.addEventListener("submit", (event) => {
    event.preventDefault();
    scoreFile();
  });
  cancel.addEventListener("click", () => run?.abort());
  // A file that misses the box must not take the page away.
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
      problem.replaceChildren(makeProblem("One file at a time: drop a single one."));
    } else if (files.length === 1) {
      takeFile(files[0]);
    }
  });
}
