// What pushed a prediction up or down, as bars to both sides.

import { make } from "./elements.js";
import { formatSigned, withUnit } from "./numbers.js";
import { showValue } from "./values.js";

const SHOWN = 8;
const LISTED = 100;

/** Return how much a value changes the prediction, as text. */
function showChange(change, isShare, unit) {
  const text = formatSigned(isShare ? Number((100 * change).toFixed(2)) : change);
  return isShare ? text : withUnit(text, unit);
}

/** Return a value with its name, and a bar to the side on which it pushes. */
function makeItem({ name, value, change }, largest, model, row, isShare, unit) {
  const column = model.columns.find((one) => one.name === name);
  // The name may also be that of a feature, such as a word of a text.
  const shown = Object.hasOwn(row, name) ? showValue(column, row[name]) : value;
  const length = make("span", { className: change < 0 ? "down" : "up", hidden: change === 0 });
  length.style.setProperty("--share", Math.abs(change) / largest);
  return make(
    "li",
    {},
    make(
      "span",
      { className: "of" },
      make("bdi", { className: "name" }, name),
      ...(shown ? [" ", make("bdi", { className: "value" }, shown)] : []),
    ),
    make("span", { className: "both", "aria-hidden": "true" }, length),
    make("span", { className: "number" }, showChange(change, isShare, unit)),
  );
}

/** Return the section on what matters for a prediction. */
export function makeReasons({ kind, of, items }, model, row) {
  const isChanges = kind === "changes";
  const isShare = isChanges && model.task !== "regression";
  // What is explained may be the logarithm of the target, which has no unit.
  const unit = isChanges || of === model.target_name ? model.target.unit : null;
  const ranked = [...items].sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  const largest = Math.abs(ranked[0]?.change ?? 0);
  const list = (some) =>
    make("ol", { className: "reasons" }, ...some.map((one) => makeItem(one, largest, model, row, isShare, unit)));
  const note = isChanges
    ? `How ${of} changes if the usual value of a column is replaced by this row's${isShare ? ", in percentage points" : ""}. The changes do not add up.`
    : `What each value adds to ${of}.`;
  const section = make(
    "section",
    { className: "part", "aria-labelledby": "reasons-name" },
    make("h3", { id: "reasons-name" }, "What matters here"),
    make("p", { className: "hint" }, note),
  );
  if (!largest) {
    section.append(make("p", {}, isChanges ? "No value makes a difference: each is the usual one, or does not matter." : "No value adds anything."));
    return section;
  }
  section.append(list(ranked.slice(0, SHOWN)));
  const rest = ranked.slice(SHOWN, LISTED);
  if (rest.length) {
    const summary = make("summary", {}, `${rest.length} more`);
    section.append(make("details", { className: "rest" }, summary, list(rest)));
  }
  return section;
}
