// Values of columns: from text to what the service takes, and back to text for people.

import { formatPlain, withUnit } from "./numbers.js";

// As JSON writes numbers, but also ".5", "5." and "+5".
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SHOWN_CHARACTERS = 80;

/** Return whether dates of a column have a time of the day. */
export function hasTimes({ minimum, maximum }) {
  return [minimum, maximum].some((date) => /T(?!00:00(:00(\.0+)?)?(Z|[+-]00:00)?$)/.test(date ?? ""));
}

/** Return a date as a field for dates has it. */
function trimDate(column, iso) {
  return iso.slice(0, hasTimes(column) ? 16 : 10);
}

/** Return a value as the text of a field. */
export function writeValue(column, value) {
  if (value == null) return "";
  if (column.kind === "number") return formatPlain(value);
  return column.kind === "date" ? trimDate(column, value) : value;
}

/** Return a value for people, with its unit; a long text is cut. */
export function showValue(column, value) {
  if (value == null || value === "") return value == null ? "missing" : "empty";
  if (typeof value === "number") return withUnit(formatPlain(value), column?.unit);
  if (column?.kind === "date") return trimDate(column, value).replace("T", " ");
  const text = String(value);
  const characters = [...text.slice(0, 2 * SHOWN_CHARACTERS)];
  const isCut = characters.length > SHOWN_CHARACTERS || text.length > 2 * SHOWN_CHARACTERS;
  return isCut ? `${characters.slice(0, SHOWN_CHARACTERS).join("")}…` : text;
}

/**
 * Turn a text into a value.
 *
 * @returns {object} `value` (null if missing), and `reason`: why there is none, or ""
 */
export function readValue(column, text) {
  const trimmed = text.trim();
  if (trimmed === "") {
    return { value: null, reason: column.is_needed ? "missing value" : "" };
  }
  if (column.kind === "text") return { value: text, reason: "" };
  if (column.kind === "ordinal" && !column.values.includes(trimmed)) {
    return { value: null, reason: "value not in its order" };
  }
  if (column.kind !== "number") return { value: trimmed, reason: "" };
  if (!NUMBER.test(trimmed)) return { value: null, reason: "not a number" };
  const value = Number(trimmed);
  if (!Number.isFinite(value)) return { value: null, reason: "number too large" };
  return { value, reason: "" };
}

/** Return a sentence that says what to do about a value that cannot be read. */
export function explainReason(column, text, reason) {
  if (reason === "not a number" && /^[\s\d+-]*,[\d\s.,]*$/.test(text)) {
    return "Write the number without commas and with a point for decimals, such as 0.7.";
  }
  return {
    "missing value": "The model needs this value: fill it in.",
    "value not in its order": "This is none of the known values: choose one of the list.",
    "not a number": "This is not a number: write it in digits, such as 12.5.",
    "not a date": "This date is not complete: fill in every part of it, or clear it.",
    "number too large": "This number is too large.",
  }[reason];
}
