"""Compare the model with other classifiers of short texts: prints a table.

Run: python benchmarks/peers.py [--deals 10] [--seeds 10] [--messages 20000]

The peers are in benchmarks/peers/classifiers.py. They are installed in a separate environment,
.cache/peers-models, of 0.7 gigabytes. This script starts itself again there, so that everything
runs in one process and one thread, with the same versions of the shared libraries. The columns:

- default: Matthews correlation (MCC) in cross-validation on the training set. Near-duplicates are
  in the same fold. It is the mean of the folds and of several deals of folds. Each classifier
  decides as it does by default: a peer calls a message spam if that is the likelier label, this
  model if its calibrated probability reaches the threshold of params.yaml.
- calibrated: the same, but the scores of every classifier become probabilities as this model's do,
  by a sigmoid that is fitted on the other folds, and the threshold is 0.5. With the standard
  deviation over the deals.
- recall: the most spam that any threshold catches while it blocks at most 0.1% of the ham, on the
  calibrated probabilities of all folds. Mean of the deals.
- paper: MCC by the protocol of benchmarks/paper_protocol.py, decided as for "default".
- fit: seconds from the texts of the training set to the model, fastest of three runs. This model is
  also cross-validated and calibrated in that time, the peers are not.
- messages/s: from texts to probabilities, fastest of three runs, on messages that
  benchmarks/preprocessing.py makes.
- MB: the stored model in its library's own format; scikit-learn and LightGBM by joblib, compressed.

Times are of the processor, and of the fastest run, because these depend less on what else the
machine does. Exit status 1 if this model's calibrated MCC is below 0.96, or its MCC by the paper's
protocol below 0.957.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit
from sklearn.metrics import matthews_corrcoef
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
sys.path[:0] = [str(ROOT / "src"), str(ROOT), str(PEERS)]

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from benchmarks.environment import install  # noqa: E402
from benchmarks.paper_protocol import LEAST_MCC, N_SEEDS, draw, fit  # noqa: E402
from benchmarks.paper_protocol import measure as measure_ours  # noqa: E402
from benchmarks.preprocessing import swap_words  # noqa: E402
from core.markdown import align_table  # noqa: E402
from core.params import read_params  # noqa: E402
from core.tables import read_table  # noqa: E402
from evaluation.metrics import weighted_metrics  # noqa: E402
from features.branches import FeatureParams, build_columns, locate_branches  # noqa: E402
from features.matrices import as_float32  # noqa: E402
from models.augmentation import build_copier  # noqa: E402
from models.calibration import cross_calibrate  # noqa: E402
from models.cross_validation import score_rows  # noqa: E402
from models.estimators import ModelParams, build_estimator  # noqa: E402
from models.folds import assign_folds  # noqa: E402
from models.scorers import score_folds  # noqa: E402
from models.scoring import score_texts  # noqa: E402
from models.store import load_model  # noqa: E402
from models.threshold import ThresholdParams  # noqa: E402
from records.schema import read_message_schema  # noqa: E402
from text.tokens import TextParams, prepare_messages  # noqa: E402

ENVIRONMENT = ROOT / ".cache" / "peers-models"
PARAMS = ROOT / "params.yaml"
MODEL = ROOT / "models" / "model.skops"
TRAIN = ROOT / "data" / "interim" / "train.parquet"
OURS = "this model"
LEAST_CV_MCC = 0.96
MAX_FPR = 0.001
N_FOLDS = 5
ROUNDS = 3
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Classifier(Protocol):
    """From texts to scores; a peer calls a text spam if its score is above 0."""

    def fit(self, texts: Sequence[str], is_spam: np.ndarray) -> None:
        """Fit on texts, which are spam or not."""

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the score of each text."""


class Peer(Classifier, Protocol):
    """A classifier that is stored in its library's own format."""

    def save(self, path: Path) -> None:
        """Write the model to a file."""


@dataclass(frozen=True)
class Quality:
    """What the cross-validation of a classifier finds, mean of the deals."""

    own_mcc: float
    mcc: float
    deviation: float
    recall: float


@dataclass(frozen=True)
class Cost:
    """Seconds to fit, messages scored per second, size of the stored model."""

    fit_seconds: float
    rate: float
    megabytes: float


