"""What a model file says about itself: the columns it takes, what it predicts, how values look."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.params import Params
from models.inputs import find_needed, list_inputs, predict_any
from records.schema import Name, Schema
from records.tasks import TASKS
from records.validation_params import ValidationParams

# An attribute of the pipeline, which skops stores with the pipeline.
ATTRIBUTE = "description_"
# The kinds of columns whose values have a range.
RANGED = ("number", "date")
MAX_BINS = 40
# Values of one category that are listed, and their characters together.
MAX_VALUES = 1000
MAX_CHARACTERS = 100_000
# Effects are measured on so many rows, fewer if that would need more predictions, or long texts.
EFFECT_ROWS = 200
EFFECT_PREDICTIONS = 40_000
EFFECT_CHARACTERS = 2_000_000
ROWS_TOGETHER = 1000
# The last digits depend on the processor.
DIGITS = 6


class Unit(Params):
    """The unit of a column or of the target, as people should see it."""

    column: Name
    unit: str = Field(min_length=1, max_length=20)


class CardParams(Params):
    """The section ``model`` of params.yaml: what people should know about the model."""

    name: str = Field(pattern="^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=60)
    description: str = Field(min_length=1, max_length=1000)
    units: list[Unit]


class Column(BaseModel):
    """One feature.

    Attributes
    ----------
    is_needed : bool
        Whether the model cannot predict without a value.
    minimum, maximum : float, str or None
        The range of numbers and dates (ISO 8601) in the training rows; None for other kinds.
    usual : float, str or None
        The median of numbers and dates, the most frequent value of others; no text.
    values : list of str
        The order of an ordinal column; of a category the values of the training rows, the most
        frequent first, at most ``MAX_VALUES``.
    n_values : int
        How many different values of a category the training rows have.
    effect : float
        By how much predictions change on average if the value is replaced by the usual one.
    """

    name: str
    kind: Literal["text", "number", "category", "ordinal", "date"]
    unit: str | None = None
    is_needed: bool = False
    minimum: float | str | None = None
    maximum: float | str | None = None
    usual: float | str | None = None
    values: list[str] = []
    n_values: int = 0
    effect: float = 0


class Target(BaseModel):
    """The target in the training rows: rows of each label, or the histogram of a number."""

    counts: dict[str, int] = {}
    edges: list[float] = []
    heights: list[int] = []
    unit: str | None = None


class Description(BaseModel):
    """What a model takes and gives.

    Attributes
    ----------
    name, summary : str
        Name and description of the model, from section ``model`` of params.yaml.
    data : Schema
        What the columns of the training data were.
    values : ValidationParams
        How values are written, and what they must be.
    columns : list of Column
        The features, in the order of the schema.
    n_rows : int
        The number of training rows.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    summary: str
    data: Schema
    values: ValidationParams
    columns: list[Column]
    target: Target
    n_rows: int

    @property
    def is_messages(self) -> bool:
        """Whether the only feature is one column of text."""
        return self.data.is_messages

    @property
    def classes(self) -> list[str]:
        """The labels in the order of the stored tables, none of a number."""
        return list(self.target.counts)

    @property
    def source_names(self) -> dict[str, str]:
        """The name of each feature in the source, by its name in the pipeline."""
        old = {each.to: each.column for each in self.values.rename}
        return {column.name: old.get(column.name, column.name) for column in self.columns}


def describe_model(
    model: Pipeline,
    train: pd.DataFrame,
    schema: Schema,
    values: ValidationParams,
    card: CardParams,
) -> Description:
    """Return what a fitted model takes and gives.

    Parameters
    ----------
    model : Pipeline
        The model, from messages or rows to predictions.
    train : DataFrame of shape (n_rows, n_columns)
        The training rows: the target and, unless the model is one of messages, the features.
    schema, values, card
        Sections ``schema``, ``data_validation`` and ``model`` of params.yaml.

    Raises
    ------
    UserError
        If a unit is of no column that the model uses.
    """
    units = {each.column: each.unit for each in card.units}
    known = {schema.target, *schema.features}
    if unknown := next((column for column in units if column not in known), None):
        raise UserError(
            f"model.units names {unknown!r}, which is neither the target nor a feature",
            "use a name of section schema",
        )
    if schema.is_messages:
        columns = [Column(name=schema.text[0], kind="text", is_needed=True, usual="")]
    else:
        needed, kinds = find_needed(model), list_inputs(model)
        columns = [
            describe_column(train[name], kind, schema).model_copy(
                update={"unit": units.get(name), "is_needed": name in needed}
            )
            for name, kind in ((name, kinds[name]) for name in schema.features)
        ]
        effects = measure_effects(model, train, columns)
        columns = [
            column.model_copy(update={"effect": effect})
            for column, effect in zip(columns, effects, strict=True)
        ]
    return Description(
        name=card.name,
        summary=card.description,
        data=schema,
        values=values,
        columns=columns,
        target=describe_target(train[schema.target], schema, units.get(schema.target)),
        n_rows=len(train),
    )


