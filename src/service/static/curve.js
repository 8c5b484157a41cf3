// How the prediction for a row changes when one of its columns varies.

import { findTicks, LINES, makeBars, makeLines, scale } from "./charts.js";
import { make, makeProblem } from "./elements.js";
import { nameTarget } from "./heading.js";
import { formatNumber, formatProbability, formatThreshold, withUnit } from "./numbers.js";
import { readCurve } from "./service.js";
import { showValue } from "./values.js";

const SHARES = [0, 0.25, 0.5, 0.75, 1];

/** Return what the lines of a curve are: a name, and a number at each point. */
function listLines(points, found, model) {
  if ("prediction" in found) {
    return [{ name: nameTarget(model), numbers: points.map(({ prediction }) => prediction) }];
  }
  if (!found.probabilities) {
    return [{ name: model.labels.positive, numbers: points.map(({ probability }) => probability) }];
  }
  // The labels that come closest to being predicted somewhere, and that of the row first.
  const most = (label) => Math.max(...points.map(({ probabilities }) => probabilities?.[label] ?? 0));
  const others = model.classes.filter((label) => label !== found.label).sort((a, b) => most(b) - most(a));
  return [found.label, ...others].slice(0, LINES).map((label) => ({
    name: label,
    numbers: points.map(({ probability, probabilities }) => probabilities?.[label] ?? probability),
  }));
}

/** Return a number of a column or a time as a place on an axis. */
function findPlace(kind, value) {
  if (kind !== "date") return value;
  // A date without a time would be read as one of UTC, others are not.
  return Date.parse(value.length > 10 ? value : `${value}T00:00`);
}

/** Return the height of a line at a place between its points; null outside of them. */
function interpolate(xs, ys, x) {
  const next = xs.findIndex((one) => one >= x);
  if (next < 0 || x < xs[0]) return null;
  if (next === 0) return ys[0];
  const share = scale(xs[next - 1], xs[next])(x);
  return ys[next - 1] + share * (ys[next] - ys[next - 1]);
}

/** Return the names of lines with their patterns. */
function makeLegend(lines) {
  return make(
    "ul",
    { className: "legend" },
    ...lines.map(({ name }, i) =>
      make("li", {}, make("span", { className: `swatch swatch-${i}`, "aria-hidden": "true" }), make("bdi", {}, name)),
    ),
  );
}

/** Return the numbers of a curve as a table. */
function makeTable(column, points, lines, show) {
  const head = [column.name, ...lines.map(({ name }) => name)].map((name, i) =>
    make("th", { scope: "col", className: i ? "number" : "" }, make("bdi", {}, name)),
  );
  const rows = points.map(({ value }, i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("bdi", {}, showValue(column, value))),
      ...lines.map(({ numbers }) => make("td", { className: "number" }, show(numbers[i]))),
    ),
  );
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  const box = make("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": "Table" }, table);
  return make("details", { className: "rest" }, make("summary", {}, "As a table"), box);
}

/** Return the chart for a column of numbers or dates; `mark` is where the row is, or null. */
function makeChart(column, points, lines, isShare, unit, mark) {
  const xs = points.map(({ value }) => findPlace(column.kind, value));
  const all = lines.flatMap(({ numbers }) => numbers);
  const show = isShare ? formatProbability : (number) => withUnit(formatNumber(number), unit);
  const [from, to] = [points[0], points.at(-1)].map(({ value }) => showValue(column, value));
  return makeLines(xs, lines.map(({ numbers }) => numbers), {
    ticks: isShare ? SHARES : findTicks(Math.min(...all), Math.max(...all)),
    showY: isShare ? formatThreshold : formatNumber,
    ends: [from, to],
    mark,
    label: `${lines[0].name} from ${show(lines[0].numbers[0])} at ${from} to ${show(lines[0].numbers.at(-1))} at ${to}`,
  });
}

/** Return where a row is on a line; null if its value is missing or outside of the line. */
function findMark(column, points, { numbers }, now) {
  if (now == null) return null;
  const x = findPlace(column.kind, now);
  const y = interpolate(points.map(({ value }) => findPlace(column.kind, value)), numbers, x);
  return y === null ? null : [x, y];
}

/** Return the bars for a column of categories: of a number, or of the first of the labels. */
function makeCategories(column, points, [{ numbers }], isShare, unit, now) {
  const low = isShare ? 0 : Math.min(0, ...numbers);
  const place = scale(low, isShare ? 1 : Math.max(...numbers, 0));
  return makeBars(
    points.map(({ value }, i) => ({
      name: showValue(column, value),
      share: place(numbers[i]),
      text: isShare ? formatProbability(numbers[i]) : withUnit(formatNumber(numbers[i]), unit),
      isMain: value === now,
    })),
  );
}

/** Return the chart of a curve, with its table. */
function makeContent(column, { points }, found, model, row) {
  if (points.length === 0) return [make("p", { className: "hint" }, "This column has no values to show.")];
  const lines = listLines(points, found, model);
  const isShare = !("prediction" in found);
  const unit = isShare ? null : model.target.unit;
  const now = Object.hasOwn(row, column.name) ? row[column.name] : null;
  const show = isShare ? formatProbability : (number) => withUnit(formatNumber(number), unit);
  const isLine = ["number", "date"].includes(column.kind) && points.length > 1;
  const what = isShare ? `The probability of ${lines[0].name}` : `The prediction of ${nameTarget(model)}`;
  const mark = isLine ? findMark(column, points, lines[0], now) : null;
  const parts = [];
  if (isLine && lines.length > 1) parts.push(makeLegend(lines));
  if (isLine) parts.push(makeChart(column, points, lines, isShare, unit, mark));
  else parts.push(makeCategories(column, points, lines, isShare, unit, now));
  const outside = now == null ? "This row has no value." : "The value of this row is outside.";
  const note = isLine ? ` ${mark ? "The dot marks this row." : outside}` : "";
  const subject = isLine && lines.length > 1 ? "Probabilities" : what;
  parts.push(
    make("p", { className: "hint" }, `${subject} if only `, make("bdi", {}, column.name), ` were another.${note}`),
    makeTable(column, points, lines, show),
  );
  return parts;
}

/** Return the section in which one column of a row varies; nothing if no column can. */
export function makeCurve(found, model, row) {
  const columns = model.columns.filter(({ kind }) => kind !== "text");
  if (columns.length === 0) return [];
  const choice = make(
    "select",
    { id: "varied" },
    ...columns.map(({ name }, i) => make("option", { value: String(i) }, name)),
  );
  const content = make("div", { className: "curve", "aria-live": "polite" });
  let asked = null;
  const update = async () => {
    asked?.abort();
    const { signal } = (asked = new AbortController());
    const column = columns[Number(choice.value)];
    content.setAttribute("aria-busy", "true");
    let parts;
    try {
      parts = makeContent(column, await readCurve(row, column.name, { signal }), found, model, row);
    } catch (error) {
      parts = [makeProblem(error.message)];
    }
    if (signal.aborted) return;
    content.removeAttribute("aria-busy");
    content.replaceChildren(...parts);
  };
  choice.addEventListener("change", update);
  update();
  return [
    make(
      "section",
      { className: "part", "aria-labelledby": "curve-name" },
      make("h3", { id: "curve-name" }, "If one value were another"),
      make("div", { className: "field" }, make("label", { htmlFor: "varied" }, "Column that varies"), choice),
      content,
    ),
  ];
}
