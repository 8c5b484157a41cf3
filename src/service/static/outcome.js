// What came of a file: counts, remarks, a table of the first rows, and the lines to download.

import { formatRecord } from "./csv.js";
import { make } from "./elements.js";
import { isOfMessages, nameTarget } from "./heading.js";
import { countOf, formatCount, formatNumber, formatProbability, withUnit } from "./numbers.js";
import { shorten } from "./opening.js";

// Rows of each kind to keep and show.
const SHOWN = 50;
const SHOWN_LABELS = 10;
const SHOWN_VALUES = 5;
// Symbols, since a label can be any string.
const ALL = Symbol("all");
const WARNED = Symbol("with warnings");
const UNSCORED = Symbol("not scored");
const LINES_LISTED = 5;

/** Return the columns that are added to a file, by the names that `python src predict` uses. */
function listAdded(model) {
  const interval = model.coverage == null ? [] : ["lower", "upper"];
  const answer = model.task === "regression" ? ["prediction", ...interval] : ["label", "probability"];
  if (!isOfMessages(model)) answer.push("warnings");
  return [...answer, "model_version", "reason"];
}

/** Return an empty record of what comes of a file. */
export function startOutcome({ columns }, model) {
  const wanted = listAdded(model);
  const added = wanted.map((name) => {
    let free = name;
    while (columns.includes(free)) free = `predicted_${free}`;
    return free;
  });
  return { model, wanted, added, kinds: new Map(), reasons: new Map(), versions: [], parts: [] };
}

/** Return the value of an added column for a row. */
function findAdded(name, { found, version, reason }) {
  if (name === "reason") return reason;
  if (!found) return "";
  if (name === "model_version") return version;
  if (name !== "warnings") return found[name] ?? "";
  return (found.warnings ?? []).map(({ column, problem }) => `${column}: ${problem}`).join("; ");
}

/** Count a row, and keep it to be shown if it is among the first of its kind. */
function keepRow(kinds, name, row) {
  const kind = kinds.get(name) ?? { count: 0, first: [] };
  kind.count++;
  if (kind.first.length < SHOWN) kind.first.push(row);
  kinds.set(name, kind);
}

/** Add rows that were scored, or not, to the outcome. */
export function addRows(outcome, rows) {
  for (const row of rows) {
    keepRow(outcome.kinds, ALL, row);
    if (row.reason) {
      keepRow(outcome.kinds, UNSCORED, row);
      const lines = outcome.reasons.get(row.reason) ?? { count: 0, first: [] };
      lines.count++;
      if (lines.first.length < LINES_LISTED) lines.first.push(row.line);
      outcome.reasons.set(row.reason, lines);
      continue;
    }
    if (row.found.label !== undefined) keepRow(outcome.kinds, row.found.label, row);
    if (row.found.warnings?.length) keepRow(outcome.kinds, WARNED, row);
    if (outcome.versions.at(-1)?.version !== row.version) {
      outcome.versions.push({ version: row.version, line: row.line });
    }
  }
  const lines = rows.map((row) => [...row.fields, ...outcome.wanted.map((name) => findAdded(name, row))]);
  outcome.parts.push(lines.map(formatRecord).join(""));
}

/** Return how many rows were read. */
export function countRows({ kinds }) {
  return kinds.get(ALL)?.count ?? 0;
}

/** Return how many of the rows were scored. */
export function countScored({ kinds }) {
  return countRows({ kinds }) - (kinds.get(UNSCORED)?.count ?? 0);
}

/** Return the class that gives a label its colour. */
function nameSide(label, { labels }) {
  if (label === labels?.positive) return "positive";
  return label === labels?.negative ? "negative" : "";
}

/** Return the cells with the prediction for a row. */
function makeAnswer({ found }, model) {
  if (model.task === "regression") {
    const { prediction, lower, upper } = found;
    const interval = lower === undefined ? "–" : `${formatNumber(lower)} to ${formatNumber(upper)}`;
    return [
      make("td", { className: "number" }, formatNumber(prediction)),
      make("td", { className: "number spread" }, interval),
    ];
  }
  const key = `key ${nameSide(found.label, model)}`;
  return [
    make("td", {}, make("span", { className: key }, make("span", {}, found.label))),
    make("td", { className: "number" }, formatProbability(found.probability)),
  ];
}

