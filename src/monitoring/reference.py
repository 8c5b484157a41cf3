"""The reference that new data is compared with: signals of the test set, by the final model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict
from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.files import atomic_path
from evaluation.scores import Evaluation, EvaluationParams, Scored
from models.description import Description
from monitoring.quality import Expected, as_matrix, expect
from monitoring.signals import Signal, list_signals, measure_signals
from monitoring.trigrams import Trigrams, learn_trigrams, read_trigrams

# Of the test set, evenly over its order: more would hardly find smaller differences.
MAX_ROWS = 10_000
KEY = "reference"


class About(BaseModel):
    """What a reference says about itself, stored beside its rows.

    Attributes
    ----------
    model_sha256 : str
        Of the model's file.
    signals : list of Signal
        The columns.
    seen : dict of str to str
        The trigrams of the training texts, by column.
    shares : list of float
        Mean probability of each label; none of a number.
    metrics, expected : dict of str to float
        Metrics of the test set, as measured and as its probabilities let expect.
    """

    model_config = ConfigDict(protected_namespaces=(), frozen=True)

    model_sha256: str
    signals: list[Signal]
    seen: dict[str, str]
    shares: list[float]
    metrics: dict[str, float]
    expected: dict[str, float]


@dataclass(frozen=True)
class Reference:
    """Signals of the test set, shape (n_rows, n_signals), and what else is known of it."""

    about: About
    rows: pd.DataFrame

    @property
    def seen(self) -> dict[str, Trigrams]:
        """The trigrams of the training texts, by column."""
        return {column: read_trigrams(text) for column, text in self.about.seen.items()}


def build_reference(
    model: Pipeline,
    description: Description,
    sha256: str,
    train: pd.DataFrame,
    test: Scored,
    task: Evaluation,
    metrics: Mapping[str, float],
    params: EvaluationParams,
) -> Reference:
    """Return the reference of a model.

    Parameters
    ----------
    model, description, sha256
        The model, what it takes, and the digest of its file.
    train : DataFrame of shape (n_rows, n_columns)
        The features of the training rows, as stored.
    test : Scored
        The test set, with what the model predicts.
    task, metrics, params
        The evaluation, and the metrics of the test set.
    """
    seen = {
        column.name: learn_trigrams(train[column.name].fillna("").tolist())
        for column in description.columns
        if column.kind == "text"
    }
    n_rows = len(test.df)
    chosen = test.take(np.linspace(0, n_rows - 1, min(n_rows, MAX_ROWS)).astype(int))
    rows = measure_signals(
        model, description, chosen.df.reset_index(drop=True), chosen.predicted, seen
    )
    shares = np.empty(0)
    expected = Expected({}, {})
    if description.classes:
        shares = as_matrix(test.predicted).mean(axis=0)
        expected = expect(task, description.classes, test.predicted, shares, params)
    about = About(
        model_sha256=sha256,
        signals=list_signals(description),
        seen={column: trigrams.write() for column, trigrams in seen.items()},
        shares=[task.tidy(share) for share in shares],
        metrics={name: metrics[name] for name in task.shown if name in metrics},
        expected=expected.metrics,
    )
    return Reference(about, rows)


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference as Parquet; equal references give equal bytes."""
    table = pa.Table.from_pandas(reference.rows, preserve_index=False)
    about = {KEY: reference.about.model_dump_json(exclude_defaults=True)}
    # With metadata in the schema, Arrow would store them twice.
    table = table.replace_schema_metadata(None)
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, table.schema, store_schema=False) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata(about)


def read_reference(path: Path, model: Path, sha256: str) -> Reference:
    """Read the reference of a model.

    Raises
    ------
    UserError
        If the file does not exist, is no reference, or is one of another model.
    """
    if not path.is_file():
        raise UserError(
            f"{path} does not exist: there is nothing to compare with",
            "run 'dvc repro' to make it, or name the model's reference with --reference",
        )
    try:
        table = pq.read_table(path)
        about = About.model_validate_json(table.schema.metadata[KEY.encode()])
        rows = table.to_pandas()
        missing = [each.name for each in about.signals if each.name not in rows]
    except Exception as error:  # pyarrow raises its own types for a damaged file
        raise UserError(
            f"{path} is not a reference of a model", "run 'dvc repro' to make it again"
        ) from error
    if missing:
        raise UserError(f"{path} has no column {missing[0]!r}", "run 'dvc repro' to make it again")
    if about.model_sha256 != sha256:
        raise UserError(
            f"{path} is the reference of model {about.model_sha256[:12]}, but {model} is model "
            f"{sha256[:12]}",
            "run 'dvc repro', or name this model's reference with --reference",
        )
    return Reference(about, rows)
