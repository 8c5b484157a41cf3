// Charts: the shapes are SVG and stretch with the page; all text is HTML, which does not.

import { draw, make } from "./elements.js";

const WIDTH = 100;
const HEIGHT = 100;
// Colours and patterns of lines, in their order.
export const LINES = 4;

/** Return round numbers that enclose a range, about as many as asked for. */
export function findTicks(low, high, count = 4) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = power * [1, 2, 5, 10].find((factor) => span / (factor * power) <= count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return ticks.length > 1 ? ticks : [...ticks, ticks[0] + step];
}

/** Return a drawing that fills its box, with a text in place of it. */
function makeDrawing(label, ...shapes) {
  const size = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  return draw("svg", { ...size, role: "img", "aria-label": label, class: "drawing" }, ...shapes);
}

/** Return a function from a number to its place between 0 and 1. */
export function scale(low, high) {
  return (value) => Math.min(Math.max((value - low) / (high - low || 1), 0), 1);
}

/** Return an element at a place of a chart, given as shares of its width and height. */
function pin(className, x, y) {
  const element = make("span", { className });
  element.style.setProperty("--x", x);
  if (y !== undefined) element.style.setProperty("--y", y);
  return element;
}

/**
 * Return a histogram with an interval and a mark.
 *
 * @param {object} target - `edges` and `heights` of the bars
 * @param {?object} found - `prediction`, and `lower` and `upper` if there is an interval; null if
 *   there is nothing to mark
 * @param {Function} show - from a number to its text
 * @param {string} label - the text in place of the drawing
 */
export function makeHistogram({ edges, heights }, found, show, label) {
  const { prediction = edges[0], lower = prediction, upper = prediction } = found ?? {};
  const low = Math.min(edges[0], lower);
  const high = Math.max(edges.at(-1), upper);
  const place = scale(low, high);
  const most = Math.max(...heights);
  const bars = heights.map((height, i) => {
    const [x, end] = [WIDTH * place(edges[i]), WIDTH * place(edges[i + 1])];
    // A bar of few rows is still seen.
    const tall = height && Math.max((0.94 * HEIGHT * height) / most, 1);
    const isInside = edges[i + 1] > lower && edges[i] < upper;
    const attributes = { x, y: HEIGHT - tall, width: Math.max(end - x - 0.25, 0.1), height: tall };
    return draw("rect", { ...attributes, class: isInside ? "bin inside" : "bin" });
  });
  const band = { x: WIDTH * place(lower), width: WIDTH * (place(upper) - place(lower)), y: 0, height: HEIGHT };
  return make(
    "div",
    { className: "histogram" },
    make(
      "div",
      { className: "area" },
      makeDrawing(label, draw("rect", { ...band, class: "band" }), ...bars),
      ...(found ? [pin("mark", place(prediction))] : []),
    ),
    make("p", { className: "ends", "aria-hidden": "true" }, make("span", {}, show(low)), make("span", {}, show(high))),
  );
}

/**
 * Return a chart of lines.
 *
 * @param {number[]} xs - where the points are
 * @param {number[][]} lines - the heights of the points of each line, at most `LINES`
 * @param {object} options - `ticks` of the height, `showX`, `showY`, `ends` (texts below),
 *   `label` in place of the drawing, and `mark` (x and y of a dot, or null)
 */
export function makeLines(xs, lines, { ticks, showY, ends, label, mark }) {
  const across = scale(xs[0], xs.at(-1));
  const up = scale(ticks[0], ticks.at(-1));
  const point = (x, y) => `${(WIDTH * across(x)).toFixed(2)},${(HEIGHT * (1 - up(y))).toFixed(2)}`;
  const grid = ticks.map((tick) => {
    const y = HEIGHT * (1 - up(tick));
    return draw("line", { x1: 0, x2: WIDTH, y1: y, y2: y, class: "grid" });
  });
  const drawn = lines.map((ys, i) =>
    draw("polyline", { points: xs.map((x, j) => point(x, ys[j])).join(" "), class: `line line-${i}` }),
  );
  const labels = ticks.map((tick) => {
    const one = pin("tick", 0, 1 - up(tick));
    one.append(showY(tick));
    return one;
  });
  // Invisible copies take the width of the widest label.
  const widest = ticks.map((tick) => make("span", { className: "width-of" }, showY(tick)));
  const area = make("div", { className: "area" }, makeDrawing(label, ...grid, ...drawn));
  if (mark) area.append(pin("dot", across(mark[0]), 1 - up(mark[1])));
  return make(
    "div",
    { className: "lines" },
    make("div", { className: "ticks", "aria-hidden": "true" }, ...widest, ...labels),
    area,
    make("p", { className: "ends", "aria-hidden": "true" }, ...ends.map((end) => make("span", {}, end))),
  );
}

/**
 * Return a list of bars, one for each item.
 *
 * @param {object[]} items - `name` (text or element), `share` (length, 0 to 1), `text`, `isMain`
 */
export function makeBars(items) {
  return make(
    "ol",
    { className: "bars" },
    ...items.map(({ name, share, text, isMain }) => {
      const length = make("span", { className: "length" });
      length.style.setProperty("--share", share);
      return make(
        "li",
        { className: isMain ? "chosen" : "" },
        make("bdi", { className: "of" }, name),
        make("span", { className: "track", "aria-hidden": "true" }, length),
        make("span", { className: "number" }, text),
      );
    }),
  );
}
