"""Render the report of an evaluation: one HTML page without external files."""

from base64 import b64encode
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.cv_scores import format_cv_scores

TEMPLATES = Path(__file__).parent


def render_report(
    metrics: dict,
    intervals: dict,
    robustness: dict,
    errors: pd.DataFrame,
    pictures: dict[str, bytes],
    labels: list[str],
    sizes: dict[str, int],
) -> str:
    """Return the report as an HTML page.

    Parameters
    ----------
    metrics, intervals : dict of str to dict
        Those of the sets ``test`` and ``train``; ``metrics`` also has ``cv`` and
        ``operating_point``.
    errors : DataFrame
        The rows that the model classifies wrongly: ``row``, ``label``, ``probability``, ``text``.
    pictures : dict of str to bytes
        PNG files, by title.
    labels : list of str
        The negative and the positive label.
    sizes : dict of str to int
        The number of rows in ``test`` and ``train``.
    robustness : dict
        What the stage robustness measured.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        metrics=metrics,
        cv_scores=format_cv_scores(metrics["cv"]),
        intervals=intervals,
        robustness=robustness,
        errors=errors.to_dict("records"),
        pictures={name: b64encode(content).decode() for name, content in pictures.items()},
        labels=labels,
        sizes=sizes,
    )
