"""The tables between the stages: rows with their target, as the schema describes them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from core.errors import UserError
from core.tables import read_table
from records.schema import TOKENS_SUFFIX, Schema
from records.tasks import TASKS


def name_tokens(column: str) -> str:
    """Return the name of the column that holds the tokens of a text column."""
    return f"{column}{TOKENS_SUFFIX}"


def read_rows(path: Path, schema: Schema, columns: Sequence[str]) -> pd.DataFrame:
    """Read the target and other columns of a table that a stage wrote.

    Returns
    -------
    DataFrame of shape (n_rows, 1 + n_columns)
        The target first: a category whose categories are ``schema.classes``, or a number.

    Raises
    ------
    UserError
        As ``read_table`` does, and if the target does not fit the schema.
    """
    df = read_table(path, [schema.target, *columns])
    dtype = df[schema.target].dtype
    labels = list(dtype.categories) if isinstance(dtype, pd.CategoricalDtype) else []
    is_known = not schema.classes or labels == schema.classes
    if bool(labels) != TASKS[schema.task].has_classes or not is_known:
        found = ", ".join(labels) or dtype
        raise UserError(
            f"{path}: column {schema.target!r} has {found}, which section schema of params.yaml "
            "does not describe",
            "run 'dvc repro' to make it again",
        )
    return df
