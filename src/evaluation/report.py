"""The report of an evaluation: one HTML page that needs nothing else."""

from base64 import b64encode
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.cv_scores import format_cv_scores

TEMPLATES = Path(__file__).parent


def render_report(
    metrics: dict,
    intervals: dict,
    errors: pd.DataFrame,
    pictures: dict[str, bytes],
    labels: list[str],
    sizes: dict[str, int],
) -> str:
    """Return one HTML page that needs nothing else: metrics, pictures (PNG), errors."""
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
        errors=errors.to_dict("records"),
        pictures={name: b64encode(content).decode() for name, content in pictures.items()},
        labels=labels,
        sizes=sizes,
    )
