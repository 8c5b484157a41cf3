"""Normalise, tokenise, group equal rows and split: accepted table -> train and test tables.

The split depends on the source's rows and their original targets alone, so corrections and other
additions never move a row of the source to the other side.

By hand: python src/preprocessing.py --params params.yaml --input data/interim/rows.parquet \
    --train data/interim/train.parquet --test data/interim/test.parquet \
    --report reports/preprocessing.json
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, NonNegativeInt, model_validator

from core.errors import UserError
from core.files import write_json
from core.log import run_stage, timed
from core.params import read_params
from core.tables import write_table
from records.duplicates import number_groups
from records.schema import Name, Schema
from records.tables import name_tokens, read_rows
from records.tasks import TASKS
from records.train_test_split import choose_groups, choose_latest, merge_groups
from text.normalise import normalise_text
from text.tokens import TextParams, build_tokeniser

logger = logging.getLogger(__name__)


class PreprocessingParams(TextParams):
    """The section ``preprocessing`` of params.yaml: tokens, duplicates, split."""

    model_config = ConfigDict(extra="forbid")

    duplicates: Literal["near", "exact", "keep"]
    near_duplicate_similarity: float = Field(ge=0.3, le=1)
    split_method: Literal["stratified", "random", "group", "time"]
    split_column: Name | None
    test_size: float = Field(gt=0, lt=1)
    random_state: NonNegativeInt

    @property
    def alike(self) -> tuple[str, float]:
        """Which rows are copies of each other: the arguments of ``number_groups``."""
        return self.duplicates, self.near_duplicate_similarity

    @model_validator(mode="after")
    def split_has_its_column(self) -> "PreprocessingParams":
        """Raise ``ValueError`` if the split needs a column, or names one that it does not use."""
        if self.split_method in ("group", "time") and not self.split_column:
            raise ValueError(f"split_method {self.split_method} needs a split_column")
        if self.split_method in ("stratified", "random") and self.split_column:
            raise ValueError(
                f"split_method {self.split_method} uses no split_column: leave it empty"
            )
        return self


def check_split_column(params: PreprocessingParams, schema: Schema) -> None:
    """Raise ``UserError`` if the column to split by is not in the table, or not a date."""
    if params.split_column is None:
        return
    kind = schema.kinds.get(params.split_column)
    if kind in (None, "drop"):
        raise UserError(
            f"preprocessing.split_column: {params.split_column!r} is not in the table",
            "name a column in one of schema's lists other than drop",
        )
    if params.split_method == "time" and kind != "date":
        raise UserError(
            f"preprocessing.split_column: {params.split_column!r} is in schema.{kind}",
            "move it to schema.date",
        )


def drop_duplicates(df: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Keep the first row of each distinct message, with the target of the last.

    A corrected label comes from a later row than the message that it corrects.

    Returns
    -------
    DataFrame of shape (n_distinct, n_columns + 1)
        The columns of ``df``, and the first row's target as ``first_target``.
    """
    [text] = schema.text
    first = df.drop_duplicates(text, ignore_index=True)
    # Both in the order of the first rows.
    last = df.drop_duplicates(text, keep="last").set_index(text).loc[first[text], schema.target]
    return first.assign(first_target=first[schema.target], **{schema.target: last.array})


def prepare(df: pd.DataFrame, schema: Schema, params: PreprocessingParams) -> pd.DataFrame:
    """Return the distinct rows with tokens and ``group``.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        Target, features, id columns, ``row`` and ``added``.
    schema : Schema
        What they are.
    params : PreprocessingParams
        How to make tokens and groups.

    Returns
    -------
    DataFrame of shape (n_distinct, n_columns + n_texts + 2)
        Its texts are normalised. Equal messages are one row; rows of other tables all stay. Added
        are the tokens of each text, ``first_target`` and ``group``.
    """
    with timed(logger, "normalised and compared %d rows", len(df)):
        df = df.assign(**{name: df[name].map(normalise_text).astype("str") for name in schema.text})
        if schema.is_messages and params.duplicates != "keep":
            df = drop_duplicates(df, schema)
        else:
            df = df.assign(first_target=df[schema.target])
    with timed(logger, "tokenised %d distinct rows", len(df)):
        tokenise = build_tokeniser(params.lowercase, params.stemmer, params.stop_words)
        for name in schema.text:
            df[name_tokens(name)] = df[name].map(tokenise).astype("str")
    with timed(logger, "searched duplicates"):
        df["group"] = number_groups(df, schema, *params.alike)
    return df


def choose_test_rows(
    df: pd.DataFrame, groups: pd.Series, schema: Schema, params: PreprocessingParams
) -> np.ndarray:
    """Choose the rows of the test set, shape (n_rows,), True for test rows.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        The rows of the source, with ``first_target``.
    groups : Series of int, shape (n_rows,)
        Groups that stay together. By time, copies can be on both sides.
    schema, params
        How to choose.

    Raises
    ------
    UserError
        If a side would have no row with one of the labels, or a date is missing.
    """
    target = df["first_target"]
    if params.split_method == "time":
        is_test = choose_latest(df[params.split_column], params.test_size)
    else:
        if params.split_method == "group":
            groups = merge_groups(groups, df[params.split_column])
        is_random = params.split_method == "random"
        strata = np.zeros(len(df), int) if is_random else TASKS[schema.task].stratify(target)
        is_test = choose_groups(strata, groups, params.test_size, params.random_state)
    check_sides(target, groups, is_test)
    return is_test


