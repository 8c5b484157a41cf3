// The metrics of each task: what they are called and mean, and how their values are written.

import { isOfMessages } from "./heading.js";
import { capitalise, formatNumber, withUnit } from "./numbers.js";

// Metrics that are not shares, so they are not shown as a percentage.
const SCORES = [
  "mcc", "f1", "macro_f1", "roc_auc", "roc_auc_ovr", "average_precision", "brier_score", "log_loss", "r2",
];
// Metrics in the unit of the target.
const AMOUNTS = ["mae", "rmse", "median_absolute_error"];
// The most important figures of each task, shown large.
export const HEADLINES = {
  binary: ["recall", "fpr", "accuracy"],
  multiclass: ["accuracy", "balanced_accuracy", "macro_f1"],
  regression: ["mae", "median_absolute_error", "r2"],
};
const NUMBERS = {
  mae: ["Mean error", "How far predictions are off on average, to either side."],
  median_absolute_error: ["Median error", "Half of the predictions are off by less than this."],
  r2: ["R²", "The share of the target's variation that the model explains: 1 is perfect, 0 no better than the mean."],
  rmse: ["Root of the mean squared error", "As the mean error, but large errors count more."],
  mape: ["Mean error as a share", "How far predictions are off on average, as a share of the true number."],
  total_bias: ["Bias of the total", "By which share the sum of all predictions is too large (+) or too small (−)."],
};

/** Return the title of each metric of several labels, and its meaning. */
function describeLabels(things) {
  return {
    accuracy: ["right overall", `Of all ${things}, the share that gets the right label.`],
    balanced_accuracy: [
      "right on average over labels",
      "The share of each label that is found, averaged: rare labels count as much as frequent ones.",
    ],
    macro_f1: ["Mean F1 score of labels", "Precision and recall in one number, averaged over the labels: 1 is best."],
    mcc: [
      "Matthews correlation",
      "How well the model's labels agree with the right ones: 1 is perfect, 0 no better than chance.",
    ],
    roc_auc_ovr: [
      "Area under the ROC curve",
      "How well the probability of each label separates its rows from others, averaged: 1 is perfect, 0.5 is chance.",
    ],
    log_loss: ["Log loss", "How far the probabilities are from the truth: 0 is best, and sure errors count most."],
    calibration_error: [
      "Calibration error",
      "How far probabilities are, on average, from how often they are right: 0% is best.",
    ],
  };
}

/** Return the title of each metric of two labels, and its meaning. */
function describePair({ positive, negative }, thing) {
  return {
    recall: [`${positive} caught`, `Of all ${positive}, the share that the model marks as ${positive}.`],
    fpr: [
      `${negative} blocked`,
      `Of all ${negative}, the share that the model marks as ${positive} by mistake.`,
    ],
    accuracy: ["right overall", `Of all ${thing}s, the share that gets the right label.`],
    precision: [
      "Precision",
      `Of the ${thing}s that the model marks as ${positive}, the share that really is ${positive}.`,
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
      `How often a ${positive} ${thing} gets a higher probability than a ${negative} ${thing}: 1 is always, 0.5 is chance.`,
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

/** Return the title of each metric, and its meaning in a sentence. */
export function describeMetrics(model) {
  const found = {
    binary: () => describePair(model.labels, isOfMessages(model) ? "message" : "row"),
    multiclass: () => describeLabels("rows"),
    regression: () => NUMBERS,
  }[model.task]();
  return { __proto__: null, ...found };
}

/** Return the metrics with one name each: of two labels, some are also named after a label. */
export function nameOnce(metrics, { labels }) {
  const names = new Map(
    labels ? [[`${labels.positive}_caught`, "recall"], [`${labels.negative}_blocked`, "fpr"]] : [],
  );
  return new Map(
    Object.entries(metrics ?? {}).map(([name, value]) => [names.get(name) ?? name, value]),
  );
}

/** Return a name as words. */
export function spell(name) {
  return name.replaceAll("_", " ");
}

/** Return a metric as the report shows it. */
export function formatMetric(name, value, unit) {
  if (typeof value !== "number") return "–";
  if (AMOUNTS.includes(name)) return withUnit(formatNumber(value), unit);
  const text = SCORES.includes(name) ? value.toFixed(4) : `${(100 * value).toFixed(2)}%`;
  return parseFloat(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** Return an interval of a metric. */
export function formatInterval(name, { low, high }, unit) {
  const from = AMOUNTS.includes(name) ? formatNumber(low) : formatMetric(name, low);
  return `${from} to ${formatMetric(name, high, unit)}`;
}

/** Return the title and the meaning of a metric that may not be known. */
export function findTitle(name, described) {
  const [title, meaning] = described[name] ?? [spell(name), ""];
  return [capitalise(title), meaning];
}
