"""The bodies of requests to the served model, and of its answers, as pydantic models."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from starlette.exceptions import HTTPException

from models.description import Description
from service.rows import RowRules, build_row_rules, make_error
from service.schemas import (
    LabelAnswer,
    LabelsAnswer,
    ManyMessages,
    NumberAnswer,
    OfMessage,
    OfRow,
    OneMessage,
    Strict,
    Text,
    Versioned,
)

ANSWERS: dict[str, type[BaseModel]] = {
    "binary": LabelAnswer,
    "multiclass": LabelsAnswer,
    "regression": NumberAnswer,
}
# The key of a schema that stands for another one, which it names.
SCHEMA = "x-schema"
THRESHOLD = "Probability from which on the label is positive"
COVERAGE = "Share of numbers within their interval; absent if there is none"


class Asked(NamedTuple):
    """What a request asks for.

    Attributes
    ----------
    inputs : list
        Messages, or the values of rows in the order of the model's columns.
    place : tuple
        Where the first one is in the request: its key, and 0 if there is a list.
    explains : bool
        Whether to explain the prediction.
    """

    inputs: list
    place: tuple[str | int, ...]
    explains: bool = False

    def locate(self, number: int, column: str = "") -> tuple[str | int, ...]:
        """Return where a column of a row is in the request, or the row itself."""
        rest = [number] if len(self.place) > 1 else []
        return ("body", self.place[0], *rest, *filter(None, [column]))


def parse_json(content: bytes, is_table: bool) -> Any:
    """Return what a body holds; for a table no object may have a key twice.

    Raises
    ------
    RequestValidationError
        If it is empty or not JSON, or a key is repeated.
    HTTPException
        If it is not Unicode, nested too deeply, or has a number with too many digits.
    """
    if not content:
        raise RequestValidationError(
            [{"type": "missing", "loc": ("body",), "msg": "Field required"}]
        )
    try:
        return json.loads(content, object_pairs_hook=make_object if is_table else None)
    except json.JSONDecodeError as error:
        record = {"type": "json_invalid", "loc": ("body", error.pos), "ctx": {"error": error.msg}}
        raise RequestValidationError([record]) from error
    except RepeatedKeyError as error:
        raise RequestValidationError([make_error(("body",), str(error))]) from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body cannot be read") from error


class RepeatedKeyError(Exception):
    """An object has a key twice."""


def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object with these keys and values, or raise ``RepeatedKeyError``."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RepeatedKeyError("an object has the same key twice: keep one")
    return found


def validate(model: type[BaseModel], body: Any) -> Any:
    """Return a body as a pydantic model, or raise ``RequestValidationError``."""
    if not isinstance(body, dict):
        raise RequestValidationError([make_error(("body",), "must be a JSON object")])
    try:
        return model.__pydantic_validator__.validate_python(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in found]
        ) from error


@dataclass(frozen=True)
class Bodies:
    """What the requests to a model must be.

    Attributes
    ----------
    rules : RowRules
        What rows must be.
    forms : dict of str to type
        The forms of a request for predictions, by the names of their classes.
    curve, correction : type
        A request for a curve, and a correct answer.
    predictions, stored : type
        The answers to a request for predictions and to a correct answer, for the API's description.
    """

    rules: RowRules
    forms: dict[str, type[BaseModel]]
    curve: type[BaseModel]
    correction: type[BaseModel]
    predictions: type[BaseModel]
    stored: type[BaseModel]
    is_messages: bool

    def parse(self, body: Any) -> Asked:
        """Return what a request for predictions asks for.

        Raises
        ------
        RequestValidationError
            If it is not valid.
        """
        form = validate(self.forms[self.choose_form(body)], body)
        if isinstance(form, OneMessage):
            return Asked([form.text], ("text",), form.explain)
        if isinstance(form, ManyMessages):
            return Asked(form.texts, ("texts", 0))
        is_one = hasattr(form, "row")
        rows, place = ([form.row], ("row",)) if is_one else (form.rows, ("rows", 0))
        values = self.check_rows(rows, place, form.unknown_columns == "ignore")
        return Asked(values, place, is_one and form.explain)

    def check_rows(
        self, rows: list[Any], place: tuple[str | int, ...] = ("row",), ignores: bool = False
    ) -> list:
        """Return the inputs that rows are, or raise ``RequestValidationError``."""
        values, errors = self.rules.check(rows, place, ignores)
        if errors:
            raise RequestValidationError(errors)
        return [text for [text] in values] if self.is_messages else values

    def choose_form(self, body: Any) -> str:
        """Return the name of the form that a request for predictions has."""
        if not isinstance(body, dict):
            return "OneMessage" if self.is_messages else "OneRow"
        if self.is_messages:
            if "texts" in body:
                return "ManyMessages"
            if "text" in body or not ("row" in body or "rows" in body):
                return "OneMessage"
        wider = "Wider" if body.get("unknown_columns") == "ignore" else ""
        return f"Many{wider}Rows" if "rows" in body else f"One{wider}Row"


def refer(name: str) -> Any:
    """Return the type of a row in a body, which ``RowRules`` checks.

    Its schema only names the schema of rows, which takes long to make for thousands of columns.
    """
    return Annotated[Any, WithJsonSchema({SCHEMA: name})]


def build_bodies(description: Description) -> Bodies:
    """Return what requests to a model must be, as its description says."""
    rules = build_row_rules(description)
    row = refer("Row")
    forms = build_row_forms(rules)
    inputs: dict[str, Any] = {"row": (row, ...)}
    if description.is_messages:
        forms = {"OneMessage": OneMessage, "ManyMessages": ManyMessages, **forms}
        inputs = {"text": (Text, ...)}
    varied: list[Any] = [name for name, column in rules.columns.items() if column.kind != "text"]
    curve = create_model(
        "CurveRequest",
        __base__=Strict,
        __doc__="A row, and the column to vary in it.",
        row=(row, ...),
        column=(str, Field(json_schema_extra={"enum": varied})),
    )
    correction = create_model(
        "Correction",
        __base__=Strict,
        __doc__="What was predicted for, and the correct answer.",
        **inputs,
        **name_answer(description),
    )
    is_messages = description.is_messages
    return Bodies(rules, forms, curve, correction, *build_answers(description), is_messages)


def build_row_forms(rules: RowRules) -> dict[str, type[BaseModel]]:
    """Return the forms of a request with rows, by the names of their classes."""
    forms: dict[str, type[BaseModel]] = {}
    for prefix, usual in (("", "refuse"), ("Wider", ...)):
        row = refer(f"{prefix}Row")
        option = {"const": "ignore" if prefix else "refuse"}
        described = Field(usual, description="What happens to columns that the model does not have")
        others: Any = (Annotated[Literal["refuse", "ignore"], WithJsonSchema(option)], described)
        explain = Field(False, description="Whether to return what the prediction comes from")
        forms[f"One{prefix}Row"] = create_model(
            f"One{prefix}Row",
            __base__=Strict,
            __doc__="One row.",
            row=(row, ...),
            explain=(bool, explain),
            unknown_columns=others,
        )
        forms[f"Many{prefix}Rows"] = create_model(
            f"Many{prefix}Rows",
            __base__=Strict,
            __doc__="Many rows.",
            rows=(list[row], Field(min_length=1, max_length=rules.max_rows)),  # type: ignore[valid-type]
            unknown_columns=others,
        )
    return forms


def name_answer(description: Description) -> dict[str, Any]:
    """Return the field of a correction that holds the correct answer."""
    labels = description.classes
    if not labels:
        number = Field(allow_inf_nan=False, description="The correct number")
        return {"number": (float, number)}
    extra: Any = {"enum": labels, "examples": labels[-1:]}
    described = "The correct label"
    return {
        "label": (str, Field(min_length=1, description=described, json_schema_extra=extra)),
    }


def build_answers(description: Description) -> tuple[type[BaseModel], type[BaseModel]]:
    """Return the answers to a request for predictions and to a correction."""
    task = description.data.task
    answer = ANSWERS[task]
    others: dict[str, dict[str, Any]] = {
        "binary": {"threshold": (float, Field(description=THRESHOLD))},
        "multiclass": {},
        "regression": {"coverage": (float | None, Field(None, description=COVERAGE))},
    }
    other = OfMessage if description.is_messages else OfRow
    prediction = create_model("Prediction", __base__=(other, answer), __doc__=answer.__doc__)
    predictions = create_model(
        "Predictions",
        __base__=Versioned,
        __doc__="One prediction for each message or row, in their order.",
        **others[task],
        predictions=(list[prediction], ...),  # type: ignore[valid-type]
    )
    predicted = create_model(
        "Predicted", __base__=(answer, Versioned), __doc__="What the model predicts."
    )
    right: dict[str, Any] = (
        {"label": (str, ...)} if description.classes else {"number": (float, ...)}
    )
    stored = create_model(
        "Stored",
        __doc__="A correction that was stored.",
        id=(int, ...),
        **right,
        predicted=(predicted, ...),
    )
    return predictions, stored
