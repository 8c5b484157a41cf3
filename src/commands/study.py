"""Compare configurations by cross-validation on the training set: table and plot under reports/.

By hand: python src study --params params.yaml --train data/interim/train.parquet \
    --output reports/study

The test set is not read, so that it can still measure the chosen configuration fairly.
"""

import argparse
import copy
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from tqdm import tqdm

from core.errors import UserError
from core.files import write_text
from core.log import run_stage
from core.markdown import align_table
from core.params import check_section, read_sections
from core.tables import read_table, write_csv
from evaluation import figures
from evaluation.metrics import weighted_metrics
from features.branches import FeatureParams, build_columns, locate_branches, select_columns
from features.matrices import as_float32
from models.augmentation import build_copier
from models.cross_validation import convert_scores, find_truth, score_rows
from models.estimators import ModelParams, build_estimator
from models.folds import assign_folds, list_splits
from models.probability import predict_positive
from models.scorers import score_folds
from models.threshold import ThresholdParams
from models.training import fit_table, list_targets
from records.schema import Schema, read_message_schema
from text.tokens import TextParams, prepare_messages

CHOSEN = "params.yaml"
LOGISTIC = {"model_building.estimator": "logistic_regression"}
# What each configuration changes in params.yaml.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    CHOSEN: {},
    "C = 1": {"model_building.params.C": 1},
    "C = 10": {"model_building.params.C": 10},
    "one logistic regression": LOGISTIC,
    "one, without statistics": {
        **LOGISTIC,
        "feature_engineering.statistics.enabled": False,
    },
    "no copies with good words": {"model_building.augmentation.enabled": False},
    "no class weights": {"model_building.class_weight": None},
    "words only": {"feature_engineering.characters.enabled": False},
    "single words only": {
        "feature_engineering.characters.enabled": False,
        "feature_engineering.words.max_ngram": 1,
    },
    "characters only": {"feature_engineering.words.enabled": False},
    "characters up to 2": {"feature_engineering.characters.max_ngram": 2},
    "characters 1 to 4": {
        "feature_engineering.characters.min_ngram": 1,
        "feature_engineering.characters.max_ngram": 4,
    },
    "characters up to 4": {"feature_engineering.characters.max_ngram": 4},
    "characters up to 5": {"feature_engineering.characters.max_ngram": 5},
    "n-grams of 2 messages or more": {
        "feature_engineering.words.min_df": 2,
        "feature_engineering.characters.min_df": 2,
    },
    "without statistics": {"feature_engineering.statistics.enabled": False},
    "words, characters and statistics": {
        "model_building.params.members": [["words"], ["characters", "statistics"]]
    },
    "counts": {
        "feature_engineering.words.vectorizer": "count",
        "feature_engineering.characters.vectorizer": "count",
    },
    "hashing": {
        "feature_engineering.words.vectorizer": "hashing",
        "feature_engineering.words.max_features": 2**16,
        "feature_engineering.characters.vectorizer": "hashing",
        "feature_engineering.characters.max_features": 2**18,
    },
    "no stemming": {"preprocessing.stemmer": "none"},
    "Porter stemmer": {"preprocessing.stemmer": "porter"},
    "stop words removed": {"preprocessing.stop_words": "english"},
    "case kept": {"preprocessing.lowercase": False},
    "linear SVM": {"model_building.estimator": "linear_svc", "model_building.params": {"C": 1}},
    "SGD": {"model_building.estimator": "sgd", "model_building.params": {}},
    "complement naive Bayes": {
        "model_building.estimator": "complement_nb",
        "model_building.params": {"alpha": 0.1},
    },
    "multinomial naive Bayes": {
        "model_building.estimator": "multinomial_nb",
        "model_building.params": {"alpha": 0.1},
    },
    "random forest": {"model_building.estimator": "random_forest", "model_building.params": {}},
    "extra trees": {"model_building.estimator": "extra_trees", "model_building.params": {}},
}
SCORES = ["matthews_corrcoef", "f1", "average_precision"]
# More repeats, each with folds of its own, take as many times as long.
REPEATS = 1
# The pipeline's test set is one of so many parts of equal size.
N_PARTS = 5
DEAL_METRICS = {"mcc": "Matthews correlation", "recall": "recall", "fpr": "false-positive rate"}

logger = logging.getLogger(__name__)


