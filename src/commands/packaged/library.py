"""Predict with the model in this package; ``python -m`` and its name runs the service."""

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.loaded import LoadedModel

FILES = Path(__file__).parent / "files"
loading = threading.Lock()

__all__ = ["predict"]


@cache
def load() -> "LoadedModel":
    """Return the model; the first call reads it, which takes a second."""
    from models.loaded import DecisionOptions, load_model_for_use
    from models.store import read_model_file

    path = FILES / "models" / "model.skops"
    return load_model_for_use(
        read_model_file(path), path, DecisionOptions(params=FILES / "params.yaml")
    )


def predict(
    rows: Sequence[Mapping[str, Any] | str], unknown_columns: str = "refuse"
) -> list[dict[str, Any]]:
    """Return the prediction for each row or message, as the service and the command give it.

    Parameters
    ----------
    rows : list of dict or list of str
        The values of each row by column, None for a missing one; or messages, if the model takes
        messages.
    unknown_columns : {'refuse', 'ignore'}
        What to do with columns that the model does not know.

    Raises
    ------
    ValueError
        If a row does not fit the model; the message names the row and the column.
    """
    from models.answers import answer_rows

    with loading:
        loaded = load()
    return answer_rows(loaded, rows, unknown_columns)