def check_sides(target: pd.Series, groups: pd.Series, is_test: np.ndarray) -> None:
    """Raise ``UserError`` if a side has no rows, or none with one of the labels."""
    labels = getattr(target.dtype, "categories", [])
    for side, rows in (("test", is_test), ("training", ~is_test)):
        for label in labels:
            if not (target[rows] == label).any():
                raise UserError(
                    f"the {side} set has no row labelled {label!r}", suggest_fix(groups)
                )
        if not rows.any():
            raise UserError(f"the {side} set has no rows", suggest_fix(groups))


def suggest_fix(groups: pd.Series) -> str:
    """Return what the user can do about a side that lacks a label."""
    size = groups.value_counts().max()
    if size < 0.1 * len(groups):
        return "add rows, or change preprocessing.test_size"
    return (
        f"the largest group of duplicates has {size} of the {len(groups)} rows and stays on one "
        "side; raise preprocessing.near_duplicate_similarity, set preprocessing.duplicates to "
        "exact if texts that differ only in numbers should count as different, or to keep if equal "
        "rows are no copies, or add rows"
    )


def split(
    df: pd.DataFrame, schema: Schema, params: PreprocessingParams
) -> tuple[pd.DataFrame, np.ndarray]:
    """Choose the test set among the source's rows; add each addition to its group's side.

    An added row without a copy in the source is for training. One whose group has rows on both
    sides is left out. So is a test row whose copy is earlier, if the split is by time.

    Parameters
    ----------
    df : DataFrame of shape (n_distinct, n_columns)
        As ``prepare`` returns it.
    schema, params
        How to choose test rows, and what counts as a copy.

    Returns
    -------
    kept : DataFrame of shape (n_kept, n_columns)
        The rows that are not left out, with ``group`` computed from these rows alone.
    is_test : ndarray of bool, shape (n_kept,)
        True for the rows of the test set.

    Raises
    ------
    UserError
        If a side would have no row with one of the labels.
    """
    is_added = df["added"].to_numpy()
    source = df[~is_added]
    # Additions can connect groups of the source, so here groups are computed without them.
    groups = number_groups(source, schema, *params.alike) if is_added.any() else source["group"]
    is_test = np.zeros(len(df), bool)
    is_test[~is_added] = choose_test_rows(source, groups, schema, params)
    is_like_test = df["group"].isin(df["group"][is_test]).to_numpy()
    is_like_training = df["group"].isin(df["group"][~is_test & ~is_added]).to_numpy()
    is_test |= is_added & is_like_test
    is_late_copy = is_test & (params.split_method == "time")
    is_bridge = is_like_test & is_like_training & (is_added | is_late_copy)
    kept, is_test = df[~is_bridge], is_test[~is_bridge]
    if is_bridge.any():
        logger.warning("%d rows left out: they have copies on both sides", is_bridge.sum())
        kept = kept.assign(group=number_groups(kept, schema, *params.alike))
    if params.split_method == "group":
        kept = kept.assign(group=merge_groups(kept["group"], kept[params.split_column]))
    check_sides(kept[schema.target], kept["group"], is_test)
    if not set(kept["group"][is_test]).isdisjoint(kept["group"][~is_test]):
        raise UserError("a group is on both sides of the split")
    if params.split_method == "time":
        # Cross-validation takes the order of the rows as that of time.
        order = kept[params.split_column].argsort(kind="stable").to_numpy()
        kept, is_test = kept.iloc[order], is_test[order]
    return kept, is_test


def summarise(
    n_read: int, df: pd.DataFrame, kept: pd.DataFrame, is_test: np.ndarray, schema: Schema
) -> dict:
    """Return the counts of rows, duplicates, additions and groups, and a summary of the target.

    ``df`` holds the distinct rows, ``kept`` those of them that are on one of the two sides.
    """
    sizes = kept["group"].value_counts()
    sides = {"train": kept[~is_test], "test": kept[is_test]}
    describe = TASKS[schema.task].describe
    return {
        "read": n_read,
        "exact_duplicates": n_read - len(df),
        "relabelled": int((df[schema.target] != df["first_target"]).sum()),
        "distinct": len(df),
        "added": {
            **{side: int(rows["added"].sum()) for side, rows in sides.items()},
            "left_out": len(df) - len(kept),
        },
        "near_duplicates": int((sizes - 1).sum()),
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        **{
            side: {
                "rows": len(rows),
                "groups": rows["group"].nunique(),
                **describe(rows[schema.target]),
            }
            for side, rows in sides.items()
        },
    }


def main(argv: list[str] | None = None) -> None:
    """Preprocess the table that ``argv`` names, and write both sides of the split."""
    parser = argparse.ArgumentParser(description="Make tokens, group duplicates, split by group.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--input", type=Path, required=True, help="Parquet of the accepted rows")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--test", type=Path, required=True, help="Parquet of the test rows")
    parser.add_argument("--report", type=Path, required=True, help="JSON of counts")
    args = parser.parse_args(argv)
    params = read_params(args.params, "preprocessing", PreprocessingParams)
    schema = read_params(args.params, "schema", Schema)
    check_split_column(params, schema)
    accepted = read_rows(args.input, schema, [*schema.features, *schema.id, "row", "added"])

    df = prepare(accepted, schema, params)
    kept, is_test = split(df, schema, params)
    report = summarise(len(accepted), df, kept, is_test, schema)
    logger.info("%(distinct)d distinct rows in %(groups)d groups", report)
    tokens = [name_tokens(name) for name in schema.text]
    columns = [schema.target, *schema.features, *schema.id, *tokens, "group", "row"]
    for side, rows in (("train", ~is_test), ("test", is_test)):
        write_table(kept.loc[rows, columns], getattr(args, side))
        logger.info("%d rows written to %s", rows.sum(), getattr(args, side))
    write_json(report, args.report)


if __name__ == "__main__":
    run_stage(main)
