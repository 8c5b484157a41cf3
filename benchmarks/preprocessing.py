"""Measure how fast messages are preprocessed: prints messages per second, ours and ordinary.

Run: python benchmarks/preprocessing.py

Ours is what the stage does: normalising, exact duplicates, tokens, near-duplicate groups, with
the parameters of params.yaml, in one process, with empty caches. Ordinary is ``transform_text`` of
benchmarks/tutorial, which reads the stop words again for every token, as beginners' tutorials do.
It is so slow that it gets only a sample of the messages, and it does not look for duplicates.
nltk_stand_in.py explains what replaces the data that NLTK would download, and why NLTK's version
matters.

The messages are drawn from the corpus at random, with a fifth of their words, at least one,
replaced by words of other messages. Exit status 1 if ours is not at least 60 times as fast.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import nltk
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from benchmarks.nltk_stand_in import write_nltk_data  # noqa: E402
from benchmarks.tutorial.src.data_preprocessing import transform_text  # noqa: E402
from core.params import read_params  # noqa: E402
from preprocessing import PreprocessingParams, prepare  # noqa: E402
from records.schema import Schema  # noqa: E402
from text.tokens import build_tokeniser  # noqa: E402

SEED = 0
SWAPPED = 0.2
N_WARM = 50
REPEATS = {"ours": 3, "ordinary": 2}
LEAST_RATIO = 60


def swap_words(labels: list[str], texts: list[str], n: int) -> pd.DataFrame:
    """Return ``n`` messages drawn at random, with a share of their words swapped."""
    rng = random.Random(SEED)
    split = [text.split() for text in texts]
    rows = []
    for row in range(n):
        drawn = rng.randrange(len(split))
        words = split[drawn].copy()
        for place in rng.sample(range(len(words)), max(1, round(SWAPPED * len(words)))):
            words[place] = rng.choice(rng.choice(split))
        rows.append((labels[drawn], " ".join(words), row + 1))
    return pd.DataFrame(rows, columns=["label", "text", "row"])


def measure(function: Callable[[], object], repeats: int) -> list[float]:
    """Return the seconds of each call, with empty caches."""
    seconds = []
    for _ in range(repeats):
        build_tokeniser.cache_clear()
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measure both on the number of messages that the arguments give."""
    parser = argparse.ArgumentParser(description="Print messages preprocessed per second.")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--corpus", type=Path, default=RAW)
    parser.add_argument("--messages", type=int, default=50_000, help="for ours")
    parser.add_argument("--sample", type=int, default=400, help="of these, for ordinary")
    args = parser.parse_args()
    params = read_params(args.params, "preprocessing", PreprocessingParams)
    schema = read_params(args.params, "schema", Schema)
    df = swap_words(*read_corpus(args.corpus), args.messages).assign(added=False)
    sample = df["text"].tolist()[: args.sample]

    with tempfile.TemporaryDirectory() as folder:
        write_nltk_data(Path(folder))
        nltk.data.path.insert(0, folder)
        prepare(df[:N_WARM], schema, params)
        for text in sample[:N_WARM]:
            transform_text(text)
        seconds = {
            "ours": measure(lambda: prepare(df, schema, params), REPEATS["ours"]),
            "ordinary": measure(lambda: list(map(transform_text, sample)), REPEATS["ordinary"]),
        }
    print(f"NLTK {nltk.__version__}\n")
    print("| preprocessing | messages | messages/s, best | median |")
    print("| ------------- | -------- | ---------------- | ------ |")
    for name, n in (("ours", len(df)), ("ordinary", len(sample))):
        best, middle = n / min(seconds[name]), n / median(seconds[name])
        print(f"| {name:13} | {n:8,} | {best:16,.0f} | {middle:6,.0f} |")
    ratio = len(df) / min(seconds["ours"]) * min(seconds["ordinary"]) / len(sample)
    print(f"\nours is {ratio:.0f} times as fast")
    if ratio < LEAST_RATIO:
        sys.exit(f"ours is only {ratio:.1f} times as fast as ordinary, not {LEAST_RATIO}")


if __name__ == "__main__":
    main()
