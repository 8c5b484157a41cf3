"""What the stage robustness measured."""

import json
from pathlib import Path
from typing import Any

from core.errors import UserError


def read_robustness(path: Path, sha256: str) -> dict[str, Any]:
    """Return the content of a file that the stage robustness wrote.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Of the model's file that it must be about.

    Raises
    ------
    UserError
        If there is no such file, or it is about another model.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        measured = found["model_sha256"]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run 'dvc repro' to make it") from error
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} does not hold what the stage robustness measures"
        raise UserError(message, "run 'dvc repro' to make it again") from error
    if measured != sha256:
        message = f"{path} is about model {measured[:12]}, not about model {sha256[:12]}"
        raise UserError(message, "run 'dvc repro' to measure this one")
    return found
