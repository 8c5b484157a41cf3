// What a model takes and predicts, as its training rows show it.

import { makeBars, makeHistogram } from "./charts.js";
import { make } from "./elements.js";
import { describeValues } from "./fields.js";
import { nameTarget } from "./heading.js";
import { countOf, formatCount, formatNumber, withUnit } from "./numbers.js";
import { showValue } from "./values.js";

const SHOWN_ROWS = 30;
const SHOWN_LABELS = 10;
const SHOWN_VALUES = 8;

/** Return content of which the rest is made and shown on demand. */
function makeRest(title, build) {
  const block = make("details", { className: "rest" }, make("summary", {}, title));
  const fill = () => block.open && block.children.length === 1 && block.append(build());
  block.addEventListener("toggle", fill);
  return block;
}

/** Return the distribution of the target in the training rows. */
export function makeTarget(model) {
  const { target, classes } = model;
  const name = nameTarget(model);
  if (target.heights.length && target.edges.length === target.heights.length + 1) {
    const rows = target.heights.reduce((sum, height) => sum + height, 0);
    const show = (number) => withUnit(formatNumber(number), target.unit);
    const most = target.heights.indexOf(Math.max(...target.heights));
    const label = `Histogram of ${name} in ${countOf(rows, "training row")}; the most frequent are from ${show(target.edges[most])} to ${show(target.edges[most + 1])}`;
    return [
      make("p", { className: "hint" }, `${label}.`),
      makeHistogram(target, null, show, label),
    ];
  }
  const counts = classes.map((label) => [label, target.counts?.[label] ?? 0]).sort((a, b) => b[1] - a[1]);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const items = counts.map(([label, count]) => ({
    name: label,
    share: all ? count / all : 0,
    text: `${formatCount(count)} (${((100 * count) / (all || 1)).toFixed(1)}%)`,
  }));
  const parts = [
    make("p", { className: "hint" }, `How many of ${countOf(all, "training row")} have which ${name}.`),
    makeBars(items.slice(0, SHOWN_LABELS)),
  ];
  const rest = items.slice(SHOWN_LABELS);
  if (rest.length) parts.push(makeRest(countOf(rest.length, "more label"), () => makeBars(rest)));
  return parts;
}

/** Return the values of a column in words. */
function describe(column) {
  const { kind, values, n_values: count } = column;
  if (kind === "text") return "any text";
  if (!values.length) return describeValues(column) || "no value in the training rows";
  const more = Math.max(count, values.length) - SHOWN_VALUES;
  const shown = values.slice(0, SHOWN_VALUES).flatMap((value, i) => {
    const between = kind === "ordinal" ? " < " : ", ";
    return [...(i ? [between] : []), make("bdi", {}, showValue(column, value))];
  });
  return more > 0 ? [...shown, ` and ${formatCount(more)} more`] : shown;
}

/** Return a table of columns. */
function makeTable(columns) {
  const head = ["Column", "Kind", "Values in training", "Usual"].map((name) => make("th", { scope: "col" }, name));
  const rows = columns.map((column) => {
    const { name, unit, kind, is_needed: isNeeded, usual } = column;
    const first = make("th", { scope: "row" }, make("bdi", {}, name));
    if (unit) first.append(" ", make("span", { className: "unit" }, `(${unit})`));
    const cells = [
      isNeeded ? `${kind}, required` : kind,
      describe(column),
      kind === "text" || usual == null ? "–" : showValue({ ...column, unit: null }, usual),
    ];
    const titles = ["Kind", "Values", "Usual"];
    return make(
      "tr",
      {},
      first,
      ...cells.map((cell, i) => make("td", { "data-name": titles[i] }, ...(Array.isArray(cell) ? cell : [cell]))),
    );
  });
  return make(
    "table",
    { className: "taken" },
    make("caption", { className: "unseen" }, "Columns of the model"),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows),
  );
}

/** Return the columns that a model takes, the most important first. */
export function makeColumns({ columns }) {
  const note = "The most important column is first. Usual is the median or the most frequent value.";
  const parts = [make("p", { className: "hint" }, note), makeTable(columns.slice(0, SHOWN_ROWS))];
  const rest = columns.slice(SHOWN_ROWS);
  if (rest.length) parts.push(makeRest(countOf(rest.length, "more column"), () => makeTable(rest)));
  return parts;
}
