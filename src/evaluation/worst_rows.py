"""Show the rows of a table that a model predicts worst."""

import numpy as np
import pandas as pd

from records.schema import Schema


def show_rows(df: pd.DataFrame, order: np.ndarray, schema: Schema, found: dict) -> pd.DataFrame:
    """Return rows with what was found about them.

    Parameters
    ----------
    df : DataFrame
        The stored table.
    order : ndarray of int
        The positions of the rows to show, in order.
    schema : Schema
        What its columns are.
    found : dict of str to array
        Further columns, for the rows in ``order``.

    Returns
    -------
    DataFrame
        ``row`` of the source, the target, what was found, id columns, features. A column of the
        data whose name is among the others has ``data:`` before it.
    """
    chosen = df.iloc[order]
    shown = {"row": chosen["row"], schema.target: chosen[schema.target]}
    if schema.target in found:
        shown = {"row": chosen["row"], f"data:{schema.target}": chosen[schema.target]}
    shown |= found
    for column in (*schema.id, *schema.features):
        shown[f"data:{column}" if column in shown else column] = chosen[column]
    return pd.DataFrame(shown, index=chosen.index)
