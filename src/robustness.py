"""Measure how much of the test set a model still gets right in disguise: model -> JSON of rates.

By hand: python src/robustness.py --params params.yaml --model models/model.skops \
    --train data/interim/train.parquet --test data/interim/test.parquet \
    --output reports/robustness.json
"""

import core.startup  # noqa: F401  (first: see there)

import argparse
import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeInt
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.files import write_json
from core.log import run_stage, timed
from core.params import Params, read_params
from evaluation.attacks import Attack, list_attacks
from evaluation.intervals import measure_rates, resample_groups
from models.scoring import check_labels, score_texts
from models.store import load_model, read_digest
from models.threshold import ThresholdParams
from records.schema import Schema
from records.tables import read_rows
from text.normalise import normalise_text

CLEAN = "clean"
# Written for this purpose: the results are in Git, which keeps no message of the data.
EXAMPLE = "WINNER! Claim your free prize: call 09061701461 or visit www.example.com now"
# The attacks are on spam filters: they hide that a message has the positive label.
ATTACKED_TASKS = ("binary",)
DOES_NOT_APPLY = (
    "messages are disguised only if one text is the only feature and there are two labels"
)

logger = logging.getLogger(__name__)


class RobustnessParams(Params):
    """What ``params.yaml`` says of measuring robustness."""

    attacks: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(min_length=1)
    bootstrap_samples: int = Field(ge=100)
    random_state: NonNegativeInt


def choose_attacks(train: pd.DataFrame, params: RobustnessParams) -> dict[str, Attack]:
    """Return the attacks that the parameters name, by name; good words are the training set's.

    Raises
    ------
    UserError
        If there is no such attack.
    """
    negative, positive = train["label"].cat.categories
    texts = {label: train.loc[train["label"] == label, "text"] for label in (negative, positive)}
    attacks = list_attacks(texts[negative].tolist(), texts[positive].tolist())
    for name in params.attacks:
        if name not in attacks:
            raise UserError(
                f"robustness.attacks.{name}: there is no such attack",
                f"choose from {', '.join(attacks)}",
            )
    return {name: attacks[name] for name in params.attacks}


def disguise(
    texts: list[str], attacks: dict[str, Attack], params: RobustnessParams
) -> dict[str, list[str]]:
    """Return the texts as they are, and as each attack changes them."""
    disguised = {CLEAN: texts}
    for name, attack in attacks.items():
        # Each attack gives the same texts whichever others there are.
        rng = np.random.default_rng(params.random_state)
        disguised[name] = [attack(text, rng, params.attacks[name]) for text in texts]
    return disguised


def find_predicted(
    model: Pipeline, positive: str, disguised: dict[str, list[str]], threshold: float
) -> np.ndarray:
    """Return which messages are predicted positive, shape (1 + n_attacks, n_messages)."""
    # Many are the same once normalised, and each of these is scored once.
    normalised = [[normalise_text(text) for text in texts] for texts in disguised.values()]
    distinct = list(dict.fromkeys(text for texts in normalised for text in texts))
    is_predicted = score_texts(model, positive, distinct) >= threshold
    place = {text: i for i, text in enumerate(distinct)}
    return np.array([[is_predicted[place[text]] for text in texts] for texts in normalised])


def measure(
    test: pd.DataFrame,
    examples: dict[str, list[str]],
    predicted: np.ndarray,
    n_samples: int,
    random_state: int,
) -> dict:
    """Return the rates with their intervals, and an example of each attack.

    Parameters
    ----------
    test : DataFrame of shape (n_messages, 3)
        ``label``, ``text``, ``group``.
    examples : dict of str to list of str
        What ``disguise`` returned for one message.
    predicted : ndarray of bool, shape (1 + n_attacks, n_messages)
        What ``find_predicted`` returned.
    n_samples, random_state : int
        Of the bootstrap. All attacks are measured on the same samples.
    """
    is_positive = (test["label"] == test["label"].cat.categories[1]).to_numpy()
    groups = test["group"].to_numpy()
    rng = np.random.default_rng(random_state)
    weights = resample_groups(is_positive, groups, n_samples, rng)
    caught = measure_rates(predicted, is_positive, groups, weights)
    blocked = measure_rates(predicted, ~is_positive, groups, weights)
    measured: dict[str, dict[str, Any]] = {
        name: {"caught": caught[i], "blocked": blocked[i], "example": example}
        for i, (name, [example]) in enumerate(examples.items())
    }
    clean = measured.pop(CLEAN)
    rates = {name: values["caught"]["rate"] for name, values in measured.items()}
    return {
        "worst": min(rates.values()),
        "worst_attack": min(rates, key=rates.__getitem__),
        "mean": round(sum(rates.values()) / len(rates), 6),
        "most_blocked": max(values["blocked"]["rate"] for values in measured.values()),
        "clean": clean,
        "attacks": measured,
    }


def main(argv: list[str] | None = None) -> None:
    """Measure the model on the files that ``argv`` names as the parameters say."""
    parser = argparse.ArgumentParser(description="Measure the model on disguised messages.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--model", type=Path, required=True, help="model to measure")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training rows")
    parser.add_argument("--test", type=Path, required=True, help="Parquet of the test rows")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(argv)
    schema = read_params(args.params, "schema", Schema)
    params = read_params(args.params, "robustness", RobustnessParams)
    threshold = read_params(args.params, "model_evaluation", ThresholdParams).threshold
    head = {"model_sha256": read_digest(args.model)}
    if schema.task not in ATTACKED_TASKS or not schema.is_messages:
        write_json({**head, "applies": False, "reason": DOES_NOT_APPLY}, args.output)
        logger.info("nothing to measure: %s", DOES_NOT_APPLY)
        return
    [column] = schema.text
    sets = [read_rows(path, schema, [column, "group"]) for path in (args.train, args.test)]
    # Whatever the data calls them.
    names = {schema.target: "label", column: "text"}
    train, test = (df.rename(columns=names) for df in sets)
    model = load_model(args.model)
    check_labels(model, schema.classes, args.model)

    attacks = choose_attacks(train, params)
    disguised = disguise(test["text"].tolist(), attacks, params)
    with timed(logger, "scored %d messages in %d disguises", len(test), len(params.attacks)):
        predicted = find_predicted(model, schema.classes[1], disguised, threshold)
    examples = disguise([EXAMPLE], attacks, params)
    found = measure(test, examples, predicted, params.bootstrap_samples, params.random_state)
    write_json({**head, "threshold": threshold, **found}, args.output)
    logger.info("caught: mean %(mean).4f, worst %(worst).4f (%(worst_attack)s)", found)


if __name__ == "__main__":
    run_stage(main)
