// Requests to the service: they send the access token, and are repeated while the service is busy.

import { find, make } from "./elements.js";
import { toSentence } from "./numbers.js";

export const ROOT = new URL("..", import.meta.url);
const TOKEN = "access-token";
// Seconds between attempts, unless the answer says how long to wait.
const WAITS = [1, 2, 4, 8];
const LONGEST_WAIT = 60;
// Examples of the answers, to check which fields they have.
const WORDS = [{ word: "", contribution: 0 }];
const REASONS = { kind: "", of: "", items: [{ name: "", change: 0 }] };
const WARNINGS = [{ column: "", problem: "" }];
const PREDICTIONS = { predictions: [{}], model_version: "" };
const CURVE = { column: "", kind: "", points: [{}] };
const LABELS = { labels: { positive: "", negative: "" }, threshold: 0 };
const MODEL = {
  version: "",
  name: "",
  summary: "",
  task: "",
  is_messages: false,
  target_name: "",
  columns: [{ name: "", kind: "", values: [""] }],
  target: { edges: [0], heights: [0] },
  classes: [""],
  limits: { text_length: 0, batch_size: 0, body_bytes: 0 },
  plots: [""],
};

// The form that asks for the token, and the promise of its answer.
let asked = null;
// How many requests wait for the answer.
let waiting = 0;
let model = null;
// The model that was read last, and the functions to call with the next one.
let shown = null;
const listeners = [];

/** An error in an answer, or no answer; `detail` is the reason, the message a sentence. */
export class Problem extends Error {
  constructor(detail, status = 0, errors = []) {
    super(toSentence(detail));
    this.detail = detail;
    this.status = status;
    this.errors = errors;
  }
}

/** Return the problem in an answer. */
async function readProblem(response) {
  try {
    const { detail, title, errors } = await response.json();
    const reason = detail ?? title;
    if (typeof reason === "string" && reason) {
      return new Problem(reason, response.status, Array.isArray(errors) ? errors : []);
    }
  } catch {
    // A proxy may answer in another format.
  }
  const { status, statusText } = response;
  return new Problem(`the service answered ${status} ${statusText}`.trim(), status);
}

/** Return whether a value has the fields of an example, with the same types; in lists, each item. */
export function fits(value, example) {
  if (Array.isArray(example)) {
    return Array.isArray(value) && value.every((one) => fits(one, example[0]));
  }
  if (typeof value !== typeof example || value === null) return false;
  if (typeof example !== "object") return true;
  return Object.entries(example).every(([name, inner]) => fits(value[name], inner));
}

/**
 * Return the JSON in an answer.
 *
 * @throws {Problem} if it is not JSON, or not valid
 */
export async function readJson(response, isValid) {
  const answer = await response.json().catch(() => null);
  if (isValid(answer)) return answer;
  throw new Problem("the service's answer cannot be read: is another server running here?");
}

/** Wait some seconds; throw if the signal is aborted. */
function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, 1000 * seconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Return a promise that settles like another, or is rejected if the signal is aborted. */
function orAbort(promise, signal) {
  if (!signal) return promise;
  const stopped = new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, stopped]);
}

/** Return the seconds that an answer asks to wait, given as a number or a date. */
function readWait(response, otherwise) {
  const value = response?.headers.get("Retry-After");
  if (!value) return otherwise;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? otherwise : Math.min(Math.max(seconds, 0), LONGEST_WAIT);
}

/**
 * Ask for the access token, and resolve once there is another than the refused one.
 *
 * All requests that wait for it share one form.
 */
function askForToken(refused) {
  if (sessionStorage.getItem(TOKEN) !== refused) return Promise.resolve();
  if (asked) return asked.answered;
  let resolve;
  const answered = new Promise((settle) => (resolve = settle));
  const field = make("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    required: true,
    "aria-describedby": "token-why",
    ...(refused && { "aria-invalid": "true" }),
  });
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
  const why = refused
    ? "The service refused this token. Check it and try again."
    : "This service needs an access token. The token is kept until this tab is closed.";
  const form = make(
    "form",
    { className: "card access", "aria-labelledby": "access-name" },
    make("h2", { id: "access-name" }, "Access"),
    make("p", { id: "token-why", role: "alert" }, why),
    make("label", { htmlFor: "token" }, "Access token"),
    make(
      "div",
      { className: "actions" },
      field,
      make("button", { className: "main", type: "submit" }, "Use token"),
    ),
  );
  const before = document.activeElement;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const token = field.value.trim();
    if (!token) return;
    sessionStorage.setItem(TOKEN, token);
    form.remove();
    asked = null;
    (before?.isConnected ? before : find("main")).focus({ preventScroll: true });
    resolve();
  });
  find("notices").append(form);
  field.focus();
  asked = { form, answered };
  return answered;
}

