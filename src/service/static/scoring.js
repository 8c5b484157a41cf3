// The rows of a file: which of them can be scored, and their results from the service, in batches.

import { formatCount } from "./numbers.js";
import { predict } from "./service.js";

const encoder = new TextEncoder();
// What Python does not count as white space; JavaScript differs on a few characters.
const VISIBLE = /[^\s\u001c-\u001f\u0085]|\ufeff/;
const ENVELOPE = encoder.encode('{"texts":[]}').length;
// The service may refuse texts that pass here: they are too long together, or one is not valid.
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

/** Return why a record cannot be scored, or "". */
function findReason(record, place, nColumns, limits) {
  if (record.reason) return record.reason;
  if (record.fields.length === 0) return "empty line";
  if (record.fields.length !== nColumns) {
    return `wrong number of fields: ${record.fields.length}, expected ${nColumns}`;
  }
  const text = record.fields[place];
  if (isBlank(text)) return "empty text";
  if (text.length > limits.text_length && countCharacters(text) > limits.text_length) {
    return `text longer than ${formatCount(limits.text_length)} characters`;
  }
  return "";
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
async function scoreRefused(rows, error, options) {
  if (rows.length === 1) {
    rows[0].reason = error.detail;
    return;
  }
  const half = Math.ceil(rows.length / 2);
  await scoreTexts(rows.slice(0, half), options);
  await scoreTexts(rows.slice(half), options);
}

/** Return the places in a batch whose texts the service refused, each with its reason. */
function findRefused({ errors }) {
  return errors
    .map((one) => [/^\/texts\/(\d+)$/.exec(one?.pointer)?.[1], one?.detail])
    .filter(([i, detail]) => i !== undefined && typeof detail === "string");
}

/** Send the texts of rows, and write the results into the rows. */
async function scoreTexts(rows, options) {
  if (rows.length === 0) return;
  let answer;
  try {
    const body = `{"texts":[${rows.map((row) => row.json).join(",")}]}`;
    answer = await predict(body, rows.length, options);
  } catch (error) {
    if (!REFUSALS.includes(error.status)) throw error;
    for (const [i, detail] of findRefused(error)) if (rows[i]) rows[i].reason = detail;
    const open = rows.filter((row) => !row.reason);
    if (open.length < rows.length) await scoreTexts(open, options);
    else await scoreRefused(rows, error, options);
    return;
  }
  answer.predictions.forEach(({ label, probability }, i) => {
    Object.assign(rows[i], { label, probability, version: answer.model_version });
  });
}

/**
 * Yield the rows of a file in batches and in order, with one request at a time.
 *
 * @param {AsyncIterable} pieces - what `readRecords` yields, without the header
 * @param {object} table - `columns`, `place` of the text among them, `separator`, `limits`
 * @param {object} options - of each request
 * @yields {{rows: object[], bytes: number}} rows with `line`, `fields`, and `label`, `probability`
 *   and `version`, or the `reason` why they were not scored
 */
export async function* scoreRecords(pieces, { columns, place, separator, limits }, options) {
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
    await scoreTexts(
      batch.filter((row) => !row.reason),
      options,
    );
    for (const row of batch) delete row.json;
    return { rows: batch, bytes: Math.round(behind) };
  };
  for await (const { records, bytes } of pieces) {
    options.signal?.throwIfAborted();
    for (const [i, record] of records.entries()) {
      behind = before + ((bytes - before) * i) / records.length;
      const row = {
        line: record.line,
        fields: fitFields(record, place, columns.length, separator),
        reason: findReason(record, place, columns.length, limits),
      };
      if (!row.reason) {
        row.json = JSON.stringify(row.fields[place]);
        const bytesMore = encoder.encode(row.json).length + 1;
        const charactersMore = countCharacters(row.fields[place]);
        if (ENVELOPE + bytesMore > limits.body_bytes) row.reason = "text too long for a request";
        else if (size + bytesMore > limits.body_bytes || characters + charactersMore > most) {
          yield await emit();
        }
        if (!row.reason) {
          size += bytesMore;
          characters += charactersMore;
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
