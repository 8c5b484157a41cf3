"""Read and format the score of cross-validation, which is used to compare configurations."""

import csv
from pathlib import Path

from core.errors import UserError

# Suffix of the name of a score's standard deviation over the folds.
DEVIATION = "_std"


def read_cv_scores(path: Path) -> dict[str, float]:
    """Return the mean and standard deviation of the best candidate's score over the folds.

    Parameters
    ----------
    path : Path
        The table that model_building wrote, best candidate first.

    Returns
    -------
    dict of str to float
        The mean, with the name of the score as key, and the deviation, with suffix ``_std``.

    Raises
    ------
    UserError
        If the file does not exist, or is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            best = next(csv.DictReader(file))
        name, mean, deviation = (
            best[column] for column in ("scoring", "mean_test_score", "std_test_score")
        )
        return {name: float(mean), f"{name}{DEVIATION}": float(deviation)}
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run 'dvc repro' to make it") from error
    except (StopIteration, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path} is not a table of cross-validation results", "run 'dvc repro' to make it again"
        ) from error


def pair_deviations(scores: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return mean and deviation of each score, by the name of the score."""
    return {
        name: (mean, scores[f"{name}{DEVIATION}"])
        for name, mean in scores.items()
        if f"{name}{DEVIATION}" in scores
    }


def format_cv_scores(scores: dict[str, float]) -> str:
    """Return the scores as text, such as 'matthews corrcoef 0.9554 ± 0.0062'."""
    return ", ".join(
        f"{name.replace('_', ' ')} {mean:.4f} ± {deviation:.4f}"
        for name, (mean, deviation) in pair_deviations(scores).items()
    )
