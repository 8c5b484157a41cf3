// The fields of a form for a row, one for each column.

import { clearError, make } from "./elements.js";
import { formatCount, formatPlain } from "./numbers.js";
import { hasTimes, readValue, writeValue } from "./values.js";

// With more values, a field to type into suggests them.
const SELECT_VALUES = 30;
const SUGGESTED = 500;

/** Return the options of a choice: the known values, and none. */
function makeOptions({ values, is_needed: isNeeded }) {
  const empty = make("option", { value: "" }, isNeeded ? "Choose a value" : "Missing");
  return [empty, ...values.map((value) => make("option", { value }, value))];
}

/** Return a field that suggests the most frequent values, which are added when it is first used. */
function makeSuggesting({ values }, id) {
  const list = make("datalist", { id: `${id}-list` });
  const input = make("input", { type: "text", autocomplete: "off", spellcheck: false });
  input.setAttribute("list", list.id);
  const fill = () => list.append(...values.slice(0, SUGGESTED).map((value) => make("option", { value })));
  input.addEventListener("focus", fill, { once: true });
  return [input, list];
}

/** Return the field for a column, and what belongs to it. */
function makeInput(column, id) {
  switch (column.kind) {
    case "number":
      return [make("input", { type: "text", inputMode: "decimal", autocomplete: "off" })];
    case "date":
      return [make("input", { type: hasTimes(column) ? "datetime-local" : "date" })];
    case "text":
      return [make("textarea", { rows: 2, spellcheck: false })];
    default:
      if (column.values.length > SELECT_VALUES || column.n_values > column.values.length) {
        return makeSuggesting(column, id);
      }
      return [make("select", {}, ...makeOptions(column))];
  }
}

/** Return what is known about the values of a column, or "". */
export function describeValues(column) {
  const { kind, minimum, maximum, values, n_values: count } = column;
  if (minimum != null && maximum != null) {
    const show = (value) =>
      kind === "number" ? formatPlain(value) : writeValue(column, value).replace("T", " ");
    return show(minimum) === show(maximum) ? `only ${show(minimum)}` : `${show(minimum)} to ${show(maximum)}`;
  }
  if (kind === "ordinal") return `${values[0]} to ${values.at(-1)}`;
  if (kind === "category" && count > SELECT_VALUES) return `${formatCount(count)} known values`;
  return "";
}

/** Return the name of a column, with its unit, for people. */
export function makeName({ name, unit }) {
  const parts = [make("bdi", {}, name)];
  if (unit) parts.push(" ", make("span", { className: "unit" }, `(${unit})`));
  return make("span", { className: "name" }, ...parts);
}

/**
 * A field of the form; its elements are made when they are needed, since there may be hundreds.
 */
export class Field {
  constructor(column, number) {
    this.column = column;
    this.id = `field-${number}`;
    this.kept = "";
    this.input = null;
  }

  /** What the field holds. */
  get text() {
    return this.input ? this.input.value : this.kept;
  }

  set text(text) {
    this.kept = text;
    if (this.input) this.input.value = text;
  }

  /** Return the value that the field holds, and why it cannot be read, or "". */
  read() {
    // A browser empties a date that is not complete.
    if (this.input?.validity.badInput) return { value: null, reason: "not a date" };
    return readValue(this.column, this.text);
  }

  /** Fill in the usual value; a text has none, but may be needed. */
  fill() {
    const { kind, is_needed: isNeeded, usual } = this.column;
    this.text = kind === "text" && isNeeded ? "A text" : writeValue(this.column, usual);
  }

  /** Return the elements of the field. */
  build() {
    const { column, id } = this;
    const [input, ...others] = makeInput(column, id);
    this.input = input;
    const known = describeValues(column);
    const hint = make("p", { id: `${id}-hint`, className: "hint" }, known);
    const error = make("p", { id: `${id}-error`, className: "error", role: "alert" });
    input.id = id;
    input.value = this.kept;
    if (column.is_needed) input.required = true;
    input.setAttribute("aria-describedby", known ? `${hint.id} ${error.id}` : error.id);
    input.addEventListener("input", () => clearError(input));
    const label = make("label", { htmlFor: id }, makeName(column));
    if (column.is_needed) label.append(" ", make("span", { className: "needed" }, "required"));
    return make("div", { className: `entry of-${column.kind}` }, label, input, ...others, hint, error);
  }
}
