"""Find rows that are copies of each other."""

import numpy as np
import pandas as pd

from records.schema import Schema
from text.near_duplicates import group_near_duplicates


def number_groups(
    df: pd.DataFrame, schema: Schema, duplicates: str, similarity: float
) -> pd.Series:
    """Return the group of each row: rows that are copies of each other.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        Rows with normalised texts.
    schema : Schema
        Which columns are features.
    duplicates : {'near', 'exact', 'keep'}
        With ``exact`` the rows of a group have equal features, with ``near`` texts that are almost
        equal and other features that are equal; with ``keep`` each row is a group.
    similarity : float
        From which on two texts are almost equal.
    """
    if duplicates == "keep":
        return pd.Series(np.arange(len(df)), df.index)
    compared = list(schema.features)
    if duplicates == "near" and schema.text:
        texts = ["\n".join(row) for row in zip(*(df[name] for name in schema.text), strict=True)]
        near = group_near_duplicates(texts, similarity)
        others = [column for column in compared if column not in schema.text]
        if not others:
            return pd.Series(near, df.index)
        df, compared = df[others].assign(group=near), [*others, "group"]
    return df.groupby(compared, dropna=False, sort=False, observed=True).ngroup()
