// The page at `/docs`: the API as openapi.json describes it, with a form to try each operation.

import { clearError, find, ignoreHeldEnter, make, makeProblem, showError } from "./elements.js";
import { showName, showPage } from "./heading.js";
import { capitalise, toSentence } from "./numbers.js";
import { groupOperations, listFields, listKinds, makeExample, resolve } from "./openapi.js";
import { fits, hasToken, readJson, readModel, request, ROOT, send } from "./service.js";

const JSON_TYPE = "application/json";

/** Return the start of the ids of an operation's elements. */
function nameId({ method, path }) {
  return `${method}${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/-$/, "");
}

/** Return the schema of a body or an answer; undefined if it is not JSON. */
function findSchema(body) {
  return Object.entries(body?.content ?? {}).find(([type]) => type.endsWith("json"))?.[1].schema;
}

/** Return a table of fields; fields of a request are marked if they are optional. */
function makeFields(caption, fields, isSent = false) {
  const head = ["Field", "Type", "Meaning"].map((name) => make("th", { scope: "col" }, name));
  const rows = fields.map(({ path, type, isRequired, notes }) => {
    const meaning = (isRequired || !isSent ? notes : ["optional", ...notes]).map(toSentence).join(" ");
    const head = make("th", { scope: "row" }, make("code", {}, path));
    return make("tr", {}, head, make("td", {}, type), make("td", {}, meaning));
  });
  return make(
    "table",
    { className: "fields" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows),
  );
}

/** Return a schema's name as words, as in "Many messages" for ManyMessages. */
function nameKind({ title = "Body" }) {
  return capitalise(title.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase());
}

/** Return the description of a request: its parameters, and each kind of body. */
function makeRequest({ parameters = [], requestBody }, api) {
  const tables = [];
  if (parameters.length) {
    const fields = parameters.map(({ name, schema, required, description }) => ({
      path: name,
      type: schema.type,
      isRequired: required,
      notes: description ? [description] : [],
    }));
    tables.push(makeFields("In the address", fields, true));
  }
  const schema = findSchema(requestBody);
  const kinds = schema ? listKinds(schema, api) : [];
  for (const kind of kinds) {
    const caption = kinds.length > 1 ? `JSON body: ${nameKind(kind)}` : "JSON body";
    tables.push(makeFields(caption, listFields(kind, api), true));
  }
  return tables.length ? [make("h4", {}, "Request"), ...tables] : [];
}

/** Return the description of an operation's answers: fields if it succeeds, and possible errors. */
function makeAnswers({ responses }, api) {
  const found = Object.entries(responses);
  const parts = [make("h4", {}, "Answer")];
  for (const [status, response] of found.filter(([code]) => code < 400)) {
    const schema = findSchema(response);
    const fields = schema ? listFields(schema, api) : [];
    const types = Object.keys(response.content ?? {}).filter((type) => !fields.length || type !== JSON_TYPE);
    const what = fields.length ? "JSON" : types.join(" or ");
    if (fields.length) parts.push(makeFields(`Status ${status}: ${what}`, fields));
    else parts.push(make("p", {}, `Status ${status}: ${what}`));
  }
  const errors = found.filter(([code]) => code >= 400);
  if (errors.length) {
    const items = errors.map(([code, { description }]) =>
      make("li", {}, make("code", {}, code), ` ${description}`),
    );
    const link = make("a", { href: "#errors" }, "problem details");
    parts.push(make("p", {}, "Errors, as ", link, ":"), make("ul", { className: "codes" }, ...items));
  }
  return parts;
}

/** Return the shell command that sends the same request. */
function makeCommand(url, { method, body }) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", ...(method === "GET" ? [] : ["--request", method]), quote(url)];
  if (body !== undefined) {
    parts.push("--header", quote(`Content-Type: ${JSON_TYPE}`), "--data", quote(body));
  }
  return parts.join(" ");
}

/** Return JSON on several lines, or the text itself if it is not JSON. */
function layOut(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Return the body of an answer: an image, or text, with JSON on several lines. */
async function showBody(response) {
  const type = response.headers.get("Content-Type") ?? "";
  if (type.startsWith("image/")) {
    return make("img", { src: URL.createObjectURL(await response.blob()), alt: "The image in the answer" });
  }
  const text = await response.text();
  return makeCode(/json/.test(type) ? layOut(text) : text, "Body");
}

/** Return a block of code that can be scrolled. */
function makeCode(text, name) {
  return make("pre", { tabIndex: 0, role: "group", "aria-label": name }, make("code", {}, text));
}

/** Return a field to fill in, with its label and the place for its error. */
function makeField(id, name, field) {
  const error = make("p", { id: `${id}-error`, className: "error", role: "alert" });
  field.id = id;
  field.setAttribute("aria-describedby", error.id);
  field.addEventListener("input", () => clearError(field));
  return make("div", { className: "entry" }, make("label", { htmlFor: id }, name), field, error);
}

/** Return buttons that fill in an example of each kind of body. */
function makeExamples(kinds, area, api) {
  const fill = (kind) => (area.value = JSON.stringify(makeExample(kind, api), null, 2));
  fill(kinds[0]);
  if (kinds.length === 1) return [];
  const buttons = kinds.map((kind) => {
    const button = make("button", { type: "button", className: "quiet" }, nameKind(kind));
    button.addEventListener("click", () => {
      fill(kind);
      clearError(area);
    });
    return button;
  });
  const row = { className: "examples", role: "group", "aria-label": "Examples" };
  return [make("div", row, "Examples:", ...buttons)];
}

/** Return whether the text of a field is JSON; if not, show the error beside it. */
function isJson(area) {
  try {
    JSON.parse(area.value);
    return true;
  } catch (error) {
    showError(area, `This is not JSON: ${error.message}`);
    area.focus();
    return false;
  }
}

/** Return the form that sends a request. */
function makeTrial(operation, api) {
  const { method, path, parameters = [], requestBody } = operation;
  const id = nameId(operation);
  const inputs = parameters.map(({ name }) => [name, make("input", { type: "text", autocomplete: "off" })]);
  const schema = findSchema(requestBody);
  const area = schema && make("textarea", { rows: 4, spellcheck: false, className: "code" });
  const status = make("div", { role: "status" });
  const outcome = make("div", { className: "answer" });
  const button = make("button", { className: "main", type: "submit" }, "Send");
  const form = make(
    "form",
    { noValidate: true, "aria-label": `Try ${method} ${path}` },
    ...inputs.map(([name, input]) => makeField(`${id}-${name}`, name, input)),
    ...(area ? [makeField(`${id}-body`, "JSON body", area)] : []),
    ...(area ? makeExamples(listKinds(schema, api), area, api) : []),
    make("div", { className: "actions" }, button),
    status,
    outcome,
  );
  let latest = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const turn = ++latest;
    status.replaceChildren();
    outcome.replaceChildren();
    button.classList.remove("busy");
    // A browser reads "." and ".." as steps between folders.
    const invalid = inputs.find(([, input]) => /^\.{0,2}$/.test(input.value.trim()));
    if (invalid) {
      const [name, input] = invalid;
      const why = input.value.trim() ? `This is not a valid ${name}: enter another.` : "Fill this in.";
      showError(input, why);
      input.focus();
      return;
    }
    if (area && !isJson(area)) return;
    const address = inputs.reduce(
      (so, [name, input]) => so.replace(`{${name}}`, encodeURIComponent(input.value.trim())),
      path.slice(1),
    );
    const options = { method, ...(area && { body: area.value, headers: { "Content-Type": JSON_TYPE } }) };
    button.classList.add("busy");
    try {
      const response = await send(address, options);
      const body = await showBody(response);
      if (turn !== latest) return;
      const line = `Status ${response.status} ${response.statusText}`.trim();
      status.replaceChildren(make("h4", {}, line));
      outcome.replaceChildren(
        body,
        make("h4", {}, "The same in a shell"),
        makeCode(makeCommand(new URL(address, ROOT).href, options), "Command"),
      );
    } catch {
      if (turn !== latest) return;
      outcome.replaceChildren(makeProblem("The service cannot be reached. Is it running?"));
    }
    button.classList.remove("busy");
  });
  return [make("h4", {}, "Try it"), form];
}

/** Return a paragraph, in which backquotes enclose code. */
function makeText(text) {
  const parts = text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));
  return make("p", {}, ...parts);
}

/** Return an operation, closed; its content is made when it is first opened. */
function makeOperation(operation, api) {
  const { method, path, summary, description } = operation;
  const block = make(
    "details",
    { id: nameId(operation), className: "operation card" },
    make(
      "summary",
      {},
      make("h3", {}, summary),
      make("span", { className: "address" }, make("span", { className: "method" }, method), " ", make("code", {}, path)),
    ),
  );
  const fill = () => {
    if (!block.open || block.children.length > 1) return;
    block.append(
      make(
        "div",
        { className: "inside" },
        ...(description ? [makeText(description)] : []),
        ...(operation.security ? [make("p", { className: "hint" }, "Needs the access token.")] : []),
        ...makeRequest(operation, api),
        ...makeTrial(operation, api),
        ...makeAnswers(operation, api),
      ),
    );
  };
  block.addEventListener("toggle", fill);
  return block;
}

/** Return the section on errors. */
function makeErrors(api) {
  const Problem = api.components?.schemas?.Problem;
  if (!Problem) return [];
  return [
    make(
      "section",
      { id: "errors", className: "group", "aria-labelledby": "errors-name" },
      make("h2", { id: "errors-name" }, "Errors"),
      make(
        "div",
        { className: "card" },
        make("p", {}, "Every error is JSON of the type application/problem+json (RFC 9457), which says what is wrong and where."),
        makeFields("Problem details", listFields(resolve(Problem, api), api)),
      ),
    ),
  ];
}

/** Return whether a description of the API has everything that this page needs. */
function isDescription(api) {
  if (!fits(api, { info: { title: "", version: "" }, paths: {} })) return false;
  const operations = Object.values(api.paths).flatMap((methods) => Object.values(methods ?? {}));
  return fits(operations, [{ summary: "", responses: {} }]);
}

/** Show the description. */
function show(api) {
  const groups = groupOperations(api).map(({ name, description, operations }) => {
    const id = `group-${name.toLowerCase()}`;
    return make(
      "section",
      { className: "group", "aria-labelledby": id },
      make("h2", { id }, name),
      ...(description ? [make("p", { className: "hint" }, description)] : []),
      ...operations.map((operation) => makeOperation(operation, api)),
    );
  });
  find("content").replaceChildren(...groups, ...makeErrors(api));
  find("content").hidden = false;
  find("about-api").textContent = `${api.info.title}, version ${api.info.version} of the API.`;
  // A link may name an operation.
  const named = location.hash && find(location.hash.slice(1));
  if (named) {
    named.open = true;
    named.scrollIntoView();
  }
}

ignoreHeldEnter();
const status = find("status");
try {
  const response = await request("openapi.json", { onWait: (sentence) => (status.textContent = sentence) });
  const api = await readJson(response, isDescription);
  show(api);
  // Nobody has to give a token only to see the name of the model.
  if (!api.components?.securitySchemes || hasToken()) showName(await readModel(), "API docs");
} catch (error) {
  find("notices").append(makeProblem(error.message));
}
status.hidden = true;
showPage();
