// The page at `/model`: what the model is, and how well it performs.

import { makeColumns, makeTarget } from "./columns.js";
import { find, ignoreHeldEnter, make, makeProblem } from "./elements.js";
import { isOfMessages, nameTarget, showName, showPage } from "./heading.js";
import { describeMetrics, findTitle, formatInterval, formatMetric, HEADLINES, nameOnce, spell } from "./metrics.js";
import { capitalise, countOf, formatCount, formatNumber, formatThreshold, toSentence, withUnit } from "./numbers.js";
import { makePlots } from "./plots.js";
import { readModel } from "./service.js";

const SHOWN_LABELS = 50;

/** Return the name of a digest in words, as in "MD5 of raw data" for raw_data_md5. */
function nameDigest(name) {
  const [, what, kind] = /^(.*)_(md5|sha256)$/.exec(name) ?? [];
  return kind ? `${{ md5: "MD5", sha256: "SHA-256" }[kind]} of ${spell(what)}` : spell(name);
}

/** Return what the model predicts for, as a word. */
function nameThings(model) {
  return isOfMessages(model) ? "messages" : "rows";
}

/** Return the most important figures, large. */
function makeHeadline({ test, train, intervals, baseline }, described, model) {
  const { unit } = model.target;
  const wanted = HEADLINES[model.task].filter((name) => test.get(name) != null);
  return make(
    "dl",
    { className: "figures" },
    ...wanted.map((name) => {
      const [title, meaning] = findTitle(name, described);
      const notes = [
        intervals.get(name) && `95% interval: ${formatInterval(name, intervals.get(name), unit)}`,
        train.get(name) != null && `On training ${nameThings(model)}: ${formatMetric(name, train.get(name), unit)}`,
        baseline.get(name) != null && `Without any columns: ${formatMetric(name, baseline.get(name), unit)}`,
      ].filter(Boolean);
      return make(
        "div",
        {},
        make("dt", {}, title),
        make("dd", { className: "figure" }, formatMetric(name, test.get(name), unit)),
        make("dd", {}, meaning),
        make("dd", { className: "interval" }, ...notes.flatMap((note) => [note, make("br")])),
      );
    }),
  );
}

/** Return the scores of cross-validation with their deviations, in a sentence; "" without any. */
function describeCrossValidation(scores, model) {
  const show = (number) => (Math.abs(number) < 10 ? number.toFixed(4) : formatNumber(number));
  const named = Object.keys(scores ?? {})
    .filter((name) => `${name}_std` in scores)
    .map((name) => `${spell(name)} ${show(scores[name])} ± ${show(scores[`${name}_std`])}`);
  if (!named.length) return "";
  return ` Cross-validation on the training ${nameThings(model)}: ${named.join(", ")} (mean and deviation over the folds).`;
}

/** Return a row of a table: a title with its meaning, and values of the test with an interval. */
function makeRow(title, meaning, name, value, interval, unit, ...others) {
  const head = make("th", { scope: "row" }, capitalise(title));
  if (meaning) head.append(" ", make("span", { className: "meaning" }, meaning));
  return make("tr", {}, head, makeCell("Test", name, value, interval, unit), ...others);
}

/** Return a cell with a metric and its interval. */
function makeCell(set, name, value, interval, unit) {
  const cell = make("td", { className: "number", "data-set": set }, formatMetric(name, value, unit));
  if (interval) {
    cell.append(" ", make("span", { className: "interval" }, formatInterval(name, interval, unit)));
  }
  return cell;
}

/** Return a table of rows; columns are pairs of name and class. */
function makeTable(caption, columns, rows) {
  const head = columns.map(([name, className]) => make("th", { scope: "col", className }, name));
  return make(
    "table",
    { className: "metrics" },
    make("caption", { className: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows),
  );
}

/** Return the table of the metrics that are not in the headline. */
function makeMetrics(measured, described, { task, target: { unit } }) {
  const { test, train, intervals } = measured;
  const others = [...test.keys()].filter((name) => !HEADLINES[task].includes(name));
  const order = Object.keys(described);
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  others.sort((a, b) => rank(a) - rank(b));
  const rows = others.map((name) => {
    const [title, meaning] = findTitle(name, described);
    const known = makeCell("Training", name, train.get(name), null, unit);
    return makeRow(title, meaning, name, test.get(name), intervals.get(name), unit, known);
  });
  const columns = [["Metric", ""], ["Test", "number"], ["Training", "number"]];
  return makeTable("Metrics, those of the test with their 95% intervals", columns, rows);
}

/** Return the section on each of several labels; nothing if they were not measured. */
function makeLabels({ metrics, intervals }) {
  const found = Object.entries(metrics.labels ?? {});
  if (!found.length) return [];
  const known = intervals?.labels ?? {};
  const rows = found.slice(0, SHOWN_LABELS).map(([label, values]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("bdi", {}, label)),
      make("td", { className: "number", "data-set": "Test rows" }, formatCount(values.rows)),
      ...["precision", "recall", "f1"].map((name) =>
        makeCell(capitalise(name), name, values[name], Object.hasOwn(known, label) && known[label][name]),
      ),
    ),
  );
  const cut = found.length > SHOWN_LABELS ? ` The first ${SHOWN_LABELS} of ${found.length} labels.` : "";
  const note = `Precision: of the rows that get a label, the share that really has it. Recall: of the rows with a label, the share that gets it. F1: both in one number, 1 is best.${cut}`;
  const columns = [["Label", ""], ...["Rows", "Precision", "Recall", "F1"].map((name) => [name, "number"])];
  return [makeSection("Each label", make("p", { className: "hint" }, note), makeTable("Metrics of each label", columns, rows))];
}

