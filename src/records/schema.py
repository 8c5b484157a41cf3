"""What the columns of a data set are: section ``schema`` of params.yaml, and shared types."""

import codecs
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from core.errors import UserError
from core.params import Params, read_params

# Columns that the pipeline adds to its tables.
RESERVED = ("row", "added", "group", "first_target")
TOKENS_SUFFIX = "_tokens"
# The lists of the schema that hold features, in the order of the columns of stored tables.
FEATURE_KINDS = ("text", "number", "category", "ordinal", "date")


def refuse_unquoted(name: object) -> object:
    """Raise ``ValueError`` for values that YAML reads as a number, a boolean or null."""
    if name is None or isinstance(name, int | float):
        raise ValueError(f"YAML does not read this as text: quote it, as in '{json.dumps(name)}'")
    return name


# A label or a column, as the data spells it.
Name = Annotated[str, BeforeValidator(refuse_unquoted)]


def find_repeated(columns: Sequence[str]) -> str:
    """Return the first column name that occurs more than once, or ''; blank names may repeat."""
    return next((name for name, n in Counter(columns).items() if n > 1 and name.strip()), "")


def check_encoding(name: str) -> str:
    """Return the canonical name of a text encoding, or raise ``ValueError``."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except LookupError as error:
        raise ValueError("Python knows no such encoding") from error


Encoding = Annotated[str, AfterValidator(check_encoding)]
Share = Annotated[float, Field(ge=0, le=1)]


class Labels(Params):
    """The two labels of a binary task, as the data spells them."""

    negative: Name
    positive: Name


class Ordinal(Params):
    """A column of ordered categories, and its values from lowest to highest."""

    column: Name
    order: list[Name] = Field(min_length=2)


class Schema(Params):
    """The section ``schema`` of params.yaml: the task, and what each column is.

    Every column of the data is in exactly one list or is the target. Lists instead of maps, because
    DVC's ``-S`` cannot address keys with blanks or dots.
    """

    task: Literal["binary", "multiclass", "regression"]
    target: Name
    labels: list[Name]
    positive: Name | None
    text: list[Name]
    number: list[Name]
    category: list[Name]
    ordinal: list[Ordinal]
    date: list[Name]
    id: list[Name]
    drop: list[Name]

    @property
    def kinds(self) -> dict[str, str]:
        """The list of each column but the target, in the order of the lists."""
        kinds = {
            column: kind
            for kind in ("text", "number", "category")
            for column in getattr(self, kind)
        }
        kinds |= {each.column: "ordinal" for each in self.ordinal}
        return kinds | {
            column: kind for kind in ("date", "id", "drop") for column in getattr(self, kind)
        }

    @property
    def features(self) -> list[str]:
        """The columns that the model predicts from."""
        return [column for column, kind in self.kinds.items() if kind in FEATURE_KINDS]

    @property
    def is_messages(self) -> bool:
        """Whether the only feature is one column of text."""
        return self.features == self.text and len(self.text) == 1

    @property
    def label_pair(self) -> Labels:
        """The labels of a binary task."""
        [negative] = [label for label in self.labels if label != self.positive]
        return Labels(negative=negative, positive=str(self.positive))

    @property
    def classes(self) -> list[str]:
        """The labels in the order of a stored target's categories; of two, positive is last."""
        if self.task == "binary":
            return list(self.label_pair.model_dump().values())
        return list(self.labels)

    @model_validator(mode="before")
    @classmethod
    def positive_is_of_two_labels(cls, values: Any) -> Any:
        """Leave ``positive`` out for other tasks, so that ``-S schema.task=...`` is enough."""
        if isinstance(values, dict) and values.get("task") != "binary" and "positive" in values:
            return {**values, "positive": None}
        return values

    @model_validator(mode="after")
    def columns_agree(self) -> "Schema":
        """Raise ``ValueError`` if a column is in two places, or its name is reserved."""
        named = [self.target, *self.text, *self.number, *self.category]
        named += [*(each.column for each in self.ordinal), *self.date, *self.id, *self.drop]
        if repeated := find_repeated(named):
            raise ValueError(f"column {repeated!r} is named twice: keep it in one list")
        if not self.features:
            raise ValueError("no column is a feature: add one to text, number, category or date")
        taken = {*RESERVED, *(f"{column}{TOKENS_SUFFIX}" for column in self.text)}
        if clash := next((name for name in named if name in taken and name not in self.drop), None):
            raise ValueError(
                f"column {clash!r} has a name that the pipeline uses: give it another one with "
                "data_validation.rename"
            )
        return self

    @model_validator(mode="after")
    def labels_agree(self) -> "Schema":
        """Raise ``ValueError`` if task, labels and positive contradict each other."""
        if repeated := find_repeated(self.labels):
            raise ValueError(f"labels names {repeated!r} twice")
        for each in self.ordinal:
            if repeated := find_repeated(each.order):
                raise ValueError(f"the order of {each.column!r} names {repeated!r} twice")
        if self.task == "binary" and (len(self.labels) != 2 or self.positive not in self.labels):
            raise ValueError("task binary needs two labels, and positive must be one of them")
        if self.task == "regression" and self.labels:
            raise ValueError("task regression has no labels: set labels: []")
        return self


def read_message_schema(path: Path) -> Schema:
    """Read the schema of data whose only feature is one text, with two labels.

    Raises
    ------
    UserError
        If the schema in params.yaml is not valid, or describes other data.
    """
    schema = read_params(path, "schema", Schema)
    if not schema.is_messages or schema.task != "binary":
        raise UserError(
            f"{path}: the schema has task {schema.task} and the features "
            f"{', '.join(schema.features)}",
            "messages are scored with task binary and one text column as the only feature",
        )
    return schema