/** Return what a row holds: its message, or its most important values. */
function makeContent(row, { place, places }) {
  if (!places) return [shorten(row.fields[place])];
  return places.slice(0, SHOWN_VALUES).map(([{ name }, at]) =>
    make("span", { className: "pair" }, make("bdi", {}, name), " ", make("bdi", {}, shorten(row.fields[at]) || "–")),
  );
}

/** Return a row of the table. */
function makeRow(row, plan, model) {
  const answer = row.reason
    ? [make("td", { colSpan: 2, className: "unscored" }, UNSCORED.description)]
    : makeAnswer(row, model);
  const content = make("td", { className: "wrap" }, ...makeContent(row, plan));
  const warnings = row.found ? findAdded("warnings", row) : "";
  if (warnings) content.prepend(make("span", { className: "warned" }, warnings));
  if (row.reason) content.prepend(make("span", { className: "reason" }, row.reason));
  return make("tr", {}, make("td", { className: "number" }, formatCount(row.line)), ...answer, content);
}

/** Return the heads of the table's columns, as pairs of name and class. */
function listHeads(model) {
  const { task, labels } = model;
  if (task === "regression") {
    return [[withUnit(nameTarget(model), model.target.unit), "number"], ["Interval", "number spread"], ["Row", ""]];
  }
  const of = labels ? `Probability of ${labels.positive}` : "Probability";
  return [["Label", ""], [of, "number"], [isOfMessages(model) ? "Message" : "Row", ""]];
}

/** Return a table of the first rows of a kind. */
function makeTable({ first, count }, plan, model) {
  const head = [["Line", "number"], ...listHeads(model)].map(([name, className]) =>
    make("th", { scope: "col", className }, name),
  );
  const isCut = first.length < count;
  const shown = isCut ? `The first ${first.length} of ${countOf(count, "row")}` : countOf(count, "row");
  return make(
    "table",
    { className: "rows" },
    make("caption", { className: isCut ? "" : "unseen" }, shown),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...first.map((row) => makeRow(row, plan, model))),
  );
}

/** Return the kinds of rows to choose from; of many labels the most frequent. */
function listKinds({ kinds, model }) {
  const labels = new Set(model.labels ? [model.labels.positive, model.labels.negative] : model.classes);
  for (const name of kinds.keys()) if (typeof name === "string") labels.add(name);
  const count = (name) => kinds.get(name)?.count ?? 0;
  let shown = [...labels];
  if (shown.length > SHOWN_LABELS) shown = shown.sort((a, b) => count(b) - count(a)).slice(0, SHOWN_LABELS);
  return [ALL, ...shown, ...(kinds.has(WARNED) ? [WARNED] : []), UNSCORED];
}

/** Return a choice of the kinds of rows, each with its count, and the table of the chosen kind. */
export function makeRows(outcome, plan) {
  const { kinds, model } = outcome;
  const table = make("div", { className: "shown" });
  const show = (name) => table.replaceChildren(makeTable(kinds.get(name), plan, model));
  const choices = listKinds(outcome).map((name) => {
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
      { className: `choice ${nameSide(name, model)}` },
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
export function makeRemarks({ reasons, versions, added, wanted }) {
  const remarks = [];
  for (const [reason, { count, first }] of reasons) {
    const lines = `${first.length === 1 ? "line" : "lines"} ${first.map(formatCount).join(", ")}`;
    const more = count > first.length ? " and others" : "";
    remarks.push(`${countOf(count, "row")} not scored: ${reason} (${lines}${more}).`);
  }
  versions.slice(1).forEach(({ version, line }, i) => {
    const before = versions[i].version;
    remarks.push(
      `The model was replaced during the run: rows from line ${formatCount(line)} on were scored by ${version}, those before by ${before}.`,
    );
  });
  const renamed = added.filter((name) => !wanted.includes(name));
  if (renamed.length) {
    remarks.push(
      `The file has columns of the same name already: the new ones are called ${renamed.join(", ")}.`,
    );
  }
  return remarks.length
    ? [make("ul", { className: "remarks" }, ...remarks.map((one) => make("li", {}, one)))]
    : [];
}
