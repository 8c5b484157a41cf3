// A message with its influential words marked, and lists of the most influential ones.

import { make } from "./elements.js";
import { formatContribution } from "./numbers.js";

const LISTED = 5;
// Words with a smaller share of the largest contribution are not listed.
const LEAST_SHARE = 0.05;
// Shares of the strongest word's contribution from which a word is marked, weakest mark first.
const LEVELS = [0.1, 0.3, 0.6];
// In a message with only weak words, none is marked as strong.
const LEAST_STRONGEST = 1;

/** Return what each word contributes in total, as pairs. */
function addUp(words) {
  const sums = new Map();
  for (const { word, contribution } of words) {
    sums.set(word, (sums.get(word) ?? 0) + contribution);
  }
  return [...sums];
}

/** Return a word, with a bar as long as its share of the largest contribution. */
function makeItem(word, sum, share, side) {
  const exact = `${formatContribution(sum)} in log-odds`;
  const bar = make("span", { className: `bar ${side}`, title: exact });
  bar.style.setProperty("--share", share);
  return make(
    "li",
    {},
    make("span", { className: "listed" }, word),
    bar,
    make("span", { className: "unseen" }, exact),
  );
}

/** Return a list of the words that push most towards a label, given as pairs. */
function makeList(sums, label, sign) {
  const side = sign > 0 ? "positive" : "negative";
  const largest = Math.max(...sums.map(([, sum]) => Math.abs(sum)));
  const items = sums
    .map(([word, sum]) => [word, sum, (sign * sum) / largest])
    .filter(([, , share]) => share >= LEAST_SHARE)
    .sort((a, b) => b[2] - a[2])
    .slice(0, LISTED)
    .map(([word, sum, share]) => makeItem(word, sum, share, side));
  return make(
    "div",
    {},
    make("h3", { className: `key ${side}` }, make("span", {}, `Pushes towards ${label}`)),
    items.length ? make("ol", {}, ...items) : make("p", { className: "hint" }, "No word does."),
  );
}

/** Return the message, with each influential word marked by its side and strength. */
function makeText(words, labels) {
  const largest = Math.max(...words.map(({ contribution }) => Math.abs(contribution)));
  const strongest = Math.max(largest, LEAST_STRONGEST);
  const text = make("p", {
    className: "text",
    role: "group",
    tabIndex: 0,
    "aria-label": "The message, with the words that matter marked",
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
    const title = `Pushes towards ${labels[side]}: ${formatContribution(contribution)} in log-odds`;
    text.append(make("mark", { className: `${side} level-${level}`, title }, word));
  });
  return text;
}

/** Return the marked message and its lists; words are null if the model has no weights for them. */
export function makeWords(words, labels) {
  if (!words) {
    const why = "This kind of model cannot show which words matter.";
    return [make("p", { className: "hint" }, why)];
  }
  const sums = addUp(words);
  const lists = make(
    "div",
    { className: "lists" },
    makeList(sums, labels.positive, 1),
    makeList(sums, labels.negative, -1),
  );
  return [makeText(words, labels), lists];
}
