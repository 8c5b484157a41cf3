"""Copies of training messages with good words appended, against attacks with such words."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from pydantic import PositiveInt, model_validator

from core.params import Params
from text.good_words import rank_good_words

# Returns the features of copies of training rows, given their folds, and whose copies they are.
Copier = Callable[[np.ndarray], tuple[sp.csr_matrix, np.ndarray]]


class AugmentationParams(Params):
    """What ``params.yaml`` says of copies with good words."""

    enabled: bool
    min_words: PositiveInt
    max_words: PositiveInt
    most_typical: PositiveInt

    @model_validator(mode="after")
    def values_agree(self) -> "AugmentationParams":
        """Raise ``ValueError`` if the values contradict one another."""
        if self.min_words > self.max_words:
            raise ValueError("min_words is above max_words")
        return self


def append_good_words(
    texts: Sequence[str],
    is_positive: np.ndarray,
    folds: np.ndarray,
    params: AugmentationParams,
    random_state: int,
) -> tuple[list[str], np.ndarray]:
    """Return two copies of each message, with words of negative messages appended.

    The words are drawn from all words of the negative messages for one copy, from the most typical
    ones for the other. They come from the message's own fold, so that a classifier which is fitted
    on the other folds knows nothing of it. Both classes get copies: the words speak for neither.

    Parameters
    ----------
    texts : list of str, length n_rows
        Training messages.
    is_positive : ndarray of bool, shape (n_rows,)
        The class.
    folds : ndarray of int, shape (n_rows,)
        Fold numbers, with negative messages in each.
    params : AugmentationParams
        How many words to append, and how many count as most typical.
    random_state : int
        Seed of the draws.

    Returns
    -------
    copies : list of str, length 2 * n_rows
    origins : ndarray of int, shape (2 * n_rows,)
        The row that each is a copy of.
    """
    rng = np.random.default_rng(random_state)
    copies, origins = [], []
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold).tolist()
        negative = [texts[row] for row in rows if not is_positive[row]]
        positive = [texts[row] for row in rows if is_positive[row]]
        typical = rank_good_words(negative, positive)[: params.most_typical]
        words_of_fold = " ".join(negative).split()
        # Without a word of letters alone, none is typical.
        for words in (np.array(words_of_fold), np.array(typical or words_of_fold)):
            for row in rows:
                n_words = rng.integers(params.min_words, params.max_words, endpoint=True)
                copies.append(" ".join([texts[row], *rng.choice(words, n_words).tolist()]))
                origins.append(row)
    return copies, np.array(origins)


def build_copier(
    texts: Sequence[str],
    is_positive: np.ndarray,
    params: AugmentationParams,
    random_state: int,
    transform: Callable[[list[str]], sp.csr_matrix],
) -> Copier | None:
    """Return what makes the features of copies, or None if no copies are wanted.

    Parameters
    ----------
    texts, is_positive, params, random_state
        As of ``append_good_words``.
    transform : callable
        Returns the features of messages.
    """
    if not params.enabled:
        return None

    def copy_rows(folds: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
        copies, origins = append_good_words(texts, is_positive, folds, params, random_state)
        return transform(copies), origins

    return copy_rows
