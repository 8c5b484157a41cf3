"""Normalise, tokenise, deduplicate and split: accepted table -> train and test tables.

The split depends on the source's messages and their original labels alone, so corrections and
other additions never move a message of the source to the other side.

By hand: python src/preprocessing.py --params params.yaml --input data/interim/rows.parquet \
    --train data/interim/train.parquet --test data/interim/test.parquet \
    --report reports/preprocessing.json
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, NonNegativeInt

from core.errors import UserError
from core.files import write_json
from core.log import run_stage, timed
from core.params import read_params
from core.tables import read_table, write_table
from text.near_duplicates import group_near_duplicates
from text.normalise import normalise_text
from text.tokens import TextParams, build_tokeniser

COLUMNS = ["label", "text", "tokens", "group", "row"]

logger = logging.getLogger(__name__)


class PreprocessingParams(TextParams):
    """The section ``preprocessing`` of params.yaml: tokens, duplicates, split."""

    model_config = ConfigDict(extra="forbid")

    near_duplicate_similarity: float | None = Field(ge=0.3, le=1)
    test_size: float = Field(gt=0, lt=1)
    random_state: NonNegativeInt


def drop_duplicates(df: pd.DataFrame) -> pd.DataFrame:
    """Normalise ``text``; keep the first row of each distinct text, with the label of the last.

    A corrected label comes from a later row than the message that it corrects.

    Returns
    -------
    DataFrame of shape (n_distinct, 5)
        ``label``, ``text``, ``row``, ``added``, and the first row's label as ``first_label``.
    """
    df = df.assign(text=df["text"].map(normalise_text).astype("str"))
    first = df.drop_duplicates("text", ignore_index=True)
    # Both in the order of the first rows.
    last = df.drop_duplicates("text", keep="last").set_index("text").loc[first["text"], "label"]
    return first.assign(first_label=first["label"], label=last.reset_index(drop=True))


def number_groups(texts: pd.Series, similarity: float | None) -> pd.Series:
    """Return the near-duplicate group of each text; without ``similarity`` no two share one."""
    if similarity is None:
        return pd.Series(np.arange(len(texts)), texts.index)
    return pd.Series(group_near_duplicates(texts.tolist(), similarity), texts.index)


def prepare(df: pd.DataFrame, params: PreprocessingParams) -> pd.DataFrame:
    """Return the distinct messages with ``tokens`` and ``group``.

    Parameters
    ----------
    df : DataFrame of shape (n_messages, 4)
        ``label``, ``text``, ``row`` and ``added``.
    params : PreprocessingParams
        How to make tokens and groups.

    Returns
    -------
    DataFrame of shape (n_distinct, 7)
        The columns that ``drop_duplicates`` returns, ``tokens`` and ``group``.
    """
    with timed(logger, "normalised and compared %d messages", len(df)):
        distinct = drop_duplicates(df)
    with timed(logger, "tokenised %d distinct messages", len(distinct)):
        tokenise = build_tokeniser(params.lowercase, params.stemmer, params.stop_words)
        distinct["tokens"] = distinct["text"].map(tokenise).astype("str")
    with timed(logger, "searched near-duplicates"):
        distinct["group"] = number_groups(distinct["text"], params.near_duplicate_similarity)
    return distinct


def choose_test_rows(
    labels: pd.Series, groups: pd.Series, test_size: float, random_state: int
) -> np.ndarray:
    """Choose whole groups at random, so that the test set gets about ``test_size`` of each label.

    Parameters
    ----------
    labels : Series of category, shape (n_rows,)
        A group with both labels counts as positive, the second category.
    groups : Series of int, shape (n_rows,)
        Group numbers.
    test_size : float
        Above 0 and below 1.
    random_state : int
        Seed of the choice.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        True for the rows of the test set.

    Raises
    ------
    UserError
        If a side would have no message with one of the labels.
    """
    rng = np.random.default_rng(random_state)
    summary = pd.DataFrame({"group": groups, "label": labels.cat.codes}).groupby("group")["label"]
    sizes, is_positive = summary.size(), summary.max() == 1
    chosen: list[int] = []
    for stratum in (False, True):
        members = sizes[is_positive == stratum]
        room = round(test_size * members.sum())
        for group in rng.permutation(members.index.to_numpy()):
            # Skip a group that no longer fits: a later, smaller one may fit.
            if members[group] <= room:
                room -= members[group]
                chosen.append(group)
    is_test = groups.isin(chosen).to_numpy()
    check_sides(labels, groups, is_test)
    return is_test


def check_sides(labels: pd.Series, groups: pd.Series, is_test: np.ndarray) -> None:
    """Raise ``UserError`` if a group is on both sides, or a side lacks a label."""
    if not set(groups[is_test]).isdisjoint(groups[~is_test]):
        raise UserError("a group of near-duplicates is on both sides of the split")
    for side, rows in (("test", is_test), ("training", ~is_test)):
        for label in labels.cat.categories:
            if not (labels[rows] == label).any():
                raise UserError(
                    f"the {side} set has no message labelled {label!r}", suggest_fix(groups)
                )


def suggest_fix(groups: pd.Series) -> str:
    """Return what the user can do about a side that lacks a label."""
    size = groups.value_counts().max()
    if size == 1:
        return "add messages, or change preprocessing.test_size"
    return (
        f"the largest group of near-duplicates has {size} of the {len(groups)} messages and stays "
        "on one side; raise preprocessing.near_duplicate_similarity, leave it empty if messages "
        "that differ only in numbers should count as different, or add messages"
    )


def split(df: pd.DataFrame, params: PreprocessingParams) -> tuple[pd.DataFrame, np.ndarray]:
    """Choose the test set among the source's messages; add each addition to its group's side.

    An added message without a near-duplicate in the source is for training. One whose group has
    messages on both sides is left out.

    Parameters
    ----------
    df : DataFrame of shape (n_distinct, 7)
        As ``prepare`` returns it.
    params : PreprocessingParams
        How to choose test rows, and how similar near-duplicates are.

    Returns
    -------
    kept : DataFrame of shape (n_kept, 7)
        The messages that are not left out, with ``group`` computed from these messages alone.
    is_test : ndarray of bool, shape (n_kept,)
        True for the rows of the test set.

    Raises
    ------
    UserError
        If a side would have no message with one of the labels.
    """
    is_added = df["added"].to_numpy()
    source = df[~is_added]
    # Additions can connect groups of the source, so here groups are computed without them.
    groups = source["group"]
    if is_added.any():
        groups = number_groups(source["text"], params.near_duplicate_similarity)
    is_test = np.zeros(len(df), bool)
    is_test[~is_added] = choose_test_rows(
        source["first_label"], groups, params.test_size, params.random_state
    )
    is_like_test = df["group"].isin(df["group"][is_test]).to_numpy()
    is_like_training = df["group"].isin(df["group"][~is_test & ~is_added]).to_numpy()
    is_test |= is_added & is_like_test
    is_kept = ~(is_added & is_like_test & is_like_training)
    kept, is_test = df[is_kept], is_test[is_kept]
    if not is_kept.all():
        logger.warning(
            "%d added messages left out: they have near-duplicates on both sides", (~is_kept).sum()
        )
        kept = kept.assign(group=number_groups(kept["text"], params.near_duplicate_similarity))
    check_sides(kept["label"], kept["group"], is_test)
    return kept, is_test


def summarise(n_read: int, df: pd.DataFrame, kept: pd.DataFrame, is_test: np.ndarray) -> dict:
    """Return the counts of rows, duplicates, additions, groups and labels.

    ``df`` holds the distinct messages, ``kept`` those of them that are on one of the two sides.
    """
    sizes = kept["group"].value_counts()
    sides = {"train": kept[~is_test], "test": kept[is_test]}
    return {
        "read": n_read,
        "exact_duplicates": n_read - len(df),
        "relabelled": int((df["label"] != df["first_label"]).sum()),
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
                "labels": {k: int(n) for k, n in rows["label"].value_counts(sort=False).items()},
            }
            for side, rows in sides.items()
        },
    }


def main(argv: list[str] | None = None) -> None:
    """Preprocess the table that ``argv`` names, and write both sides of the split."""
    parser = argparse.ArgumentParser(description="Make tokens, drop duplicates, split by group.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--input", type=Path, required=True, help="Parquet of the accepted rows")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--test", type=Path, required=True, help="Parquet of the test rows")
    parser.add_argument("--report", type=Path, required=True, help="JSON of counts")
    args = parser.parse_args(argv)
    params = read_params(args.params, "preprocessing", PreprocessingParams)
    messages = read_table(args.input, ["label", "text", "row", "added"])

    df = prepare(messages, params)
    kept, is_test = split(df, params)
    report = summarise(len(messages), df, kept, is_test)
    logger.info("%(distinct)d distinct messages in %(groups)d groups", report)
    for side, rows in (("train", ~is_test), ("test", is_test)):
        write_table(kept.loc[rows, COLUMNS], getattr(args, side))
        logger.info("%d rows written to %s", rows.sum(), getattr(args, side))
    write_json(report, args.report)


if __name__ == "__main__":
    run_stage(main)