/** Return the section on disguised messages. */
function makeDisguised({ robustness, labels: { positive, negative } }) {
  const { attacks, worst, worst_attack: worstAttack, mean } = robustness;
  const [blockedAttack, { blocked }] = Object.entries(attacks).reduce((most, one) =>
    one[1].blocked.rate > most[1].blocked.rate ? one : most,
  );
  const note =
    `The test messages again, disguised in ${countOf(Object.keys(attacks).length, "way")} that ` +
    "people can still read, such as spaced letters or typing errors.";
  const rows = [
    makeRow(
      `${positive} caught in the worst disguise`,
      `${capitalise(spell(worstAttack))}: the disguise in which the least ${positive} is caught.`,
      "",
      worst,
      attacks[worstAttack].caught,
    ),
    makeRow(
      `${positive} caught on average`,
      `The mean of the shares of ${positive} that are caught in each disguise.`,
      "",
      mean,
    ),
    makeRow(
      `Most ${negative} blocked`,
      `${capitalise(spell(blockedAttack))}: the disguise in which the most ${negative} is blocked by mistake.`,
      "",
      blocked.rate,
      blocked,
    ),
  ];
  const columns = [
    ["Measure", ""],
    ["Test", "number"],
  ];
  return makeSection(
    "In disguise",
    make("p", { className: "hint" }, note),
    makeTable("Shares of disguised messages, with their 95% intervals", columns, rows),
  );
}

/** Return a list of terms with their values. */
function makeTerms(terms) {
  return make(
    "dl",
    { className: "terms" },
    ...terms
      .filter(([, value]) => value != null)
      .flatMap(([name, value, isCode]) => [
        make("dt", {}, name),
        make("dd", {}, isCode ? make("code", {}, value) : value),
      ]),
  );
}

/** Return a section with a heading. */
function makeSection(name, ...children) {
  return make("section", { className: "card" }, make("h2", {}, name), ...children);
}

/** Return a time in the user's time zone, or as it was sent if it is not valid. */
function formatTime(sent) {
  const time = new Date(sent);
  if (Number.isNaN(time.valueOf())) return sent;
  return time.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
}

/** Return the sections with the metrics. */
function makeMeasured(model) {
  const { metrics, intervals } = model;
  if (!metrics?.test) {
    const why =
      "The metrics of this model are not known: there are none, or they belong to another model.";
    return [makeSection("Metrics", make("p", {}, why))];
  }
  const isMessages = isOfMessages(model);
  const measured = {
    test: nameOnce(metrics.test, model),
    train: nameOnce(metrics.train, model),
    intervals: nameOnce(intervals?.test, model),
    baseline: nameOnce(isMessages ? {} : metrics.baseline, model),
  };
  const described = describeMetrics(model);
  const things = nameThings(model);
  const apart = isMessages ? "no near-duplicate of a training message" : "none that equals a training row";
  const note =
    `Test: ${things} that the model has not seen, with ${apart}; ` +
    `each figure has its 95% interval. Training: the ${things} that the model was trained on.`;
  return [
    makeHeadline(measured, described, model),
    makeSection(
      "More metrics",
      make("p", { className: "hint" }, note + describeCrossValidation(metrics.cv, model)),
      makeMetrics(measured, described, model),
    ),
    ...(model.task === "multiclass" ? makeLabels(model) : []),
  ];
}

/** Return what the model predicts, in words. */
function describeTask(model) {
  const { task, labels, classes, target, metrics } = model;
  if (task === "binary") {
    return [
      ["Labels", `${labels.positive} (positive), ${labels.negative} (negative)`],
      ["Threshold", `${labels.positive} from a probability of ${formatThreshold(model.threshold)}`],
    ];
  }
  if (task === "multiclass") return [["Labels", classes.length > 10 ? formatCount(classes.length) : classes.join(", ")]];
  const { coverage, margin, measured } = metrics?.prediction_intervals ?? {};
  const seen = measured?.all?.coverage;
  const interval =
    typeof margin === "number" &&
    `${formatThreshold(coverage)} of true numbers are expected within ±${withUnit(formatNumber(margin), target.unit)}${typeof seen === "number" ? `; of the test rows ${formatThreshold(seen)} are` : ""}`;
  return [["Target", withUnit(nameTarget(model), target.unit && `(${target.unit})`)], ...(interval ? [["Interval", interval]] : [])];
}

/** Show the model. */
function show(model) {
  const { training } = model;
  const isMessages = isOfMessages(model);
  const sections = makeMeasured(model);
  if (model.robustness) sections.push(makeDisguised(model));
  if (model.plots.length) sections.push(makeSection("Plots", makePlots(model)));
  if (!isMessages) {
    sections.push(makeSection("Columns", ...makeColumns(model)));
    sections.push(makeSection(`Distribution of ${nameTarget(model)}`, ...makeTarget(model)));
  }
  sections.push(
    makeSection(
      "What it is",
      makeTerms([
        ["Version", model.version, true],
        ...describeTask(model),
        ["Estimator", model.estimator],
        ["Loaded", formatTime(model.loaded_at)],
        ["SHA-256 of the model", model.sha256, true],
        ...Object.entries(training ?? {}).map(([name, digest]) => [nameDigest(name), digest, true]),
      ]),
    ),
  );
  find("content").replaceChildren(...sections);
  find("content").hidden = false;
  find("lede").prepend(`${toSentence(model.summary)} `);
  find("about-model").textContent = `Model ${model.version}.`;
  showName(model, "The model");
}

ignoreHeldEnter();
const status = find("status");
try {
  show(await readModel({ onWait: (sentence) => (status.textContent = sentence) }));
} catch (error) {
  find("notices").append(makeProblem(error.message));
}
status.hidden = true;
showPage();
