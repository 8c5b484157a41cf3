"""Numbers that describe how a message is written."""

import re
from collections.abc import Iterable

import numpy as np

# A phone number has at least 5 digits, with single separators between them.
PATTERNS = {
    "characters": re.compile(r"(?s:.)"),
    "digits": re.compile(r"\d"),
    "capitals": re.compile(r"[A-Z]"),
    "currency_signs": re.compile(r"[$£€¥₹]"),
    "urls": re.compile(
        r"https?://\S+|www\.\S+|\b[\w-]{1,63}\.(?:com|net|org|co\.uk|info|biz)\b", re.I
    ),
    "phone_numbers": re.compile(r"(?<!\d)\+?\d(?:[ ()-]?\d){4,14}(?!\d)"),
}


def count_patterns(texts: Iterable[str]) -> np.ndarray:
    """Count the matches of each of ``PATTERNS`` in each text.

    Returns
    -------
    ndarray of float64, shape (n_texts, 6)
        log(1 + count), to limit the influence of very long messages.
    """
    counts = [[len(p.findall(text)) for p in PATTERNS.values()] for text in texts]
    return np.log1p(np.array(counts, float).reshape(-1, len(PATTERNS)))


def name_patterns(transformer: object, input_features: object) -> list[str]:  # noqa: ARG001
    """Return the names of the columns of ``count_patterns``, for ``FunctionTransformer``."""
    return list(PATTERNS)