/** Return whether this tab has a token. */
export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

/** Wait for another token; the form is removed when no request waits for it any more. */
async function waitForToken(refused, signal) {
  waiting++;
  try {
    await orAbort(askForToken(refused), signal);
  } finally {
    waiting--;
    if (waiting === 0) asked?.form.remove();
    if (waiting === 0) asked = null;
  }
}

/** Send one request with the stored token; ask for another as long as it is refused. */
export async function send(path, options = {}) {
  const { signal } = options;
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = new Headers(options.headers);
    if (token) headers.set("Authorization", `Bearer ${encodeToken(token)}`);
    const response = await fetch(new URL(path, ROOT), { ...options, headers, cache: "no-store" });
    if (response.status !== 401) return response;
    await waitForToken(token, signal);
  }
}

/** Return a token in a form that a header can hold; the service refuses one that had to change. */
function encodeToken(token) {
  return /^[\x20-\x7e]+$/.test(token) ? token : encodeURIComponent(token);
}

/**
 * Send a request, repeat it while the service is busy or not reachable, and return its answer.
 *
 * @param {string} path - below the service's root
 * @param {object} options - `body` (sent as JSON, by POST), `signal`, `isRepeatable` (whether to
 *   repeat a request that may have arrived), and `onWait`, called with a sentence at each wait
 * @throws {Problem} if the answer is an error
 */
export async function request(path, { body, signal, isRepeatable = true, onWait } = {}) {
  const options = { signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  for (let attempt = 0; ; attempt++) {
    let response, problem;
    try {
      response = await send(path, options);
      if (response.ok) return response;
      problem = await readProblem(response);
    } catch (error) {
      if (signal?.aborted) throw error;
      problem = new Problem("the service cannot be reached. Is it running?");
    }
    const isAway = problem.status === 0 && isRepeatable;
    if (!(isAway || problem.status === 503) || attempt === WAITS.length) throw problem;
    const seconds = readWait(response, WAITS[attempt]);
    onWait?.(`${problem.message} Trying again in ${Math.ceil(seconds)} s.`);
    await sleep(seconds, signal);
  }
}

/** Return whether an answer describes a model of a task that this page knows. */
function isModel(answer) {
  if (!fits(answer, MODEL)) return false;
  return answer.task === "binary" ? fits(answer, LABELS) : ["multiclass", "regression"].includes(answer.task);
}

/** Call a function with each model that is not the one before, starting with the first. */
export function onModel(listener) {
  listeners.push(listener);
}

/** Request the description of the model. */
async function fetchModel(options) {
  const found = await readJson(await request("v1/model", options), isModel);
  const before = shown;
  shown = found;
  if (before?.version !== found.version) for (const listener of listeners) listener(found, before);
  return found;
}

/** Return the description of the model; it is requested only once, unless `again` is set. */
export async function readModel({ again = false, ...options } = {}) {
  if (again) {
    // Stored only when complete: this request may be cancelled, and others must not wait for it.
    const found = await fetchModel(options);
    model = Promise.resolve(found);
    return found;
  }
  model ??= fetchModel(options).catch((error) => {
    model = null;
    throw error;
  });
  return model;
}

/** Return whether a prediction has what its task needs. */
function isPrediction(prediction, { threshold }) {
  const { words, explanation, warnings, probabilities } = prediction;
  if (words != null && !fits(words, WORDS)) return false;
  if (explanation != null && !fits(explanation, REASONS)) return false;
  if (warnings != null && !fits(warnings, WARNINGS)) return false;
  if (fits(prediction, { prediction: 0 })) return true;
  if (!fits(prediction, { label: "", probability: 0 })) return false;
  return probabilities == null ? typeof threshold === "number" : fits(probabilities, {});
}

/** Return the predictions for a JSON body with `count` messages or rows. */
export async function predict(body, count, options) {
  const response = await request("v1/predict", { ...options, body });
  return readJson(
    response,
    (answer) =>
      fits(answer, PREDICTIONS) &&
      answer.predictions.length === count &&
      answer.predictions.every((one) => isPrediction(one, answer)),
  );
}

/** Return the predictions for a row as one of its columns varies. */
export async function readCurve(row, column, options) {
  const response = await request("v1/curve", { ...options, body: { row, column } });
  return readJson(response, (answer) => fits(answer, CURVE));
}
