// The prediction for a row, as its task shows it.

import { makeBars, makeHistogram } from "./charts.js";
import { makeCurve } from "./curve.js";
import { make } from "./elements.js";
import { describeValues } from "./fields.js";
import { askForLabel, askForNumber } from "./feedback.js";
import { nameTarget } from "./heading.js";
import { formatNumber, formatProbability, formatThreshold, withUnit } from "./numbers.js";
import { makeReasons } from "./reasons.js";
import { showValue } from "./values.js";

const SHOWN_LABELS = 10;
// Characters of a long label.
const LONG = 24;

/** Return a bar of the probability, with a mark where the threshold is. */
export function makeMeter(probability, threshold, labels) {
  const meter = make(
    "div",
    {
      className: "meter",
      role: "meter",
      "aria-label": `Probability of ${labels.positive}`,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": (100 * probability).toFixed(2),
      "aria-valuetext": formatProbability(probability),
    },
    make("span", { className: "fill" }),
    make("span", { className: "threshold" }),
  );
  meter.style.setProperty("--probability", probability);
  meter.style.setProperty("--threshold", threshold);
  return meter;
}

/** Return a label as the largest text of a prediction; a long one is smaller. */
function makeLabel(label) {
  return make("p", { className: label.length > LONG ? "label long" : "label" }, make("bdi", {}, label));
}

/** Return the label that is predicted of two, the probability and the threshold. */
export function makeVerdict({ label, probability }, threshold, labels, what, ...before) {
  const side = label === labels.positive ? "positive" : "negative";
  const shown = formatProbability(probability);
  const from = `The line marks ${formatThreshold(threshold)}: from there on, a ${what} is marked as ${labels.positive}.`;
  return [
    ...before,
    make(
      "div",
      { className: `verdict ${side}` },
      makeLabel(label),
      make("p", {}, make("strong", {}, shown), ` probability of ${labels.positive}`),
    ),
    makeMeter(probability, threshold, labels),
    make("p", { className: "hint" }, from),
  ];
}

/** Return the name of what is predicted, above the prediction. */
function makeTopic(model) {
  return make("p", { className: "topic" }, make("bdi", {}, nameTarget(model)));
}

/** Return the label that is predicted of several, and the probabilities of all. */
function makeLabels({ label, probability, probabilities }, model) {
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  const items = ranked.map(([name, share]) => ({
    name,
    share,
    text: formatProbability(share),
    isMain: name === label,
  }));
  const parts = [
    makeTopic(model),
    make(
      "div",
      { className: "verdict" },
      makeLabel(label),
      make("p", {}, make("strong", {}, formatProbability(probability)), " probability"),
    ),
    makeBars(items.slice(0, SHOWN_LABELS)),
  ];
  const rest = items.slice(SHOWN_LABELS);
  if (rest.length) {
    const summary = make("summary", {}, `${rest.length} more ${rest.length > 1 ? "labels" : "label"}`);
    parts.push(make("details", { className: "rest" }, summary, makeBars(rest)));
  }
  return parts;
}

/** Return the share of training rows whose target is smaller than a number. */
function findRank({ edges, heights }, value) {
  let below = 0;
  heights.forEach((height, i) => {
    const share = (value - edges[i]) / (edges[i + 1] - edges[i] || 1);
    below += height * Math.min(Math.max(share, 0), 1);
  });
  return below / heights.reduce((sum, height) => sum + height, 0);
}

/** Return where a prediction is among the training rows, in a sentence. */
function describeRank(rank) {
  const percent = Math.round(100 * rank);
  if (percent <= 0) return "Fewer than 1% of the training rows have a smaller value.";
  if (percent >= 100) return "More than 99% of the training rows have a smaller value.";
  return `About ${percent}% of the training rows have a smaller value.`;
}

/** Return the number that is predicted, with its interval, among those of the training rows. */
function makeNumber(found, { coverage }, model) {
  const { prediction, lower, upper } = found;
  const { unit, edges, heights } = model.target;
  const parts = [
    makeTopic(model),
    make(
      "div",
      { className: "verdict" },
      make("p", { className: "label" }, formatNumber(prediction), ...(unit ? [" ", make("span", { className: "unit" }, unit)] : [])),
    ),
  ];
  const hasInterval = typeof lower === "number" && typeof upper === "number";
  const interval = hasInterval && `${formatNumber(lower)} to ${withUnit(formatNumber(upper), unit)}`;
  if (hasInterval) {
    const share = typeof coverage === "number" ? `${formatThreshold(coverage)} interval` : "Interval";
    parts.push(make("p", { className: "interval-of" }, make("strong", {}, interval), ` ${share}`));
  }
  if (heights.length && edges.length === heights.length + 1) {
    const rank = describeRank(findRank(model.target, prediction));
    const label = `Histogram of ${nameTarget(model)} in the training rows, with the prediction${hasInterval ? " and its interval" : ""}. ${rank}`;
    parts.push(
      makeHistogram(model.target, hasInterval ? found : { prediction }, formatNumber, label),
      make(
        "p",
        { className: "hint" },
        `The bars show ${nameTarget(model)} in the training rows, the line marks the prediction${hasInterval ? " and the band its interval" : ""}. ${rank}`,
      ),
    );
  }
  return parts;
}

/** Return what is unusual about the row. */
function makeWarnings(warnings, model, row) {
  if (!warnings?.length) return [];
  const items = warnings.map(({ column, problem }) => {
    const known = model.columns.find(({ name }) => name === column);
    const value = Object.hasOwn(row, column) ? [" is ", make("bdi", {}, showValue(known, row[column]))] : [];
    const words = { "unseen value": "a value that no training row has" }[problem] ?? problem;
    const range = known?.minimum == null ? "" : `, ${describeValues(known)}`;
    return make("li", {}, make("bdi", { className: "name" }, column), ...value, `: ${words}${range}`);
  });
  return [
    make(
      "div",
      { className: "warning", role: "group", "aria-label": "Warnings" },
      make("p", {}, "The prediction is less certain than it looks:"),
      make("ul", {}, ...items),
    ),
  ];
}

/** Return the elements that show the prediction for a row, and what belongs to it. */
export function makeResult(answer, model, row) {
  const [found] = answer.predictions;
  const { classes, target } = model;
  const parts =
    "prediction" in found
      ? makeNumber(found, answer, model)
      : found.probabilities
        ? makeLabels(found, model)
        : makeVerdict(found, answer.threshold, model.labels, "row", makeTopic(model));
  parts.push(...makeWarnings(found.warnings, model, row));
  if (found.explanation) parts.push(makeReasons(found.explanation, model, row));
  parts.push(...makeCurve(found, model, row));
  if (model.feedback) {
    const isNumber = "prediction" in found;
    parts.push(isNumber ? askForNumber({ row }, target.unit) : askForLabel({ row }, found.label, classes));
  }
  return parts;
}

/** Return the prediction as a sentence, for those who cannot see it. */
export function describeResult(answer, model) {
  const [{ label, probability, probabilities, prediction }] = answer.predictions;
  if (prediction !== undefined) return `Prediction: ${withUnit(formatNumber(prediction), model.target.unit)}.`;
  const of = probabilities ? label : model.labels.positive;
  return `Prediction: ${label}. The probability of ${of} is ${formatProbability(probability)}.`;
}
