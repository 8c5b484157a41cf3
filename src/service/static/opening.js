// A file that was chosen: its header and first rows, and where in it the model's columns are.

import { guessSeparator, readRecords } from "./csv.js";

const SAMPLE_CHARACTERS = 160;
const NAMED = 5;
const TEXT_COLUMNS = ["text", "message", "body", "sms"];
const JSON_NAME = /\.(json|jsonl|ndjson)$/i;
// An object, or an array of them.
const JSON_START = /^\s*(\[\s*)?\{\s*"/;
const UNITS = ["bytes", "kB", "MB", "GB"];

/** Return a number of bytes in a suitable unit. */
export function formatSize(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
}

/** Return a text's beginning, on one line. */
export function shorten(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SAMPLE_CHARACTERS ? `${line.slice(0, SAMPLE_CHARACTERS)}…` : line;
}

/** Return the number of the column that most likely holds the messages. */
export function guessColumn(columns, records) {
  const names = columns.map((name) => name.trim().toLowerCase());
  const named = TEXT_COLUMNS.map((name) => names.indexOf(name)).find((i) => i >= 0);
  if (named !== undefined) return named;
  const mostly = (pattern) =>
    columns.findIndex((_, i) => {
      const cells = records.map(({ fields }) => (fields[i] ?? "").trim()).filter(Boolean);
      return cells.length > 0 && cells.filter((cell) => pattern.test(cell)).length > cells.length / 2;
    });
  // Cells with several words, or else cells with letters.
  return Math.max(0, [mostly(/\p{L}.*\s.*\p{L}/su), mostly(/\p{L}/u)].find((i) => i >= 0) ?? 0);
}

/** Return names in quotes; of many the first few. */
export function listNames(names) {
  const shown = names.slice(0, NAMED).map((name) => `"${shorten(name)}"`).join(", ");
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

/**
 * Return the place of each of the model's columns among those of a file, as pairs.
 *
 * @throws {Error} if the file lacks one
 */
export function findPlaces(model, file, columns) {
  const trimmed = columns.map((name) => name.trim());
  const places = model.columns.map((column) => {
    const exact = columns.indexOf(column.name);
    return [column, exact < 0 ? trimmed.indexOf(column.name) : exact];
  });
  const missing = places.filter(([, place]) => place < 0).map(([{ name }]) => name);
  if (missing.length) {
    const noun = missing.length > 1 ? "columns" : "column";
    throw new Error(`${file.name} has no ${noun} ${listNames(missing)}, which the model needs: add or rename.`);
  }
  return places;
}

/**
 * Read a file's header and first rows.
 *
 * @throws {Error} if they are missing or not valid, or it is another kind of file
 */
export async function openTable(file) {
  const start = await file.slice(0, 1 << 16).text();
  if (JSON_NAME.test(file.name) || JSON_START.test(start)) {
    throw new Error(
      `${file.name} holds JSON, which this page does not read: save it as CSV or TSV and choose that file.`,
    );
  }
  const separator = guessSeparator(start.split(/[\r\n]/, 1)[0], file.name);
  const { value: first } = await readRecords(file, separator).next();
  const [header, ...records] = first?.records ?? [];
  if (!header || header.reason || header.fields.length === 0) {
    throw new Error(`${file.name} has no first row that names the columns: add one.`);
  }
  if (header.fields.some((name) => separator === "\t" && name.includes("\r"))) {
    throw new Error(`${file.name} has carriage returns within its lines: end them with line feeds.`);
  }
  if (records.length === 0 && first.bytes === file.size) {
    throw new Error(`${file.name} has no rows below its first, which names the columns: add some.`);
  }
  const names = header.fields.filter((name) => name.trim());
  const repeated = names.find((name, i) => names.indexOf(name) < i);
  if (repeated !== undefined) {
    throw new Error(`${file.name} has the column "${shorten(repeated)}" more than once: rename or remove one.`);
  }
  const mark = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  const hasMark = [0xef, 0xbb, 0xbf].every((byte, i) => mark[i] === byte);
  return { file, separator, columns: header.fields, records, hasMark };
}

/** Yield what `readRecords` yields, without the first record. */
export async function* dropHeader(pieces) {
  let isFirst = true;
  for await (const { records, bytes } of pieces) {
    yield { records: isFirst ? records.slice(1) : records, bytes };
    if (records.length) isFirst = false;
  }
}
