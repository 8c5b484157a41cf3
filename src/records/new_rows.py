"""Check rows to predict by the rules for the training data, without their target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from core.errors import UserError
from records.checks import Rejections, check_constraints, check_names, check_values
from records.chunks import (
    Chunk,
    Rejection,
    TableColumns,
    find_excess,
    list_columns,
    refuse_missing,
)
from records.raw_tables import make_column, stack
from records.schema import Schema
from records.validation_params import Constraint, ValidationParams


def name_columns(schema: Schema, params: ValidationParams) -> TableColumns:
    """Return the features as a file to predict names them: as the training data, or renamed.

    The separator of CSV is that of the training data, if that is CSV, too.
    """
    old = {each.to: each.column for each in params.rename}
    names = [[old[name], name] if name in old else [name] for name in schema.features]
    is_csv = params.format == "delimited" and params.separator != "\t"
    return TableColumns(names, params.separator if is_csv else ",")


def pick_columns(
    rows: Sequence[Mapping[str, Any]], columns: TableColumns, name: Callable[[int], str]
) -> pd.DataFrame:
    """Return the values of rows as columns; a row may have others, too.

    Parameters
    ----------
    rows : sequence of mapping
        The values of each row by the name of their column.
    columns : TableColumns
        The columns to read.
    name : callable
        Returns the name of a row for messages, from its place.

    Raises
    ------
    UserError
        If a row lacks a column.
    """
    values: list[list] = [[] for _ in columns.names]
    for place, row in enumerate(rows):
        found = [next((each for each in names if each in row), None) for names in columns.names]
        if None in found:
            refuse_missing(columns, found, name(place), list_columns(list(row)))
        for of_column, each in zip(values, found, strict=True):
            of_column.append(row[str(each)])
    return stack(list(map(make_column, values)), [names[-1] for names in columns.names])


class NewRows:
    """Checks rows whose features are columns in the order of the schema.

    Parameters
    ----------
    schema : Schema
        What the columns are.
    params : ValidationParams
        How values are written, and what they must be. Lengths of texts and unique values are rules
        for training data alone.
    needed : sequence of str
        Columns whose values must not be missing.
    """

    def __init__(self, schema: Schema, params: ValidationParams, needed: Sequence[str]) -> None:
        check_names(schema, params)
        self.schema, self.params = schema, params
        features = schema.features
        self.constraints = [Constraint(column=column, required=True) for column in needed]
        for constraint in params.constraints:
            kept = constraint.model_copy(update={"unique": False})
            if kept.column in features:
                self.constraints.append(kept)

    def check(self, raw: pd.DataFrame) -> tuple[pd.DataFrame, Rejections]:
        """Return the typed features, and why rows are rejected."""
        rejections = Rejections(len(raw))

        def check_text(column: str, texts: pd.Series) -> None:
            excess = [find_excess(text) for text in texts]
            is_long = np.array([bool(each) for each in excess], bool)
            rejections.add(
                "text too long", is_long, lambda place: f"{column}: {excess[place]}", column
            )

        columns = check_values(
            raw, self.schema.features, rejections, self.schema, self.params, check_text
        )
        check_constraints(raw, columns, self.constraints, rejections)
        return pd.DataFrame(columns), rejections

    def check_chunk(self, chunk: Chunk) -> Chunk:
        """Return a chunk with typed features as its texts, and without the rows to reject."""
        df, rejections = self.check(self.read_columns(chunk.texts))
        is_good = rejections.reasons == ""
        if is_good.all():
            return replace(chunk, texts=df)
        rejected = [
            Rejection(chunk.lines[place], rejections.reasons[place], rejections.details[place])
            for place in np.flatnonzero(~is_good).tolist()
        ]
        return replace(
            keep_rows(replace(chunk, texts=df), is_good),
            rejected=sorted([*chunk.rejected, *rejected]),
        )

    def read_columns(self, values: Any) -> pd.DataFrame:
        """Return the values of a chunk as columns, before they have types.

        Raises
        ------
        UserError
            If a column of Parquet cannot be read.
        """
        features = self.schema.features
        if isinstance(values, list):
            by_column = list(zip(*values, strict=True)) if values else [()] * len(features)
            return stack([make_column(column) for column in by_column], features)
        from records.typed_files import convert_arrow

        columns = []
        for name, column in zip(features, values.columns, strict=True):
            try:
                columns.append(convert_arrow(column))
            except UnicodeDecodeError as error:
                raise UserError(
                    f"column {name!r} is not valid UTF-8 ({error})", "make the file again"
                ) from error
        return stack(columns, features)


def keep_rows(chunk: Chunk, is_good: np.ndarray) -> Chunk:
    """Return a chunk of messages or checked rows with some of them."""
    if isinstance(chunk.rows, list):
        rows = list(compress(chunk.rows, is_good))
    else:
        from records.parquet import take_rows

        rows = take_rows(chunk.rows, is_good.tolist())
    lines = np.asarray(chunk.lines)[is_good].tolist()
    texts = chunk.texts
    if isinstance(texts, list):
        texts = list(compress(texts, is_good))
    else:
        texts = texts[is_good].reset_index(drop=True)
    return replace(chunk, texts=texts, rows=rows, lines=lines)
