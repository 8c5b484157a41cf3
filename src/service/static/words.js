// A message with its telling words marked, and lists of the most telling ones.

import { make } from "./elements.js";
import { formatContribution } from "./numbers.js";

const LISTED = 5;
// Shares of the strongest word's contribution from which a word is marked, weakest mark first.
const LEVELS = [0.1, 0.3, 0.6];
// A message whose words all say little is not to look like one whose words say much.
const LEAST_STRONGEST = 1;

/** Return the sums of what each word contributes, the most telling of one side first. */
function rank(words, sign) {
  const sums = new Map();
  for (const { word, contribution } of words) {
    sums.set(word, (sums.get(word) ?? 0) + contribution);
  }
  return [...sums]
    .filter(([, sum]) => sign * sum >= 0.005)
    .sort(([, a], [, b]) => sign * (b - a))
    .slice(0, LISTED);
}

/** Return a list of the words that speak most for a label. */
function makeList(words, label, sign) {
  const side = sign > 0 ? "positive" : "negative";
  const ranked = rank(words, sign);
  const items = ranked.map(([word, sum]) =>
    make(
      "li",
      {},
      make("span", { className: "listed" }, word),
      " ",
      make("span", { className: "sum" }, formatContribution(sum)),
    ),
  );
  return make(
    "div",
    {},
    make("h3", { className: `key ${side}` }, make("span", {}, `Speaks for ${label}`)),
    items.length ? make("ol", {}, ...items) : make("p", { className: "hint" }, "No word does."),
  );
}

/** Return the message, each telling word marked by its side and strength. */
function makeText(words, labels) {
  const largest = Math.max(...words.map(({ contribution }) => Math.abs(contribution)));
  const strongest = Math.max(largest, LEAST_STRONGEST);
  const text = make("p", {
    className: "text",
    role: "group",
    tabIndex: 0,
    "aria-label": "The message, its telling words marked",
  });
  words.forEach(({ word, contribution }, i) => {
    const share = Math.abs(contribution) / strongest;
    const level = LEVELS.filter((least) => share >= least).length;
    const side = contribution > 0 ? "positive" : "negative";
    if (i > 0) text.append(" ");
    if (level === 0) {
      text.append(word);
      return;
    }
    const title = `${formatContribution(contribution)}: speaks for ${labels[side]}`;
    text.append(make("mark", { className: `${side} level-${level}`, title }, word));
  });
  return text;
}

/** Return what shows the words of a message; words are null if the model cannot tell. */
export function makeWords(words, labels) {
  if (!words) {
    const why = "Which words counted cannot be told: this kind of model has no weights for them.";
    return [make("p", { className: "hint" }, why)];
  }
  const lists = make(
    "div",
    { className: "lists" },
    makeList(words, labels.positive, 1),
    makeList(words, labels.negative, -1),
  );
  const hint = "The figures are what a word adds to the log-odds; the stronger the mark, the more.";
  return [makeText(words, labels), lists, make("p", { className: "hint" }, hint)];
}
