"""Readable names of features."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import Pipeline

# The branches of a text column. Their names come before those of their features.
TEXT_BRANCHES = ("words", "characters", "statistics")


def name_features(columns: ColumnTransformer, chosen: np.ndarray | None = None) -> np.ndarray:
    """Return readable names of fitted features, such as 'price', 'cut=Ideal' or 'words: free'.

    Parameters
    ----------
    columns : ColumnTransformer
        As ``features.branches.build_columns`` returns it, fitted.
    chosen : ndarray of int, shape (n_chosen,), optional
        The numbers of the features to name; without, all of them.

    Returns
    -------
    ndarray of str, shape (n_chosen,)
    """
    if chosen is None:
        chosen = np.arange(max(place.stop for place in columns.output_indices_.values()))
    names = np.empty(len(chosen), object)
    inputs = {branch: read for branch, _, read in columns.transformers_}
    for branch, place in columns.output_indices_.items():
        is_here = (place.start <= chosen) & (chosen < place.stop)
        if not is_here.any():
            continue
        numbers = chosen[is_here] - place.start
        transformer = columns.named_transformers_[branch]
        if isinstance(transformer, Pipeline) and isinstance(transformer[0], HashingVectorizer):
            terms = numbers.astype(str)
        else:
            read = inputs[branch]
            terms = transformer.get_feature_names_out([read] if isinstance(read, str) else read)
            terms = np.asarray(terms)[numbers]
        if branch.startswith(TEXT_BRANCHES):
            terms = [f"{branch}: {term.replace(' ', '␣')}" for term in terms]
        names[is_here] = terms
    return names
