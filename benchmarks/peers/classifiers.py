"""The classifiers that benchmarks/peers.py compares with: from texts to scores.

A score above 0 means spam. Everything runs in one thread and with fixed seeds. Settings are the
defaults, except where defaults suit millions of rows (fastText, Vowpal Wabbit), and for the linear
SVM, whose n-grams were the best of seven choices on this data.
"""

import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import fasttext
import joblib
import numpy as np
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from vowpalwabbit import Workspace

# zlib's level in our model files.
COMPRESSION = 6
VW_PASSES = 10


def subtract_logarithms(ham: np.ndarray, spam: np.ndarray) -> np.ndarray:
    """Return the log odds of spam, finite also if a probability is 0."""
    return np.log(np.maximum(spam, 1e-300)) - np.log(np.maximum(ham, 1e-300))


def split_words(text: str) -> str:
    """Return a text's words and punctuation in lower case, with blanks between them.

    ``:`` and ``|`` have a meaning in Vowpal Wabbit's format.
    """
    return " ".join(re.findall(r"\w+|[^\w\s:|]", text.lower()))


class ScikitLearn:
    """A vectoriser and a classifier with scikit-learn's interface."""

    def __init__(self, *steps: BaseEstimator) -> None:
        self.pipeline = make_pipeline(*steps)

    def fit(self, texts: Sequence[str], is_spam: np.ndarray) -> None:
        """Fit on texts, which are spam or not."""
        self.pipeline.fit(texts, is_spam)

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the score of each text."""
        if hasattr(self.pipeline, "decision_function"):
            return self.pipeline.decision_function(texts)
        return subtract_logarithms(*self.pipeline.predict_proba(texts).T)

    def save(self, path: Path) -> None:
        """Write the model, compressed."""
        joblib.dump(self.pipeline, path, compress=COMPRESSION)


class FastText:
    """fastText with the settings of its tutorial of text classification."""

    def fit(self, texts: Sequence[str], is_spam: np.ndarray) -> None:
        """Fit on texts, which are spam or not."""
        with TemporaryDirectory() as folder:
            rows = Path(folder, "rows.txt")
            labels = np.where(is_spam, "__label__spam", "__label__ham")
            lines = (
                f"{label} {split_words(text)}\n" for label, text in zip(labels, texts, strict=True)
            )
            rows.write_text("".join(lines), encoding="utf-8")
            self.model = fasttext.train_supervised(
                str(rows),
                lr=1.0,
                epoch=25,
                wordNgrams=2,
                bucket=200_000,
                dim=50,
                thread=1,
                seed=0,
                verbose=0,
            )

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the score of each text."""
        found = zip(*self.model.predict([split_words(text) for text in texts], k=2), strict=True)
        rows = [dict(zip(labels, shares, strict=True)) for labels, shares in found]
        return subtract_logarithms(
            *(np.array([row[f"__label__{name}"] for row in rows]) for name in ("ham", "spam"))
        )

    def save(self, path: Path) -> None:
        """Write the model in its own format."""
        self.model.save_model(str(path))


class VowpalWabbit:
    """Vowpal Wabbit: logistic loss, words and pairs of words, ten passes over shuffled rows."""

    def fit(self, texts: Sequence[str], is_spam: np.ndarray) -> None:
        """Fit on texts, which are spam or not."""
        self.workspace = Workspace("--loss_function logistic --ngram 2 --quiet")
        labels = np.where(is_spam, 1, -1)
        lines = [f"{y} | {split_words(text)}" for y, text in zip(labels, texts, strict=True)]
        rng = np.random.default_rng(0)
        for _ in range(VW_PASSES):
            for row in rng.permutation(len(lines)):
                self.workspace.learn(lines[row])

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return the score of each text."""
        return np.array([self.workspace.predict(f"| {split_words(text)}") for text in texts])

    def save(self, path: Path) -> None:
        """Write the model in its own format."""
        self.workspace.save(str(path))


def list_peers() -> dict[str, Callable[[], ScikitLearn | FastText | VowpalWabbit]]:
    """Return a function for each peer that makes it, unfitted."""
    return {
        f"fastText {version('fasttext-community')}": FastText,
        f"Vowpal Wabbit {version('vowpalwabbit')}": VowpalWabbit,
        f"LightGBM {version('lightgbm')}, TF-IDF": lambda: ScikitLearn(
            TfidfVectorizer(),
            LGBMClassifier(n_jobs=1, random_state=0, deterministic=True, verbose=-1),
        ),
        "naive Bayes, counts": lambda: ScikitLearn(CountVectorizer(), MultinomialNB()),
        "naive Bayes, TF-IDF": lambda: ScikitLearn(TfidfVectorizer(), MultinomialNB()),
        "logistic regression, counts": lambda: ScikitLearn(CountVectorizer(), LogisticRegression()),
        "logistic regression, TF-IDF": lambda: ScikitLearn(TfidfVectorizer(), LogisticRegression()),
        "linear SVM, characters": lambda: ScikitLearn(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
            LinearSVC(random_state=0),
        ),
    }
