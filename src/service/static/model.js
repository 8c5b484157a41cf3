// The page at `/model`: what the model is, and how well it does.

import { find, make, makeProblem } from "./elements.js";
import { formatThreshold } from "./numbers.js";
import { readModel, request } from "./service.js";

// As in the report: correlations and scores are no shares.
const SCORES = ["mcc", "f1", "roc_auc", "average_precision", "brier_score"];
// In the order in which they are shown; plots that are not here come after them.
const PLOTS = {
  confusion_matrix: ["Confusion matrix", "predicted labels against the actual ones"],
  threshold: ["Rates by threshold", "what is caught and what is blocked as the threshold moves"],
  roc: ["ROC curve", "what is caught against what is blocked"],
  precision_recall: ["Precision and recall", "the one against the other"],
  score_distribution: ["Score distribution", "the probabilities that messages of each label get"],
  calibration: ["Calibration", "the probability told against the share that it holds for"],
  telling_features: ["Most telling features", "the largest weights for and against"],
};

/** Return a name as words. */
function spell(name) {
  return name.replaceAll("_", " ");
}

/** Return what a digest is of, as in "MD5 of raw data" for raw_data_md5. */
function nameDigest(name) {
  const [, what, kind] = /^(.*)_(md5|sha256)$/.exec(name) ?? [];
  return kind ? `${{ md5: "MD5", sha256: "SHA-256" }[kind]} of ${spell(what)}` : spell(name);
}

/** Return a metric as the report shows it. */
function formatMetric(name, value) {
  return SCORES.includes(name) ? value.toFixed(4) : `${(100 * value).toFixed(2)}%`;
}

/** Return a cell with a metric and its interval. */
function makeCell(name, value, interval) {
  const cell = make("td", { className: "number" }, value == null ? "–" : formatMetric(name, value));
  if (interval) {
    const [low, high] = [interval.low, interval.high].map((end) => formatMetric(name, end));
    cell.append(" ", make("span", { className: "interval" }, `${low} to ${high}`));
  }
  return cell;
}

/** Return the table of metrics. */
function makeMetrics(metrics, intervals) {
  const sets = ["test", "train"].filter((set) => metrics[set]);
  const names = { test: "Test", train: "Training" };
  const rows = Object.keys(metrics[sets[0]]).map((name) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, spell(name)),
      ...sets.map((set) => makeCell(name, metrics[set][name], intervals?.[set]?.[name])),
    ),
  );
  return make(
    "table",
    { className: "metrics" },
    make("caption", { className: "unseen" }, "Metrics with their 95% intervals"),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, "Metric"),
        ...sets.map((set) => make("th", { scope: "col", className: "number" }, names[set])),
      ),
    ),
    make("tbody", {}, ...rows),
  );
}

/** Return the figures that matter most, large: what is caught, and what is blocked. */
function makeHeadline({ test }, intervals, labels) {
  const wanted = [
    [`${labels.positive}_caught`, `of ${labels.positive} is caught`],
    [`${labels.negative}_blocked`, `of ${labels.negative} is taken for ${labels.positive}`],
    ["accuracy", "of messages get the right label"],
  ].filter(([name]) => test?.[name] != null);
  return make(
    "dl",
    { className: "figures" },
    ...wanted.map(([name, told]) => {
      const interval = intervals?.test?.[name];
      const ends = interval && [interval.low, interval.high].map((end) => formatMetric(name, end));
      return make(
        "div",
        {},
        make("dt", {}, told),
        make("dd", {}, formatMetric(name, test[name])),
        ...(ends ? [make("dd", { className: "interval" }, `95% interval ${ends.join(" to ")}`)] : []),
      );
    }),
  );
}

/** Return terms and what they are. */
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

/** Return a plot; it is fetched, for an image's own request would not send the token. */
function makePlot(name) {
  const [title, told] = PLOTS[name] ?? [spell(name), ""];
  const image = make("img", { alt: `Plot of the test set: ${title}${told && `, ${told}`}` });
  const figure = make("figure", {}, image, make("figcaption", {}, make("strong", {}, title)));
  if (told) figure.lastChild.append(`: ${told}`);
  request(`v1/model/plots/${encodeURIComponent(name)}`)
    .then((response) => response.blob())
    .then((blob) => {
      image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
      image.src = URL.createObjectURL(blob);
    })
    .catch((error) => image.replaceWith(makeProblem(error.message)));
  return figure;
}

/** Return a section with a heading. */
function makeSection(name, ...children) {
  return make("section", { className: "card" }, make("h2", {}, name), ...children);
}

/** Return a time in the reader's own zone, or as it was sent if it is none. */
function formatTime(sent) {
  const time = new Date(sent);
  if (Number.isNaN(time.valueOf())) return sent;
  return time.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
}

/** Show the model. */
function show(model) {
  const { labels, metrics, intervals, training, plots } = model;
  const sections = [];
  if (metrics) {
    const note =
      "Test: messages that the model has not seen, none a near-duplicate of one it was trained on. " +
      "Training: those it was trained on. Beside each figure its 95% interval.";
    sections.push(
      makeHeadline(metrics, intervals, labels),
      makeSection("Metrics", make("p", { className: "hint" }, note), makeMetrics(metrics, intervals)),
    );
  } else {
    const why =
      "How well this model does is not known here: the metrics beside it belong to another model, " +
      "or there are none.";
    sections.push(makeSection("Metrics", make("p", {}, why)));
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
  if (plots.length) {
    const order = Object.keys(PLOTS);
    const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
    plots.sort((a, b) => rank(a) - rank(b));
    sections.push(
      makeSection("Plots", make("div", { className: "plots" }, ...plots.map(makePlot))),
    );
  }
  find("content").replaceChildren(...sections);
  find("content").hidden = false;
  find("about-model").textContent = `Model ${model.version}.`;
}

const status = find("status");
try {
  show(await readModel({ onWait: (sentence) => (status.textContent = sentence) }));
  status.hidden = true;
} catch (error) {
  status.hidden = true;
  find("notices").append(makeProblem(error.message));
}
