"""The description of the API for OpenAPI, with the bodies of the model that is served."""

import copy
from typing import Any

from pydantic import TypeAdapter

from service.api import CURVE, FEEDBACK, PREDICT
from service.bodies import SCHEMA, Bodies
from service.problems import MEDIA_TYPE
from service.schemas import CurvePoints

TEMPLATE = "#/components/schemas/{model}"
JSON_TYPE = "application/json"
WIDER = "A row that may have other columns, too, which are ignored."


def describe_api(base: dict[str, Any], bodies: Bodies) -> dict[str, Any]:
    """Return OpenAPI's description of the service.

    Parameters
    ----------
    base : dict
        FastAPI's description, without the bodies that depend on the model. What it has wrong is
        removed: errors as plain JSON, and errors that are never sent.
    bodies : Bodies
        The bodies of the model.
    """
    found = copy.deepcopy(base)
    for operation in [one for item in found["paths"].values() for one in item.values()]:
        for status, response in list(operation["responses"].items()):
            if MEDIA_TYPE in response.get("content", {}):
                response["content"] = {MEDIA_TYPE: response["content"][MEDIA_TYPE]}
            elif status == "422":
                del operation["responses"][status]
    requests: dict[str, list[Any]] = {
        PREDICT: list(bodies.forms.values()),
        CURVE: [bodies.curve],
        FEEDBACK: [bodies.correction],
    }
    answers: dict[str, tuple[str, Any]] = {
        PREDICT: ("200", bodies.predictions),
        CURVE: ("200", CurvePoints),
        FEEDBACK: ("201", bodies.stored),
    }
    models: list[tuple[Any, Any]] = [
        (form, "validation") for forms in requests.values() for form in forms
    ]
    models += [(answer, "serialization") for _, answer in answers.values()]
    adapters = [(model, mode, TypeAdapter(model)) for model, mode in models]
    refs, definitions = TypeAdapter.json_schemas(adapters, ref_template=TEMPLATE)
    for path, forms in requests.items():
        kinds = [refs[form, "validation"] for form in forms]
        status, answer = answers[path]
        operation = found["paths"][path]["post"]
        schema = kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
        operation["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": schema}}}
        schema = refs[answer, "serialization"]
        operation["responses"][status]["content"] = {JSON_TYPE: {"schema": schema}}
    row = bodies.rules.model.model_json_schema(ref_template=TEMPLATE)
    wider = {"title": "WiderRow", "description": WIDER, "additionalProperties": True}
    schemas = {
        **found["components"]["schemas"],
        **definitions.get("$defs", {}),
        "Row": row,
        "WiderRow": row | wider,
    }
    insert_references(schemas)
    if all(column.kind == "text" for column in bodies.rules.columns.values()):
        del found["paths"][CURVE]  # every request for one would be refused
    used = find_schemas(found["paths"], schemas)
    found["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}
    return found


def insert_references(node: Any) -> None:
    """Replace schemas that stand for others by references to those."""
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict) and SCHEMA in child:
            child["$ref"] = TEMPLATE.format(model=child.pop(SCHEMA))
        elif isinstance(child, dict | list):
            insert_references(child)


def find_schemas(node: object, schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that a piece of OpenAPI's description refers to."""
    names: set[str] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            name = str(node.get("$ref", "")).removeprefix(TEMPLATE.format(model=""))
            if name in schemas and name not in names:
                names.add(name)
                waiting.append(schemas[name])
    return names
