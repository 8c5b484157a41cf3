// The rows of a file: which of them can be scored, and their results from the service, in batches.

import { formatCount } from "./numbers.js";
import { predict } from "./service.js";
import { readValue } from "./values.js";

const encoder = new TextEncoder();
// What Python does not count as white space; JavaScript differs on a few characters.
const VISIBLE = /[^\s\u001c-\u001f\u0085]|\ufeff/;
const ENVELOPE = encoder.encode('{"texts":[]}').length;
// The service may refuse what passes here: it is too long together, or a value is not valid.
const REFUSALS = [413, 422];

/** Return whether a text is empty or only white space. */
export function isBlank(text) {
  return !VISIBLE.test(text);
}

/** Return how many characters a text has; like the service, count those beyond 16 bits once. */
export function countCharacters(text) {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const isPair = (text.charCodeAt(i) & 0xfc00) === 0xd800;
    if (isPair && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) count--;
  }
  return count;
}

/** Return whether a text has more characters than the service accepts. */
function isTooLong(text, limits) {
  return text.length > limits.text_length && countCharacters(text) > limits.text_length;
}

/** Return the message in the fields of a record: `json`, `characters`, and `reason` if it has none. */
export function readMessage(fields, { place, limits }) {
  const text = fields[place];
  if (isBlank(text)) return { reason: "empty text" };
  if (isTooLong(text, limits)) {
    return { reason: `text longer than ${formatCount(limits.text_length)} characters` };
  }
  return { json: JSON.stringify(text), characters: countCharacters(text), reason: "" };
}

/** Return the row in the fields of a record, as `readMessage` returns a message. */
export function readFields(fields, { places, limits }) {
  const values = [];
  let characters = 0;
  for (const [column, place] of places) {
    const isText = column.kind === "text";
    const { value, reason } = readValue(column, fields[place]);
    if (reason) return { reason: `${column.name}: ${reason}` };
    if (isText && isTooLong(fields[place], limits)) {
      return { reason: `${column.name}: text longer than ${formatCount(limits.text_length)} characters` };
    }
    if (isText) characters += countCharacters(fields[place]);
    values.push([column.name, value]);
  }
  return { json: JSON.stringify(Object.fromEntries(values)), characters, reason: "" };
}

/** Return why a record has no fields to read, or "". */
function findReason(record, nColumns) {
  if (record.reason) return record.reason;
  if (record.fields.length === 0) return "empty line";
  if (record.fields.length === nColumns) return "";
  return `wrong number of fields: ${record.fields.length}, expected ${nColumns}`;
}

/** Return a record's fields, fitted to the number of columns. */
function fitFields(record, place, nColumns, separator) {
  const { fields, reason } = record;
  if (reason) return Array.from({ length: nColumns }, (_, i) => (i === place ? fields[0] : ""));
  if (fields.length > nColumns) {
    return [...fields.slice(0, nColumns - 1), fields.slice(nColumns - 1).join(separator)];
  }
  return [...fields, ...Array(nColumns - fields.length).fill("")];
}

/** Score rows that were refused together, in halves; a row that is refused alone gets the reason. */
async function scoreRefused(rows, key, error, options) {
  if (rows.length === 1) {
    rows[0].reason = error.detail;
    return;
  }
  const half = Math.ceil(rows.length / 2);
  await scoreRows(rows.slice(0, half), key, options);
  await scoreRows(rows.slice(half), key, options);
}

/** Return the places in a batch that the service refused, each with its reason. */
function findRefused({ errors }) {
  return errors.flatMap((one) => {
    const [, place, name] = /^\/(?:texts|rows)\/(\d+)(?:\/(.*))?$/s.exec(one?.pointer) ?? [];
    if (place === undefined || typeof one.detail !== "string") return [];
    const column = name?.replaceAll("~1", "/").replaceAll("~0", "~");
    return [[place, column === undefined ? one.detail : `${column}: ${one.detail}`]];
  });
}

/** Send rows, and write the predictions into them. */
async function scoreRows(rows, key, options) {
  if (rows.length === 0) return;
  let answer;
  try {
    const body = `{"${key}":[${rows.map((row) => row.json).join(",")}]}`;
    answer = await predict(body, rows.length, options);
  } catch (error) {
    if (!REFUSALS.includes(error.status)) throw error;
    for (const [i, reason] of findRefused(error)) if (rows[i]) rows[i].reason ||= reason;
    const open = rows.filter((row) => !row.reason);
    if (open.length < rows.length) await scoreRows(open, key, options);
    else await scoreRefused(rows, key, error, options);
    return;
  }
  answer.predictions.forEach((found, i) => {
    Object.assign(rows[i], { found, version: answer.model_version });
  });
}

/**
 * Yield the rows of a file in batches and in order, with one request at a time.
 *
 * @param {AsyncIterable} pieces - what `readRecords` yields, without the header
 * @param {object} plan - `columns` of the file, `separator`, `limits`, `key` of the rows in a
 *   request, `read` (`readMessage` or `readFields`) and what that function needs
 * @param {object} options - of each request
 * @yields {{rows: object[], bytes: number}} rows with `line`, `fields`, and `found` (the prediction)
 *   and `version`, or the `reason` why they were not scored
 */
export async function* scoreRecords(pieces, plan, options) {
  const { columns, separator, limits, key, read } = plan;
  // The service counts after Unicode normalisation, which may lengthen a text.
  const most = (limits.characters ?? Infinity) / 2;
  let rows = [];
  let size = ENVELOPE;
  let characters = 0;
  // Bytes of the file that are done: within a piece, in proportion to its records.
  let behind = 0;
  let before = 0;
  const emit = async () => {
    const batch = rows;
    rows = [];
    size = ENVELOPE;
    characters = 0;
    const valid = batch.filter((row) => !row.reason);
    await scoreRows(valid, key, options);
    for (const row of batch) delete row.json;
    return { rows: batch, bytes: Math.round(behind) };
  };
  for await (const { records, bytes } of pieces) {
    options.signal?.throwIfAborted();
    for (const [i, record] of records.entries()) {
      behind = before + ((bytes - before) * i) / records.length;
      const fields = fitFields(record, plan.place ?? 0, columns.length, separator);
      const row = { line: record.line, fields, reason: findReason(record, columns.length) };
      const valid = row.reason ? null : read(fields, plan);
      if (valid?.reason) row.reason = valid.reason;
      if (!row.reason) {
        row.json = valid.json;
        const bytesMore = encoder.encode(row.json).length + 1;
        if (ENVELOPE + bytesMore > limits.body_bytes) {
          row.reason = key === "texts" ? "text too long for a request" : "row too long for a request";
        } else if (size + bytesMore > limits.body_bytes || characters + valid.characters > most) {
          yield await emit();
        }
        if (!row.reason) {
          size += bytesMore;
          characters += valid.characters;
        }
      }
      rows.push(row);
      behind = before + ((bytes - before) * (i + 1)) / records.length;
      if (rows.length === limits.batch_size) yield await emit();
    }
    before = behind = bytes;
  }
  if (rows.length) yield await emit();
}
