// Turns a description of an API (OpenAPI 3.1) into words and examples.

const LIMITS = [
  ["minLength", "maxLength", "characters"],
  ["minItems", "maxItems", "items"],
  ["minimum", "maximum", ""],
];

/** Return a schema, looked up if it is a reference. */
export function resolve(schema, api) {
  const name = schema?.$ref?.split("/").at(-1);
  return (name ? api.components?.schemas?.[name] : schema) ?? {};
}

/** Return the alternatives that a schema offers, without null. */
function listAlternatives(schema, api) {
  const all = (schema.oneOf ?? schema.anyOf ?? [schema]).map((one) => resolve(one, api));
  return { all: all.filter(({ type }) => type !== "null"), hasNull: all.some(({ type }) => type === "null") };
}

/** Return the schemas of the bodies that may be sent or received. */
export function listKinds(schema, api) {
  return listAlternatives(resolve(schema, api), api).all;
}

/** Return a schema's type in words. */
function nameType(schema, api) {
  const { all, hasNull } = listAlternatives(resolve(schema, api), api);
  const names = all.map((one) => {
    if (one.const !== undefined) return JSON.stringify(one.const);
    if (one.type === "array") return `list of ${nameType(one.items, api)}s`;
    if (one.type === "object" && !one.properties) return "object";
    return one.format ?? one.type ?? "any";
  });
  return [...names, ...(hasNull ? ["null"] : [])].join(" or ");
}

/** Return the limits of a value in words, as in "1 to 100 characters". */
function nameLimits(schema) {
  return LIMITS.flatMap(([least, most, unit]) => {
    const [low, high] = [schema[least], schema[most]].map((limit) => limit?.toLocaleString("en"));
    if (low === undefined && high === undefined) return [];
    const range = high === undefined ? `at least ${low}` : low === undefined ? `up to ${high}` : `${low} to ${high}`;
    return `${range} ${unit}`.trim();
  });
}

/**
 * Return the fields of an object and of the objects within it.
 *
 * @returns {object[]} `path` (as in "predictions[].label"), `type`, `isRequired`, `notes` in words
 */
export function listFields(schema, api, before = "") {
  const { properties = {}, required = [] } = resolve(schema, api);
  return Object.entries(properties).flatMap(([name, property]) => {
    const path = before + name;
    const { all } = listAlternatives(resolve(property, api), api);
    const inner = all.flatMap((one) => {
      if (one.type === "array") return listFields(one.items, api, `${path}[].`);
      return listFields(one, api, `${path}.`);
    });
    const shown = all.length === 1 ? { ...all[0], ...property } : property;
    const notes = [
      shown.description ?? resolve(shown.items ?? {}, api).description,
      ...nameLimits(shown),
      ...nameLimits(shown.items ?? {}).map((limit) => `each ${limit}`),
      property.default != null && `default ${JSON.stringify(property.default)}`,
    ].filter(Boolean);
    return [
      { path, type: nameType(property, api), isRequired: required.includes(name), notes },
      ...inner,
    ];
  });
}

/** Return an example that fits a schema. */
export function makeExample(schema, api) {
  const [one = {}] = listKinds(schema, api);
  const given = [one.examples?.[0], one.example, one.default, one.const].find((e) => e !== undefined);
  if (given !== undefined) return given;
  if (one.type === "array") return [makeExample(one.items, api)];
  if (one.type === "object") {
    return Object.fromEntries(
      Object.entries(one.properties ?? {}).map(([name, inner]) => [name, makeExample(inner, api)]),
    );
  }
  return { string: "text", boolean: false }[one.type] ?? 0;
}

/** Return the operations of an API grouped by tag, in the order of the tags. */
export function groupOperations(api) {
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = operation.tags?.[0] ?? "Others";
      if (!groups.has(name)) groups.set(name, { name, operations: [] });
      groups.get(name).operations.push({ path, method: method.toUpperCase(), ...operation });
    }
  }
  return [...groups.values()].filter(({ operations }) => operations.length);
}