def describe_column(values: pd.Series, kind: str, schema: Schema) -> Column:
    """Return the range, the usual value and the values of one feature."""
    name, present = str(values.name), values.dropna()
    if kind == "text":
        return Column(name=name, kind="text", usual="")
    if kind in RANGED:
        if present.empty:
            return Column.model_validate({"name": name, "kind": kind})
        found = (present.min(), present.max(), present.median())
        low, high, usual = (write_value(value) for value in found)
        if isinstance(usual, float):
            # The mean of the two numbers in the middle has digits that nobody wrote.
            usual = float(f"{usual:.9g}")
        return Column.model_validate(
            {"name": name, "kind": kind, "minimum": low, "maximum": high, "usual": usual}
        )
    counts = present.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    ordered = next((each.order for each in schema.ordinal if each.column == name), None)
    shown = counts.index.tolist()[:MAX_VALUES]
    while sum(map(len, shown)) > MAX_CHARACTERS:
        shown = shown[: len(shown) // 2]
    return Column.model_validate(
        {
            "name": name,
            "kind": kind,
            "usual": None if counts.empty else str(counts.index[0]),
            "values": ordered or shown,
            "n_values": len(counts),
        }
    )


def write_value(value: Any) -> float | str:
    """Return a number as it is, a date in ISO 8601."""
    return value.isoformat() if isinstance(value, pd.Timestamp) else float(value)


def describe_target(values: pd.Series, schema: Schema, unit: str | None) -> Target:
    """Return the rows of each label, or the histogram of a number."""
    if TASKS[schema.task].has_classes:
        counts = {str(label): int(n) for label, n in values.value_counts(sort=False).items()}
        return Target(counts=counts, unit=unit)
    n_bins = min(MAX_BINS, max(1, values.nunique()))
    heights, edges = np.histogram(values.to_numpy(float), bins=n_bins)
    return Target(edges=edges.tolist(), heights=heights.tolist(), unit=unit)


def read_limit(column: Column, value: float | str | None) -> Any:
    """Return a value of a description as tables hold it: a date as a timestamp."""
    return pd.Timestamp(value) if column.kind == "date" and value is not None else value


def replace_each(
    df: pd.DataFrame, columns: list[Column]
) -> Iterator[tuple[list[Column], pd.DataFrame]]:
    """Yield some columns, and for each of them all rows with its usual value, one after the other.

    A prediction for few rows is mostly overhead, so those of several columns come together.
    """
    n_rows = len(df)
    n_together = max(1, ROWS_TOGETHER // max(n_rows, 1))
    for start in range(0, len(columns), n_together):
        some = columns[start : start + n_together]
        rows = df.iloc[np.tile(np.arange(n_rows), len(some))].reset_index(drop=True)
        for place, column in enumerate(some):
            values = rows[column.name].copy()
            usual = read_limit(column, column.usual)
            values.iloc[place * n_rows : (place + 1) * n_rows] = usual
            rows[column.name] = values
        yield some, rows


def measure_effects(model: Pipeline, train: pd.DataFrame, columns: list[Column]) -> list[float]:
    """Return by how much predictions change, on average, if a value becomes the usual one.

    For labels it is half the sum of the changes of their probabilities.
    """
    names = [column.name for column in columns]
    length = sum(train[each.name].str.len().mean() for each in columns if each.kind == "text")
    n_rows = min(
        len(train),
        EFFECT_ROWS,
        EFFECT_PREDICTIONS // len(columns) + 1,
        int(EFFECT_CHARACTERS / max(length * len(columns), 1)) + 1,
    )
    chosen = np.linspace(0, len(train) - 1, n_rows).astype(int)
    df = train[names].iloc[chosen].reset_index(drop=True)
    model = copy.deepcopy(model)
    before = predict_any(model, df).reshape(n_rows, -1)
    effects = []
    for some, rows in replace_each(df, columns):
        for after in np.split(predict_any(model, rows), len(some)):
            changed = np.abs(after.reshape(n_rows, -1) - before).sum(axis=1)
            effect = changed.mean() / (2 if before.shape[1] > 1 else 1)
            effects.append(float(f"{effect:.{DIGITS}g}"))
    return effects


def add_description(model: Pipeline, description: Description) -> Pipeline:
    """Add a description to a fitted model, and return it."""
    setattr(model, ATTRIBUTE, description.model_dump_json())
    return model


def read_description(model: Pipeline, path: Path) -> Description:
    """Return the description in a stored model.

    Raises
    ------
    UserError
        If there is none that this version of the code understands.
    """
    try:
        return Description.model_validate_json(getattr(model, ATTRIBUTE, ""))
    except ValidationError as error:
        raise UserError(
            f"{path} does not say what it takes: it was built by another version of this code",
            "build it again with 'dvc repro', or use the code that it was built with",
        ) from error
