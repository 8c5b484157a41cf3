"""Validate a file as data_validation will, to choose its limits and find columns that leak."""

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import UserError
from records.additions import FIRST_LINE
from records.checks import check_rows
from records.inference import Decision, Inference
from records.leakage import MIN_ROWS, find_leaks, score_column
from records.reading import read_raw
from records.schema import Schema
from records.tasks import TASKS
from records.validation_params import ValidationParams
from records.value_formats import find_series
from text.normalise import normalise_text

# A column with a score above this, but below the limit, gets a comment.
SUSPICIOUS = 0.9


@dataclass(frozen=True)
class Rehearsal:
    """What validation makes of a file.

    Attributes
    ----------
    rows : DataFrame
        The target, features and ids of valid rows, with their types.
    reasons : Counter
        How many rows are rejected for each reason.
    """

    rows: pd.DataFrame
    reasons: Counter[str]


def rehearse(raw: bytes, schema: Schema, params: ValidationParams) -> Rehearsal:
    """Validate the content of a file; the limits of ``params`` on shares do not count."""
    with tempfile.TemporaryDirectory() as folder:
        source, additions = Path(folder, "source"), Path(folder, "additions")
        source.write_bytes(raw)
        additions.write_bytes(FIRST_LINE)
        try:
            table = read_raw(source, additions, schema, params)
        except UserError as error:
            raise UserError(error.message.removeprefix(f"{source}: "), error.fix) from error
    checked = check_rows(table, schema, params)
    reasons = checked.reasons.copy()
    is_valid = reasons == ""
    if schema.is_messages and TASKS[schema.task].has_classes:
        keys = checked.columns.loc[is_valid, schema.text[0]].map(normalise_text)
        labels = checked.columns.loc[is_valid, schema.target].astype("str")
        n_labels = labels.groupby(keys.to_numpy()).transform("nunique").to_numpy()
        reasons[np.flatnonzero(is_valid)[n_labels > 1]] = "same text with different labels"
    is_valid = reasons == ""
    counts = Counter([*reasons[~is_valid], *(unread[1] for unread in table.unread)])
    return Rehearsal(checked.columns[is_valid].reset_index(drop=True), counts)


def find_suspects(
    rehearsal: Rehearsal, schema: Schema, inference: Inference, max_score: float
) -> tuple[dict[str, Decision], list[str]]:
    """Find columns that give the target away almost perfectly.

    Returns
    -------
    left_out : dict of str to Decision
        New decisions, by the columns' names in the file.
    allowed : list of str
        Dates of rows that follow one another in time: from one of them to the next the target
        changes little. The split by time does not let the model use that.
    """
    rows = rehearsal.rows
    originals = {inference.rename.get(name, name): name for name in inference.columns}
    left_out: dict[str, Decision] = {}
    allowed = []
    features = [column for column in schema.features if column not in inference.allow]
    for found, sentence in find_leaks(rows, features, schema, max_score):
        if found in schema.date and not TASKS[schema.task].has_classes and find_series(rows[found]):
            allowed.append(found)
            continue
        pairs = [(a, b) for a in schema.number for b in schema.number if f"{a} + {b}" == found]
        for column in [found] if found in originals else pairs[0]:
            left_out.setdefault(originals[column], Decision("drop", sentence))
    return left_out, allowed


def note_suspects(rehearsal: Rehearsal, schema: Schema, inference: Inference) -> Inference:
    """Add a comment to columns that nearly give the target away."""
    rows, columns = rehearsal.rows, dict(inference.columns)
    scored = {*schema.features} - {*schema.text}
    for name, decision in inference.columns.items():
        column = inference.rename.get(name, name)
        if len(rows) < MIN_ROWS or column not in scored:
            continue
        measure, score = score_column(rows[column], rows[schema.target])
        if score > SUSPICIOUS:
            note = f"predicts the target alone ({measure} {score:.2f}): is it known before?"
            columns[name] = replace(decision, evidence=f"{note} {decision.evidence}")
    return replace(inference, columns=columns)
