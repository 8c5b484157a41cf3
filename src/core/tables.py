"""Read and write tables: Parquet between stages, CSV for people."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from core.errors import UserError
from core.files import atomic_path


def write_table(df: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet atomically; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        df.to_parquet(temporary, index=False)


def write_csv(df: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV atomically."""
    with atomic_path(path) as temporary:
        df.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read the named columns of a Parquet table.

    Raises
    ------
    UserError
        If the file does not exist, is not Parquet, or lacks a column.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", "run 'dvc repro' to make it")
    try:
        df = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises its own types for a damaged file
        raise UserError(
            f"{path} is not a readable Parquet file ({error})", "run 'dvc repro' to make it again"
        ) from error
    missing = [column for column in columns if column not in df]
    if missing:
        raise UserError(f"{path} has no column {missing[0]!r}, only {', '.join(df.columns)}")
    return df[list(columns)]


def list_texts(texts: Iterable[str]) -> list[str]:
    """Return texts as a list, quickly if they are a column, which is slow to iterate over."""
    return texts.tolist() if isinstance(texts, pd.Series) else list(texts)
