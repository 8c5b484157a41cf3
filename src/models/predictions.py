"""What is predicted for each task, and in which columns it is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from models.conformal import PredictionInterval
from models.fast_trees import speed_up
from models.probability import DECIMALS, predict_positive
from models.scoring import score_texts

# Significant digits of a predicted number: the last ones depend on the processor.
DIGITS = 9
# So many labels are shown with their probability.
SHOWN_LABELS = 10
# The powers of ten that a float holds exactly.
POWERS = np.array([float(10**exponent) for exponent in range(23)])
# So close to the middle of two numbers of nine digits arithmetic may round to the wrong one.
NEAR_MIDDLE = 1e-6


@dataclass(frozen=True)
class Decision:
    """What turns the output of a model into answers.

    Attributes
    ----------
    labels : list of str
        In the order of the stored tables: of two, the positive one is last; none for a number.
    threshold : float
        Least probability of the positive label.
    interval : PredictionInterval or None
        How far a number may be from the predicted one; None if there were too few rows.
    unit : str
        Of the number, '' if it has none.
    """

    labels: list[str]
    threshold: float = 0.5
    interval: PredictionInterval | None = None
    unit: str = ""


# A column to write: its name, its type, its values.
Column = tuple[str, type, list]


@dataclass(frozen=True)
class Prediction:
    """How the models of one task predict.

    Attributes
    ----------
    score : callable
        Takes model, labels and inputs (texts or a table); returns the output of the model: the
        probability of the positive label or of each label, or a number.
    answer : callable
        Returns the columns to write for outputs of the model; the last argument is whether to add
        the probability of every label.
    describe : callable
        Yields the lines to print for the output for one row.
    choose : callable
        Returns the numbers that are explained, from outputs, and the labels that are predicted for
        the same rows: the probability of the positive label, of the predicted one, or the number.
    """

    score: Callable[[Pipeline, list[str], Any], np.ndarray]
    answer: Callable[[np.ndarray, Decision, bool], list[Column]]
    describe: Callable[[np.ndarray, Decision], Iterator[str]]
    choose: Callable[[np.ndarray, np.ndarray], np.ndarray]


def score_binary(model: Pipeline, labels: list[str], inputs: Any) -> np.ndarray:
    """Return the probability of the positive label, shape (n_rows,), rounded."""
    if isinstance(inputs, list):
        return score_texts(model, labels[-1], inputs)
    speed_up(model)
    return predict_positive(model, labels[-1], inputs) if len(inputs) else np.empty(0)


def answer_binary(found: np.ndarray, decision: Decision, _: bool = False) -> list[Column]:
    """Return label and probability of the positive one."""
    negative, positive = decision.labels
    labels = np.where(found >= decision.threshold, positive, negative).tolist()
    return [("label", str, labels), ("probability", float, found.tolist())]


def describe_binary(found: np.ndarray, decision: Decision) -> Iterator[str]:
    """Yield label and probability."""
    [(_, _, [label]), (_, _, [probability])] = answer_binary(found, decision)
    yield f"label        {label}"
    positive, threshold = decision.labels[-1], decision.threshold
    yield f"probability  {probability:.6f} of {positive}, threshold {threshold:g}"


def score_labels(model: Pipeline, labels: list[str], inputs: Any) -> np.ndarray:
    """Return the probability of each label, shape (n_rows, n_labels), rounded."""
    if not len(inputs):
        return np.empty((0, len(labels)))
    speed_up(model)
    order = [list(model.classes_).index(label) for label in labels]
    return model.predict_proba(inputs)[:, order].astype(float).round(DECIMALS)


def answer_labels(
    found: np.ndarray, decision: Decision, all_probabilities: bool = False
) -> list[Column]:
    """Return the most probable label and its probability, and those of all labels if asked for."""
    chosen = found.argmax(axis=1).tolist()
    columns: list[Column] = [
        ("label", str, [decision.labels[place] for place in chosen]),
        ("probability", float, found.max(axis=1).tolist()),
    ]
    if all_probabilities:
        for label, probability in zip(decision.labels, found.T, strict=True):
            columns.append((f"probability_{label}", float, probability.tolist()))
    return columns


def describe_labels(found: np.ndarray, decision: Decision) -> Iterator[str]:
    """Yield the most probable label, and the probabilities of the most probable ones."""
    order = np.argsort(-found[0], kind="stable").tolist()
    yield f"label        {decision.labels[order[0]]}"
    for number, place in enumerate(order[:SHOWN_LABELS]):
        start = "" if number else "probability"
        yield f"{start:11}  {found[0, place]:.6f} of {decision.labels[place]}"


def score_numbers(model: Pipeline, _: list[str], inputs: Any) -> np.ndarray:
    """Return the predicted numbers, shape (n_rows,), rounded to nine significant digits."""
    if not len(inputs):
        return np.empty(0)
    speed_up(model)
    return round_digits(np.asarray(model.predict(inputs), float).ravel())


def round_digits(values: np.ndarray) -> np.ndarray:
    """Round numbers to ``DIGITS`` significant digits.

    The result is that of ``float(f"{value:.9g}")``, which takes much longer and is used where
    arithmetic may round to the other side: close to the middle of two results.
    """
    with np.errstate(all="ignore"):
        places = DIGITS - 1 - np.floor(np.log10(np.abs(values)))
        is_sure = np.abs(places) < len(POWERS)
        places = np.where(is_sure, places, 0).astype(int)
        powers = POWERS[np.abs(places)]
        scaled = np.where(places < 0, values / powers, values * powers)
        is_sure &= (np.abs(scaled) >= POWERS[DIGITS - 1]) & (np.abs(scaled) < POWERS[DIGITS])
        is_sure &= np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) > NEAR_MIDDLE
        whole = np.rint(scaled)
        rounded = np.where(places < 0, whole * powers, whole / powers)
    others = [float(f"{value:.{DIGITS}g}") for value in values[~is_sure].tolist()]
    rounded[~is_sure] = others
    return rounded


def answer_numbers(found: np.ndarray, decision: Decision, _: bool = False) -> list[Column]:
    """Return the number, and the ends of its interval if there is one."""
    columns: list[Column] = [("prediction", float, found.tolist())]
    if decision.interval is not None:
        margin = decision.interval.margin
        columns += [
            (name, float, round_digits(found + sign * margin).tolist())
            for name, sign in (("lower", -1), ("upper", 1))
        ]
    return columns


def show_number(value: float) -> str:
    """Return a number for people: six significant digits, and all digits of millions."""
    return f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:g}"


def describe_numbers(found: np.ndarray, decision: Decision) -> Iterator[str]:
    """Yield the number and its interval."""
    values = {name: values[0] for name, _, values in answer_numbers(found, decision)}
    unit = f" {decision.unit}" if decision.unit else ""
    shown = {name: show_number(value) for name, value in values.items()}
    yield f"prediction   {shown['prediction']}{unit}"
    if decision.interval is not None:
        share = f"{decision.interval.coverage:.0%}"
        yield f"interval     {shown['lower']} to {shown['upper']}{unit}, which holds for {share}"


def choose_only(found: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Return the only number of each row."""
    return found


def choose_label(found: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the probability of the label that is most probable in ``predicted``."""
    return found[np.arange(len(found)), predicted.argmax(axis=1)]


PREDICTIONS = {
    "binary": Prediction(score_binary, answer_binary, describe_binary, choose_only),
    "multiclass": Prediction(score_labels, answer_labels, describe_labels, choose_label),
    "regression": Prediction(score_numbers, answer_numbers, describe_numbers, choose_only),
}