class Ours:
    """The classifier of params.yaml before it is calibrated."""

    def fit(self, texts: Sequence[str], is_spam: np.ndarray) -> None:
        """Fit on texts, which are spam or not."""
        schema = read_message_schema(PARAMS)
        features = read_params(PARAMS, "feature_engineering", FeatureParams)
        self.columns = build_columns(schema, features)
        X = self.columns.fit_transform(prepare(texts))
        params = read_params(PARAMS, "model_building", ModelParams)
        copier = build_copier(
            texts,
            is_spam,
            params.augmentation,
            params.random_state,
            lambda copies: self.columns.transform(prepare(copies)),
        )
        if copier is not None:
            # The copies' words come from the texts that are fitted on.
            X_copies, origins = copier(np.zeros(len(texts), int))
            X = sp.vstack([X, X_copies])
            is_spam = np.concatenate([is_spam, is_spam[origins]])
        estimator = build_estimator(params, schema, locate_branches(self.columns))
        self.classifier = estimator.fit(as_float32(X), np.where(is_spam, "spam", "ham"))

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the score of each text."""
        return score_rows(self.classifier, as_float32(self.columns.transform(prepare(texts))))


def prepare(texts: Sequence[str]) -> pd.DataFrame:
    """Return texts with their tokens, as params.yaml describes them."""
    return prepare_messages(texts, **read_params(PARAMS, "preprocessing", TextParams).model_dump())


def cross_validate(
    make: Callable[[], Classifier],
    texts: np.ndarray,
    is_spam: np.ndarray,
    groups: np.ndarray,
    n_deals: int,
    threshold: float | None = None,
) -> Quality:
    """Cross-validate a classifier, with several deals of folds.

    Parameters
    ----------
    make : function
        Returns the classifier, unfitted.
    texts, is_spam, groups : ndarray, shape (n_texts,)
        The training set. A group is in one fold.
    n_deals : int
        How many deals.
    threshold : float, optional
        The calibrated probability from which the classifier calls a text spam by its own default;
        without it, a score above 0 decides.
    """
    found = []
    for seed in range(n_deals):
        folds = assign_folds(is_spam, groups, N_FOLDS, seed)
        scores = np.empty(len(texts))
        for fold in range(N_FOLDS):
            is_held_out = folds == fold
            classifier = make()
            classifier.fit(texts[~is_held_out].tolist(), is_spam[~is_held_out])
            scores[is_held_out] = classifier.score(texts[is_held_out].tolist())
        probability = cross_calibrate(scores, is_spam, folds)
        called = scores > 0 if threshold is None else probability >= threshold
        own, calibrated = (
            np.mean(score_folds(is_spam, each, folds, "matthews_corrcoef"))
            for each in (called, probability)
        )
        once = np.ones((1, len(texts)))
        metrics = weighted_metrics(is_spam, probability, once, 0.5, MAX_FPR)
        found.append((own, calibrated, metrics["recall_at_max_fpr"].item()))
    own, calibrated, recall = np.mean(found, axis=0)
    return Quality(own, calibrated, np.std(found, axis=0)[1], recall)


def measure_paper(
    make: Callable[[], Classifier], texts: np.ndarray, is_spam: np.ndarray, seed: int
) -> float:
    """Return the Matthews correlation of a peer by the paper's protocol."""
    train, test = draw(len(texts), seed)
    classifier = make()
    classifier.fit(texts[train].tolist(), is_spam[train])
    return matthews_corrcoef(is_spam[test], classifier.score(texts[test].tolist()) > 0)


def measure_seconds(function: Callable[[Any], object], inputs: Iterable) -> float:
    """Return the fewest processor seconds that a function takes for an input."""
    seconds = []
    for each in inputs:
        start = time.process_time()
        function(each)
        seconds.append(time.process_time() - start)
    return min(seconds)