def change_params(sections: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the parameters with the values at dotted keys changed."""
    sections = copy.deepcopy(sections)
    for key, value in changes.items():
        *path, name = key.split(".")
        section = sections
        for part in path:
            section = section[part]
        section[name] = value
    return sections


def score_configuration(
    train: pd.DataFrame, sections: dict[str, Any], path: Path, repeats: int
) -> pd.DataFrame:
    """Cross-validate one configuration; its features are fitted in each fold.

    Parameters
    ----------
    train : DataFrame of shape (n_rows, 3)
        Target, text and ``group`` of the training set.
    sections : dict
        The parameters.
    path : Path
        Where they come from, for messages.
    repeats : int
        How many times to draw new folds.

    Returns
    -------
    DataFrame of shape (repeats * n_folds, 4)
        The scores, and the seconds that fitting features and classifier took.
    """
    schema = check_section(sections, "schema", Schema, path)
    features = check_section(sections, "feature_engineering", FeatureParams, path)
    text = check_section(sections, "preprocessing", TextParams, path)
    model = check_section(sections, "model_building", ModelParams, path)
    df, y = prepare(train, schema, text), list_targets(train[schema.target])
    truth = find_truth(y, schema)
    copier = build_copier(
        train[schema.text[0]].tolist(),
        truth,
        model.augmentation,
        model.random_state,
        partial(prepare_messages, **text.model_dump()),
    )
    results = []
    for seed in range(repeats):
        folds = assign_folds(truth, train["group"].to_numpy(), model.search.cv, seed)
        copies, origins = copier(folds) if copier else (df.head(0), np.empty(0, int))
        raw, seconds = np.empty(len(y)), []
        for others, held_out in list_splits(folds):
            start = time.perf_counter()
            columns = build_columns(schema, features)
            X, labels = columns.fit_transform(df.iloc[others]), y[others]
            if len(copies):
                is_used = np.isin(origins, others)
                X = sp.vstack([X, columns.transform(copies[is_used])])
                labels = np.concatenate([labels, y[origins[is_used]]])
            estimator = build_estimator(model, schema, locate_branches(columns))
            estimator.fit(as_float32(X), labels)
            seconds.append(time.perf_counter() - start)
            raw[held_out] = score_rows(estimator, as_float32(columns.transform(df.iloc[held_out])))
        probability = convert_scores(estimator, raw, y, folds, schema)
        scores = {name: score_folds(truth, probability, folds, name) for name in SCORES}
        results.append(pd.DataFrame({**scores, "seconds": seconds}))
    return pd.concat(results, ignore_index=True)


def prepare(table: pd.DataFrame, schema: Schema, text: TextParams) -> pd.DataFrame:
    """Return a table of messages with what their features are made from."""
    messages = prepare_messages(table[schema.text[0]], **text.model_dump())
    return messages.assign(**{column: table[column].array for column in list_columns(schema)})


def list_columns(schema: Schema) -> list[str]:
    """Return the columns of a table that are read, the target first."""
    return [schema.target, *schema.text, "group"]


def measure_deals(
    table: pd.DataFrame, sections: dict[str, Any], path: Path, n_deals: int
) -> pd.DataFrame:
    """Split all messages at random again and again; fit on most of them, measure on the others.

    The test set of the pipeline is one draw. This shows how much the draw matters. Groups of
    near-duplicates stay together, and a fifth of the messages are measured on, as in the pipeline.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, 3)
        Target, text and ``group`` of both sets.
    sections : dict
        The parameters.
    path : Path
        Where they come from, for messages.
    n_deals : int
        How many splits.

    Returns
    -------
    DataFrame of shape (n_deals, 3)
        Matthews correlation, recall and false-positive rate on the messages not fitted on.
    """
    schema = check_section(sections, "schema", Schema, path)
    features = check_section(sections, "feature_engineering", FeatureParams, path)
    model = check_section(sections, "model_building", ModelParams, path)
    threshold = check_section(sections, "model_evaluation", ThresholdParams, path).threshold
    text = check_section(sections, "preprocessing", TextParams, path)
    df = prepare(table, schema, text)
    is_positive, groups = (df[schema.target] == schema.positive).to_numpy(), df["group"].to_numpy()
    rows = []
    for deal in tqdm(range(n_deals), desc="deals"):
        is_test = assign_folds(is_positive, groups, N_PARTS, deal) == 0
        columns, classifier = fit_table(df[~is_test], schema, features, text, model)
        X_test = as_float32(columns.transform(select_columns(df[is_test], schema)))
        probability = predict_positive(classifier, schema.label_pair.positive, X_test)
        once = np.ones((1, is_test.sum()))
        found = weighted_metrics(is_positive[is_test], probability, once, threshold, 0)
        rows.append({name: found[name].item() for name in DEAL_METRICS})
    return pd.DataFrame(rows)


def tabulate_deals(deals: pd.DataFrame) -> str:
    """Return mean, standard deviation and extremes of the deals as a Markdown table."""
    rows = [[f"metric, {len(deals)} splits", "mean", "standard deviation", "lowest", "highest"]]
    for name, meaning in DEAL_METRICS.items():
        values = deals[name]
        numbers = (values.mean(), values.std(ddof=1), values.min(), values.max())
        rows.append([meaning, *(f"{number:.4f}" for number in numbers)])
    return align_table(rows)


def summarise(measured: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each configuration, best first.

    ``behind`` is how far its MCC is behind the best one's, mean of the differences fold by fold,
    and ``error`` the standard error of that mean.
    """
    rows = []
    score = SCORES[0]
    best = max(measured.values(), key=lambda df: df[score].mean())[score]
    for name, df in measured.items():
        difference = best - df[score]
        rows.append(
            {
                "configuration": name,
                **df[SCORES].mean(),
                "behind": difference.mean(),
                "error": difference.std(ddof=1) / np.sqrt(len(difference)),
                "seconds": df["seconds"].median(),
            }
        )
    return pd.DataFrame(rows).sort_values(score, ascending=False, ignore_index=True)


