// Numbers and words as they are shown.

// Numbers beyond these are written with an exponent.
const LARGE = 1e12;
const SMALL = 1e-4;
const whole = new Intl.NumberFormat("en");
const signed = new Intl.NumberFormat("en", {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  signDisplay: "exceptZero",
});

/** Return a count with separated thousands. */
export function formatCount(count) {
  return whole.format(count);
}

/** Return a count and its noun, as in "1 row" and "2 rows". */
export function countOf(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Return a probability as a percentage that is never rounded to certainty. */
export function formatProbability(probability) {
  if (probability > 0.9999 && probability < 1) return "over 99.99%";
  if (probability < 0.0001 && probability > 0) return "under 0.01%";
  return `${(100 * probability).toFixed(2)}%`;
}

/** Return a threshold as a percentage, without needless zeros. */
export function formatThreshold(threshold) {
  return `${Number((100 * threshold).toFixed(2))}%`;
}

/** Return what a word contributes, with its sign. */
export function formatContribution(contribution) {
  return signed.format(contribution).replace("-", "−");
}

/** Return words that start with a capital. */
export function capitalise(words) {
  return words[0].toUpperCase() + words.slice(1);
}

/** Return words that start with a capital and end with a full stop. */
export function toSentence(words) {
  return capitalise(words) + (/[.!?]$/.test(words) ? "" : ".");
}

/** Return a number of a column as people type it: at most seven digits, no separators. */
export function formatPlain(value) {
  const rounded = Number(value.toPrecision(7));
  return (Math.abs(rounded) >= LARGE ? rounded.toExponential() : String(rounded)).replace("e+", "e");
}

const large = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

/** Return a predicted number with about four digits; no digit before the point is rounded away. */
export function formatNumber(value) {
  const size = Math.abs(value);
  if (size && (size >= LARGE || size < SMALL)) {
    return Number(value.toPrecision(4)).toExponential().replace("e+", "e").replace(/-/g, "−");
  }
  return (size >= 1000 ? large : small).format(value).replace("-", "−");
}

/** Return a number with its sign, always shown. */
export function formatSigned(value) {
  return (value > 0 ? "+" : "") + formatNumber(value);
}

/** Return a number with its unit, if it has one. */
export function withUnit(number, unit) {
  return unit ? `${number}\u00a0${unit}` : number;
}
