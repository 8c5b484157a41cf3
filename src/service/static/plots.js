// The plots of the evaluation, each of which opens in full size.

import { make, makeProblem } from "./elements.js";
import { isOfMessages } from "./heading.js";
import { spell } from "./metrics.js";
import { request } from "./service.js";

// In the order in which they are shown, before any other plots; "#" is what the model predicts for.
const PLOTS = {
  __proto__: null,
  confusion_matrix: ["Confusion matrix", "the true labels of #s against the predicted ones"],
  predictions: ["Predictions", "the predicted number of each row against the true one"],
  residuals: ["Errors by prediction", "how far off each prediction is"],
  error_distribution: ["Distribution of errors", "how many predictions are off by how much"],
  threshold: ["Rates by threshold", "how much is caught and blocked if the threshold moves"],
  roc: ["ROC curve", "how much is caught against how much is blocked by mistake"],
  precision_recall: ["Precision and recall", "how many marked #s are right against how much is caught"],
  score_distribution: ["Probabilities", "how many #s of each label get which probability"],
  influential_features: ["Strongest features", "the pieces of text with the largest weights"],
  importance: ["Importance of columns", "how much worse the model is without a column's information"],
  robustness: ["Robustness", "how much is still caught when messages are disguised, and how much is blocked"],
  calibration: ["Calibration", "each probability against how often it was right"],
};
// What plots mean if there are more than two labels.
const OF_LABELS = {
  __proto__: null,
  roc: "how much of each label is found against how many other rows get it by mistake",
  calibration: "the probability of the predicted label against how often it was right",
};

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
function makePlot(name, model) {
  const [title, usual] = PLOTS[name] ?? [spell(name), ""];
  const meant = (model.task === "multiclass" && OF_LABELS[name]) || usual;
  const meaning = meant.replaceAll("#", isOfMessages(model) ? "message" : "row");
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

/** Return the plots of a model. */
export function makePlots(model) {
  const order = Object.keys(PLOTS);
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = model.plots.toSorted((a, b) => rank(a) - rank(b));
  return make("div", { className: "plots" }, ...names.map((name) => makePlot(name, model)));
}
