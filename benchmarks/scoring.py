"""Measure the n-gram engine and the fast scorer beside scikit-learn's way: prints a table.

Run: python benchmarks/scoring.py

Both ways use the same model and give the same probabilities, which is checked first. Messages are
those of the corpus. Alone means one message a call; in bulk, 1,000 a call. Features means fitting
the features of the training set and applying them to the test set, as feature_engineering does.
Seconds are of the processor, in this process, after a first round that fills the caches of tokens.

Exit status 1 if a message alone takes more than 0.3 ms, if bulk scores fewer than 25,000 messages
a second, or if features are not twice as fast.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from core.markdown import align_table  # noqa: E402
from core.params import read_params  # noqa: E402
from features.branches import FeatureParams, build_columns  # noqa: E402
from features.matrices import as_float32  # noqa: E402
from models.probability import predict_positive  # noqa: E402
from models.scoring import score_texts  # noqa: E402
from models.store import load_model  # noqa: E402
from records.schema import Schema  # noqa: E402

REPEATS = 5
CHUNK = 1000
N_ALONE = 300
MOST_ALONE = 0.3e-3
LEAST_BULK = 25_000
LEAST_RATIO = 3


def measure(function: Callable[[], object]) -> float:
    """Return the median of the processor seconds of some calls, after a first one."""
    function()
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return median(seconds)


def fit_features(
    schema: Schema, params: FeatureParams, train: pd.DataFrame, test: pd.DataFrame, ours: bool
) -> int:
    """Fit features on one table and apply them to the other; return how many there are."""
    columns = build_columns(schema, params)
    if not ours:
        for name, branch, _ in columns.transformers:
            if name != "statistics":
                columns.set_params(**{f"{name}__counts": CountVectorizer(**branch[0].get_params())})
    columns.fit_transform(train)
    return as_float32(columns.transform(test)).shape[1]


def main() -> None:
    """Measure both ways, one after the other."""
    parser = argparse.ArgumentParser(description="Print how fast messages are scored.")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "model.skops")
    parser.add_argument("--corpus", type=Path, default=RAW)
    args = parser.parse_args()
    _, texts = read_corpus(args.corpus)
    model = load_model(args.model)
    positive = model.classes_[1]
    ways = {"ours": score_texts, "scikit-learn": predict_positive}
    ours, theirs = (way(model, positive, texts) for way in ways.values())
    if not np.array_equal(ours, theirs):
        sys.exit("the two ways give different probabilities")

    def score_in_chunks(way: Callable, chunk: int, n: int) -> None:
        for start in range(0, n, chunk):
            way(model, positive, texts[start : start + chunk])

    schema = read_params(args.params, "schema", Schema)
    params = read_params(args.params, "feature_engineering", FeatureParams)
    train, test = (
        pd.read_parquet(ROOT / "data" / "interim" / f"{name}.parquet") for name in ("train", "test")
    )
    seconds = {
        name: (
            measure(partial(score_in_chunks, way, 1, N_ALONE)) / N_ALONE,
            measure(partial(score_in_chunks, way, CHUNK, len(texts))) / len(texts),
            measure(partial(fit_features, schema, params, train, test, name == "ours")),
        )
        for name, way in ways.items()
    }
    (alone, bulk, features), slow = seconds["ours"], seconds["scikit-learn"]
    rows = [
        ["", *ways, "ratio"],
        ["a message alone, ms", *(f"{s[0] * 1e3:.2f}" for s in (seconds["ours"], slow))],
        ["in bulk, messages a second", *(f"{1 / s[1]:,.0f}" for s in (seconds["ours"], slow))],
        ["features, seconds", *(f"{s[2]:.2f}" for s in (seconds["ours"], slow))],
    ]
    for row, fast, ordinary in zip(rows[1:], seconds["ours"], slow, strict=True):
        row.append(f"{ordinary / fast:.1f}")
    print(align_table(rows))
    if alone > MOST_ALONE or bulk > 1 / LEAST_BULK or slow[2] < LEAST_RATIO * features:
        sys.exit(
            f"goals: at most {MOST_ALONE * 1e3} ms alone, at least {LEAST_BULK:,} a second in "
            f"bulk, features at least {LEAST_RATIO} times as fast"
        )


if __name__ == "__main__":
    main()
