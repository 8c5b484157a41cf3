// The page at `/model`: what the model is, and how well it performs.

import { find, ignoreHeldEnter, make, makeProblem } from "./elements.js";
import { capitalise, countOf, formatThreshold } from "./numbers.js";
import { readModel, request } from "./service.js";

// Metrics that are not shares, so they are not shown as a percentage.
const SCORES = ["mcc", "f1", "roc_auc", "average_precision", "brier_score"];
// The most important figures, shown large.
const HEADLINES = ["recall", "fpr", "accuracy"];
// In the order in which they are shown, before any other plots.
const PLOTS = {
  __proto__: null,
  confusion_matrix: ["Confusion matrix", "the true labels of messages against the predicted ones"],
  threshold: ["Rates by threshold", "how much is caught and blocked if the threshold moves"],
  roc: ["ROC curve", "how much is caught against how much is blocked by mistake"],
  precision_recall: ["Precision and recall", "how many marked messages are right against how much is caught"],
  score_distribution: ["Probabilities", "how many messages of each label get which probability"],
  influential_features: ["Strongest features", "the pieces of text with the largest weights"],
  robustness: ["Robustness", "how much is still caught when messages are disguised, and how much is blocked"],
  calibration: ["Calibration", "each probability against how often it was right"],
};

/** Return the title of each metric, and its meaning in a sentence. */
function describeMetrics({ positive, negative }) {
  return {
    __proto__: null,
    recall: [`${positive} caught`, `Of all ${positive}, the share that the model marks as ${positive}.`],
    fpr: [
      `${negative} blocked`,
      `Of all ${negative}, the share that the model marks as ${positive} by mistake.`,
    ],
    accuracy: ["right overall", "Of all messages, the share that gets the right label."],
    precision: [
      "Precision",
      `Of the messages that the model marks as ${positive}, the share that really is ${positive}.`,
    ],
    recall_at_max_fpr: [
      `${positive} caught at the limit`,
      `The most ${positive} that any threshold catches while it blocks no more ${negative} than allowed.`,
    ],
    f1: [
      "F1 score",
      `Precision and the share of ${positive} caught in one number: it is high only if both are, and 1 is best.`,
    ],
    mcc: [
      "Matthews correlation",
      "How well the model's labels agree with the right ones: 1 is perfect, 0 no better than chance.",
    ],
    roc_auc: [
      "Area under the ROC curve",
      `How often a ${positive} message gets a higher probability than a ${negative} message: 1 is always, 0.5 is chance.`,
    ],
    average_precision: [
      "Average precision",
      `How well the model ranks ${positive} above ${negative}, over all thresholds: 1 is best.`,
    ],
    brier_score: [
      "Brier score",
      "How far the probabilities are from the truth, squared and averaged: 0 is best.",
    ],
  };
}

/** Return the metrics with one name each: some are also named after a label. */
function nameOnce(metrics, { positive, negative }) {
  const names = new Map([
    [`${positive}_caught`, "recall"],
    [`${negative}_blocked`, "fpr"],
  ]);
  return new Map(
    Object.entries(metrics ?? {}).map(([name, value]) => [names.get(name) ?? name, value]),
  );
}

/** Return a name as words. */
function spell(name) {
  return name.replaceAll("_", " ");
}

/** Return the name of a digest in words, as in "MD5 of raw data" for raw_data_md5. */
function nameDigest(name) {
  const [, what, kind] = /^(.*)_(md5|sha256)$/.exec(name) ?? [];
  return kind ? `${{ md5: "MD5", sha256: "SHA-256" }[kind]} of ${spell(what)}` : spell(name);
}

/** Return a metric as the report shows it. */
function formatMetric(name, value) {
  if (typeof value !== "number") return "–";
  return SCORES.includes(name) ? value.toFixed(4) : `${(100 * value).toFixed(2)}%`;
}

/** Return an interval of a metric. */
function formatInterval(name, { low, high }) {
  return `${formatMetric(name, low)} to ${formatMetric(name, high)}`;
}

/** Return the most important figures, large. */
function makeHeadline({ test, train, intervals }, described) {
  const wanted = HEADLINES.filter((name) => test.get(name) != null);
  return make(
    "dl",
    { className: "figures" },
    ...wanted.map((name) => {
      const [title, meaning] = described[name];
      const notes = [
        intervals.get(name) && `95% interval: ${formatInterval(name, intervals.get(name))}`,
        train.get(name) != null && `On training messages: ${formatMetric(name, train.get(name))}`,
      ].filter(Boolean);
      return make(
        "div",
        {},
        make("dt", {}, capitalise(title)),
        make("dd", { className: "figure" }, formatMetric(name, test.get(name))),
        make("dd", {}, meaning),
        make("dd", { className: "interval" }, ...notes.flatMap((note) => [note, make("br")])),
      );
    }),
  );
}

/** Return the scores of cross-validation with their deviations, in a sentence; "" without any. */
function describeCrossValidation(scores = {}) {
  const named = Object.keys(scores)
    .filter((name) => `${name}_std` in scores)
    .map((name) => `${spell(name)} ${scores[name].toFixed(4)} ± ${scores[`${name}_std`].toFixed(4)}`);
  if (!named.length) return "";
  return ` Cross-validation on the training messages: ${named.join(", ")} (mean and deviation over the folds).`;
}

