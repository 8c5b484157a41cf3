// CSV (RFC 4180) and TSV, read piece by piece, as `python src predict` reads them: in TSV each line
// is a record and quotes have no meaning; in CSV a stray quote makes only its own line invalid, and a
// carriage return alone ends a line.

const PIECE_BYTES = 1 << 18;
// Characters of a line, and of a record that spans lines: in a longer one the quote is a stray one.
const LONGEST = 1_000_000;
// Characters to keep of a line that is too long.
const KEPT = 200;
const SEPARATORS = [",", "\t", ";"];
const CSV_END = /\r\n?|\n/g;
const TSV_END = /\r?\n|\r$/g;

/** Return the most frequent separator in the first line; without any, that of the name's suffix. */
export function guessSeparator(firstLine, name) {
  const bare = firstLine.replace(/"[^"]*"/g, "");
  const counts = SEPARATORS.map((separator) => bare.split(separator).length - 1);
  const most = Math.max(...counts);
  if (most === 0) return /\.(tsv|tab)$/i.test(name) ? "\t" : ",";
  return SEPARATORS[counts.indexOf(most)];
}

/**
 * Find the end of the line at a place of a text.
 *
 * @returns {object} `stop` (where the line's end starts), `next` (where the next line starts),
 *   `isOpen` (whether no end was found) and `isSure` (whether later pieces cannot change this)
 */
function findEnd(text, place, separator, isAll) {
  const pattern = separator === "\t" ? TSV_END : CSV_END;
  pattern.lastIndex = place;
  const match = pattern.exec(text);
  if (!match) return { stop: text.length, next: text.length, isOpen: true, isSure: isAll };
  const next = match.index + match[0].length;
  // A line feed may follow.
  const isSure = isAll || match[0] !== "\r" || next < text.length;
  return { stop: match.index, next, isOpen: false, isSure };
}

/**
 * Read the record that starts at a place of a text.
 *
 * @returns {?object} `fields`, `end` (where the next one starts), `lines` (how many it has) and
 *   `reason` (why it is invalid, or ""); null if the text ends before the record does
 */
function readRecord(text, start, separator, isAll) {
  const { stop, next: end, isOpen, isSure } = findEnd(text, start, separator, isAll);
  if (end - start > LONGEST && (isOpen || isSure)) {
    const fields = [text.slice(start, start + KEPT)];
    return { fields, end, lines: 1, reason: "line too long", isCut: isOpen };
  }
  if (!isSure) return null;
  const line = text.slice(start, stop);
  if (line === "") return { fields: [], end, lines: 1, reason: "" };
  if (separator === "\t" || !line.includes('"')) {
    return { fields: line.split(separator), end, lines: 1, reason: "" };
  }
  const broken = { fields: [line], end, lines: 1, reason: "broken quoting" };
  const fields = [];
  let place = start;
  for (;;) {
    let field;
    if (text[place] === '"') {
      const from = place + 1;
      let quote = from - 1;
      do {
        quote = text.indexOf('"', quote + 1);
        if (quote < 0 || quote - start > LONGEST) {
          return quote < 0 && !isAll && text.length - start <= LONGEST ? null : broken;
        }
      } while (text[quote + 1] === '"' && ++quote);
      // The next piece may start with a second quote, or the rest of a line's end.
      if (quote + 2 >= text.length && !isAll) return null;
      field = text.slice(from, quote).replaceAll('""', '"');
      place = quote + 1;
      if (![separator, "\r", "\n", undefined].includes(text[place])) return broken;
    } else {
      const { stop, isSure } = findEnd(text, place, separator, isAll);
      if (!isSure) return null;
      const next = text.indexOf(separator, place);
      const from = place;
      place = next < 0 || next > stop ? stop : next;
      field = text.slice(from, place);
    }
    fields.push(field);
    if (text[place] !== separator) break;
    place++;
  }
  const { next } = findEnd(text, place, separator, isAll);
  if (next - start > LONGEST) return broken;
  const lines = text.slice(start, place).split(CSV_END).length;
  return { fields, end: next, lines, reason: "" };
}

/**
 * Yield the records of a file, one list for each piece of `size` bytes.
 *
 * @yields {{records: object[], bytes: number}} records with `line` (of the file, from 1), `fields`
 *   and `reason`; and the number of bytes read so far
 * @throws {Error} if the file is not UTF-8
 */
export async function* readRecords(file, separator, size = PIECE_BYTES) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let line = 1;
  // Whether the rest of a line that is too long must still be skipped.
  let isCut = false;
  for (let bytes = 0; bytes < file.size; ) {
    const piece = await file.slice(bytes, bytes + size).arrayBuffer();
    bytes = Math.min(bytes + size, file.size);
    const isAll = bytes === file.size;
    try {
      text += decoder.decode(piece, { stream: !isAll });
    } catch {
      throw new Error(`${file.name} is not UTF-8: save it as UTF-8 and choose it again.`);
    }
    const records = [];
    let place = 0;
    if (isCut) {
      const { stop, next, isOpen, isSure } = findEnd(text, 0, separator, isAll);
      isCut = isOpen || !isSure;
      place = isCut ? stop : next;
    }
    while (!isCut && place < text.length) {
      const record = readRecord(text, place, separator, isAll);
      if (!record) break;
      isCut = Boolean(record.isCut);
      records.push({ line, fields: record.fields, reason: record.reason });
      line += record.lines;
      place = record.end;
    }
    text = text.slice(place);
    yield { records, bytes };
  }
}

/** Return a field as CSV: in quotes only if needed. */
function quote(field) {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

/** Return a line of CSV. */
export function formatRecord(fields) {
  // An empty line would not be a record.
  const line = fields.map((field) => quote(String(field))).join(",");
  return `${line === "" ? '""' : line}\n`;
}