def make_table(summary: pd.DataFrame) -> str:
    """Return the summary as a Markdown table."""
    names = ["MCC", "F1", "average precision"]
    rows = [["configuration", *names, "MCC behind the best", "seconds to fit"]]
    for row in summary.to_dict("records"):
        scores = (f"{row[name]:.4f}" for name in SCORES)
        behind = f"{row['behind']:.4f} ± {row['error']:.4f}" if row["behind"] else "best"
        rows.append([row["configuration"], *scores, behind, f"{row['seconds']:.2f}"])
    return align_table(rows)


def draw_summary(summary: pd.DataFrame) -> figures.Figure:
    """Draw quality against training time, a point for each configuration."""
    figure, axes = figures.make_axes(
        "Quality and training time", "seconds to fit", "Matthews correlation", height=6, width=9
    )
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position((left, bottom, 0.7 * width, height))
    axes.set_xscale("log")
    # Names are in the margin, in the order of the points, so that none covers another.
    for place, row in enumerate(summary.to_dict("records")):
        colour = figures.POSITIVE if row["configuration"] == CHOSEN else figures.NEGATIVE
        point = (row["seconds"], row[SCORES[0]])
        axes.plot(*point, "o", color=colour)
        axes.annotate(
            row["configuration"],
            point,
            (1.03, 1 - (place + 0.5) / len(summary)),
            textcoords="axes fraction",
            va="center",
            size=9,
            color=colour,
            arrowprops={
                "arrowstyle": "-",
                "color": figures.NEUTRAL,
                "linewidth": 0.4,
                "relpos": (0, 0.5),
            },
        )
    return figure


def measure_draws(args: argparse.Namespace, train: pd.DataFrame, sections: dict[str, Any]) -> None:
    """Write and print what ``measure_deals`` finds.

    Raises
    ------
    UserError
        If there are fewer than two splits, or no test set.
    """
    if args.deals < 2 or args.test is None:
        raise UserError("--deals needs a number from 2 on, and the test set with --test")
    table = pd.concat([train, read_table(args.test, list(train.columns))], ignore_index=True)
    deals = tabulate_deals(measure_deals(table, sections, args.params, args.deals))
    write_text(f"{deals}\n", args.output.with_name("deals.md"))
    print(deals)


def main(argv: list[str] | None = None) -> None:
    """Compare the configurations on the training set that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Compare configurations by cross-validation.")
    parser.add_argument("--params", type=Path, required=True, help="params.yaml")
    parser.add_argument("--train", type=Path, required=True, help="Parquet of the training set")
    parser.add_argument("--output", type=Path, required=True, help="table, CSV and plot to write")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how often to draw new folds")
    parser.add_argument("--test", type=Path, help="Parquet of the test set, for --deals")
    parser.add_argument(
        "--deals", type=int, help="instead: split both sets again so many times, and measure each"
    )
    args = parser.parse_args(argv)
    sections = read_sections(args.params)
    train = read_table(args.train, list_columns(read_message_schema(args.params)))
    if args.deals:
        measure_draws(args, train, sections)
        return

    measured = {}
    for name, changes in tqdm(CONFIGURATIONS.items(), desc="configurations"):
        changed = change_params(sections, changes)
        measured[name] = score_configuration(train, changed, args.params, args.repeats)
        logger.info("%s: MCC %.4f", name, measured[name][SCORES[0]].mean())
    summary = summarise(measured)
    table = make_table(summary)
    write_csv(summary.round(6), args.output.with_suffix(".csv"))
    write_text(f"{table}\n", args.output.with_suffix(".md"))
    figures.save_figure(draw_summary(summary), args.output.with_suffix(".png"))
    print(table)


def run_program() -> None:
    run_stage(main)