/** Return a row of a table: a title with its meaning, and values of the test with an interval. */
function makeRow(title, meaning, name, value, interval, ...others) {
  const head = make("th", { scope: "row" }, capitalise(title));
  if (meaning) head.append(" ", make("span", { className: "meaning" }, meaning));
  const cell = make("td", { className: "number", "data-set": "Test" }, formatMetric(name, value));
  if (interval) {
    cell.append(" ", make("span", { className: "interval" }, formatInterval(name, interval)));
  }
  return make("tr", {}, head, cell, ...others);
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

/** Return a metric's row: its meaning, its test value with interval, its training value. */
function makeMetric(name, { test, train, intervals }, described) {
  const [title, meaning] = described[name] ?? [spell(name), ""];
  const known = formatMetric(name, train.get(name));
  const cell = make("td", { className: "number", "data-set": "Training" }, known);
  return makeRow(title, meaning, name, test.get(name), intervals.get(name), cell);
}

/** Return the table of the metrics that are not in the headline. */
function makeMetrics(measured, described) {
  const others = [...measured.test.keys()].filter((name) => !HEADLINES.includes(name));
  const order = Object.keys(described);
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  others.sort((a, b) => rank(a) - rank(b));
  return makeTable(
    "Metrics, those of the test with their 95% intervals",
    [
      ["Metric", ""],
      ["Test", "number"],
      ["Training", "number"],
    ],
    others.map((name) => makeMetric(name, measured, described)),
  );
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

/** Show a plot in full size, until the user closes it. */
function enlarge(title, picture) {
  const close = make("button", { type: "button" }, "Close");
  const heading = make("h2", { id: "enlarged" }, title);
  const pan = make("div", { className: "pan", tabIndex: 0, role: "group", "aria-labelledby": "enlarged" });
  pan.append(picture.cloneNode());
  const dialog = make(
    "dialog",
    { "aria-labelledby": "enlarged" },
    make("div", { className: "title" }, heading, close),
    pan,
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Return a plot; it is fetched by script, since the request of an image would not send the token. */
function makePlot(name) {
  const [title, meaning] = PLOTS[name] ?? [spell(name), ""];
  const alt = `Plot of the test set: ${title}${meaning && `, ${meaning}`}`;
  const image = make("img", { className: "plot", alt });
  const button = make("button", { type: "button", className: "enlarge", title: "Show in full size" }, image);
  button.addEventListener("click", () => enlarge(title, image));
  const figure = make("figure", {}, button, make("figcaption", {}, make("strong", {}, title)));
  if (meaning) figure.lastChild.append(`: ${meaning}`);
  // A tall plot takes the height of two others.
  image.addEventListener("load", () => {
    figure.classList.toggle("tall", image.naturalHeight > image.naturalWidth);
  });
  request(`v1/model/plots/${encodeURIComponent(name)}`)
    .then((response) => response.blob())
    .then((blob) => (image.src = URL.createObjectURL(blob)))
    .catch((error) => button.replaceWith(makeProblem(error.message)));
  return figure;
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
function makeMeasured({ metrics, intervals, labels }) {
  if (!metrics?.test) {
    const why =
      "The metrics of this model are not known: there are none, or they belong to another model.";
    return [makeSection("Metrics", make("p", {}, why))];
  }
  const measured = {
    test: nameOnce(metrics.test, labels),
    train: nameOnce(metrics.train, labels),
    intervals: nameOnce(intervals?.test, labels),
  };
  const described = describeMetrics(labels);
  const note =
    "Test: messages that the model has not seen, with no near-duplicate of a training message; " +
    "each figure has its 95% interval. Training: the messages that the model was trained on.";
  return [
    makeHeadline(measured, described),
    makeSection(
      "More metrics",
      make("p", { className: "hint" }, note + describeCrossValidation(metrics.cv)),
      makeMetrics(measured, described),
    ),
  ];
}

/** Show the model. */
function show(model) {
  const { labels, training, plots } = model;
  const sections = makeMeasured(model);
  if (model.robustness) sections.push(makeDisguised(model));
  if (plots.length) {
    const order = Object.keys(PLOTS);
    const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
    plots.sort((a, b) => rank(a) - rank(b));
    sections.push(
      makeSection("Plots", make("div", { className: "plots" }, ...plots.map(makePlot))),
    );
  }
  sections.push(
    makeSection(
      "What it is",
      makeTerms([
        ["Version", model.version, true],
        ["Labels", `${labels.positive} (positive), ${labels.negative} (negative)`],
        ["Threshold", `${labels.positive} from a probability of ${formatThreshold(model.threshold)}`],
        ["Estimator", model.estimator],
        ["Loaded", formatTime(model.loaded_at)],
        ["SHA-256 of the model", model.sha256, true],
        ...Object.entries(training ?? {}).map(([name, digest]) => [nameDigest(name), digest, true]),
      ]),
    ),
  );
  find("content").replaceChildren(...sections);
  find("content").hidden = false;
  find("about-model").textContent = `Model ${model.version}.`;
}

ignoreHeldEnter();
const status = find("status");
try {
  show(await readModel({ onWait: (sentence) => (status.textContent = sentence) }));
  status.hidden = true;
} catch (error) {
  status.hidden = true;
  find("notices").append(makeProblem(error.message));
}
