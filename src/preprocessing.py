"""Normalise, tokenise, deduplicate and split: accepted table -> train and test tables.

By hand: python src/preprocessing.py --params params.yaml --input data/interim/messages.parquet \
    --train data/interim/train.parquet --test data/interim/test.parquet \
    --report reports/preprocessing.json
"""

import common.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, NonNegativeInt

from common.files import write_json
from common.log import run_stage, timed
from common.near_duplicates import group_near_duplicates
from common.params import read_params
from common.tables import read_table, write_table
from common.text import normalise_text
from common.tokens import TextParams, build_tokeniser

COLUMNS = ["label", "text", "tokens", "group", "row"]

logger = logging.getLogger(__name__)


class PreprocessingParams(TextParams):
    """What ``params.yaml`` says of tokens, duplicates and the split."""

    model_config = ConfigDict(extra="forbid")

    near_duplicate_similarity: float | None = Field(ge=0.3, le=1)
    test_size: float = Field(gt=0, lt=1)
    random_state: NonNegativeInt


def drop_duplicates(df: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Normalise ``text`` and keep the first row of each distinct one, with the label of the last.

    Corrections of labels come after what they correct.

    Returns
    -------
    distinct : DataFrame of shape (n_distinct, 3)
        ``label``, ``text``, ``row``.
    n_relabelled : int
        How many of them had another label in their first row.
    """
    df = df.assign(text=df["text"].map(normalise_text).astype("str"))
    first = df.drop_duplicates("text", ignore_index=True)
    # Both in the order of the first rows.
    last = df.drop_duplicates("text", keep="last").set_index("text").loc[first["text"], "label"]
    last = last.reset_index(drop=True)
    return first.assign(label=last), int((first["label"] != last).sum())


def prepare(df: pd.DataFrame, params: PreprocessingParams) -> tuple[pd.DataFrame, int]:
    """Return the distinct messages with ``tokens`` and ``group``, and how many were relabelled.

    Parameters
    ----------
    df : DataFrame of shape (n_messages, 3)
        ``label``, ``text`` and ``row``.
    params : PreprocessingParams
        How to make tokens and groups.

    Returns
    -------
    distinct : DataFrame of shape (n_distinct, 5)
        ``label``, ``text``, ``tokens``, ``group``, ``row``.
    n_relabelled : int
        As ``drop_duplicates`` counts them.
    """
    with timed(logger, "normalised and compared %d messages", len(df)):
        distinct, n_relabelled = drop_duplicates(df)
    with timed(logger, "tokenised %d distinct messages", len(distinct)):
        tokenise = build_tokeniser(params.lowercase, params.stemmer, params.stop_words)
        distinct["tokens"] = distinct["text"].map(tokenise).astype("str")
    with timed(logger, "searched near-duplicates"):
        if params.near_duplicate_similarity is None:
            distinct["group"] = np.arange(len(distinct))
        else:
            texts = distinct["text"].tolist()
            distinct["group"] = group_near_duplicates(texts, params.near_duplicate_similarity)
    return distinct[COLUMNS], n_relabelled


def choose_test_rows(
    labels: pd.Series, groups: pd.Series, test_size: float, random_state: int
) -> np.ndarray:
    """Choose whole groups at random, of each label about ``test_size`` of its rows.

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
    ValueError
        If a group would stand on both sides, or a side would lack a label.
    """
    rng = np.random.default_rng(random_state)
    summary = pd.DataFrame({"group": groups, "label": labels.cat.codes}).groupby("group")["label"]
    sizes, is_positive = summary.size(), summary.max() == 1
    chosen: list[int] = []
    for stratum in (False, True):
        members = sizes[is_positive == stratum]
        room = round(test_size * members.sum())
        for group in rng.permutation(members.index.to_numpy()):
            # A group that no longer fits is passed over: the next ones are smaller more often.
            if members[group] <= room:
                room -= members[group]
                chosen.append(group)
    is_test = groups.isin(chosen).to_numpy()
    if not set(groups[is_test]).isdisjoint(groups[~is_test]):
        raise ValueError("a near-duplicate group stands on both sides of the split")
    for side, rows in (("test", is_test), ("training", ~is_test)):
        for label in labels.cat.categories:
            if not (labels[rows] == label).any():
                raise ValueError(
                    f"the {side} set has no message labelled {label!r}: "
                    "add messages, or change preprocessing.test_size"
                )
    return is_test


def summarise(n_read: int, n_relabelled: int, df: pd.DataFrame, is_test: np.ndarray) -> dict:
    """Return the counts of rows, duplicates, groups and labels."""
    sizes = df["group"].value_counts()
    sides = {"train": df[~is_test], "test": df[is_test]}
    return {
        "read": n_read,
        "exact_duplicates": n_read - len(df),
        "relabelled": n_relabelled,
        "distinct": len(df),
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
    """Preprocess the table that ``argv`` names as the parameters say."""
    parser = argparse.ArgumentParser(description="Make tokens, drop duplicates, split by group.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--input", type=Path, required=True, help="Parquet of the accepted rows")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--test", type=Path, required=True, help="Parquet of the test rows")
    parser.add_argument("--report", type=Path, required=True, help="JSON of counts")
    args = parser.parse_args(argv)
    params = read_params(args.params, "preprocessing", PreprocessingParams)
    messages = read_table(args.input, ["label", "text", "row"])

    df, n_relabelled = prepare(messages, params)
    is_test = choose_test_rows(df["label"], df["group"], params.test_size, params.random_state)
    report = summarise(len(messages), n_relabelled, df, is_test)
    logger.info("%(distinct)d distinct messages in %(groups)d groups", report)
    for side, rows in (("train", ~is_test), ("test", is_test)):
        write_table(df[rows], getattr(args, side))
        logger.info("%d rows to %s", rows.sum(), getattr(args, side))
    write_json(report, args.report)


if __name__ == "__main__":
    run_stage(main)