def measure_cost(
    make: Callable[[], Peer], texts: list[str], is_spam: np.ndarray, rounds: list[list[str]]
) -> Cost:
    """Fit a peer on the training set, then score lists of messages of equal length."""
    peer = make()
    fit_seconds = measure_seconds(lambda _: peer.fit(texts, is_spam), range(ROUNDS))
    seconds = measure_seconds(lambda messages: expit(peer.score(messages)), rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        peer.save(path)
        megabytes = path.stat().st_size / 1e6
    return Cost(fit_seconds, len(rounds[0]) / seconds, megabytes)


def measure_our_cost(
    texts: list[str], is_spam: np.ndarray, groups: np.ndarray, rounds: list[list[str]]
) -> Cost:
    """Fit and calibrate this model, then score with the one that the pipeline stored."""
    fit_seconds = measure_seconds(
        lambda _: fit(prepare(texts), is_spam, groups, PARAMS), range(ROUNDS)
    )
    model = load_model(MODEL)
    # The first call derives what scores quickly.
    score_texts(model, "spam", texts[:1])
    seconds = measure_seconds(lambda messages: score_texts(model, "spam", messages), rounds)
    return Cost(fit_seconds, len(rounds[0]) / seconds, MODEL.stat().st_size / 1e6)


def tabulate(found: dict[str, tuple[Quality, float, Cost]]) -> str:
    """Return a Markdown table with a row for each classifier."""
    scores = ["default", "calibrated", "recall", "paper"]
    rows = [["classifier", *scores, "fit", "messages/s", "MB"]]
    for name, (quality, paper, cost) in found.items():
        rows.append(
            [
                name,
                f"{quality.own_mcc:.3f}",
                f"{quality.mcc:.4f} ± {quality.deviation:.4f}",
                f"{quality.recall:.3f}",
                f"{paper:.3f}",
                f"{cost.fit_seconds:.2f} s",
                f"{cost.rate:,.0f}",
                f"{cost.megabytes:.2f}",
            ]
        )
    return align_table(rows)


def list_missed(quality: Quality, paper: float) -> list[str]:
    """Return which goals this model misses, in sentences."""
    goals = (
        ("calibrated MCC", quality.mcc, LEAST_CV_MCC),
        ("MCC by the paper's protocol", paper, LEAST_MCC),
    )
    return [f"{name} is {value:.4f}, below {goal}" for name, value, goal in goals if value < goal]


def compare(n_deals: int, n_seeds: int, n_messages: int) -> dict[str, tuple[Quality, float, Cost]]:
    """Measure this model and its peers; the peers' libraries must be installed."""
    from classifiers import list_peers  # type: ignore[import-not-found]

    train = read_table(TRAIN, ["label", "text", "group"])
    texts, groups = train["text"].to_numpy(object), train["group"].to_numpy()
    is_spam = (train["label"] == "spam").to_numpy()
    labels, raw = read_corpus(RAW)
    corpus, is_corpus_spam = np.array(raw, object), np.array(labels) == "spam"
    messages = swap_words(labels, raw, ROUNDS * n_messages)["text"].tolist()
    rounds = [messages[start::ROUNDS] for start in range(ROUNDS)]

    threshold = read_params(PARAMS, "model_evaluation", ThresholdParams).threshold
    prepared = prepare(raw)
    runs = [measure_ours(prepared, is_corpus_spam, PARAMS, seed) for seed in range(n_seeds)]
    found = {
        OURS: (
            cross_validate(Ours, texts, is_spam, groups, n_deals, threshold),
            float(np.mean([run["mcc"] for run in runs])),
            measure_our_cost(texts.tolist(), is_spam, groups, rounds),
        )
    }
    for name, make in tqdm(list_peers().items(), desc="peers"):
        papers = [measure_paper(make, corpus, is_corpus_spam, seed) for seed in range(n_seeds)]
        found[name] = (
            cross_validate(make, texts, is_spam, groups, n_deals),
            float(np.mean(papers)),
            measure_cost(make, texts.tolist(), is_spam, rounds),
        )
    return found


def main() -> None:
    """Measure in the environment of the peers, print a table, check the goals."""
    parser = argparse.ArgumentParser(description="Compare the model with other classifiers.")
    parser.add_argument("--deals", type=int, default=10, help="of folds")
    parser.add_argument("--seeds", type=int, default=N_SEEDS, help="of the paper's protocol")
    parser.add_argument("--messages", type=int, default=20_000, help="to score in each round")
    args = parser.parse_args()
    if not MODEL.is_file():
        sys.exit(f"{MODEL} does not exist: run 'make repro' first")
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        install(PEERS / "requirements.txt", ENVIRONMENT)
        python = str(ENVIRONMENT / "bin" / "python")
        os.execve(python, [python, __file__, *sys.argv[1:]], {**os.environ, **ONE_THREAD})
    found = compare(args.deals, args.seeds, args.messages)
    print(tabulate(found))
    quality, paper, _ = found[OURS]
    if missed := list_missed(quality, paper):
        sys.exit("; ".join(missed))


if __name__ == "__main__":
    main()
