"""Numbers that describe how a message is written."""

import re
from collections.abc import Iterable

import numpy as np

# A phone number has at least 5 digits, with single separators between them.
MIN_PHONE_DIGITS = 5
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
    counts = [count_text(text) for text in texts]
    return np.log1p(np.array(counts, float).reshape(-1, len(PATTERNS)))


def count_text(text: str) -> list[int]:
    """Count what ``PATTERNS`` names in a text, without searching for what it cannot have."""
    digits = len(PATTERNS["digits"].findall(text))
    may_have_url = "." in text or "//" in text
    return [
        len(text),
        digits,
        len(PATTERNS["capitals"].findall(text)),
        len(PATTERNS["currency_signs"].findall(text)),
        len(PATTERNS["urls"].findall(text)) if may_have_url else 0,
        len(PATTERNS["phone_numbers"].findall(text)) if digits >= MIN_PHONE_DIGITS else 0,
    ]


def name_patterns(transformer: object, input_features: object) -> list[str]:  # noqa: ARG001
    """Return the names of the columns of ``count_patterns``, for ``FunctionTransformer``."""
    return list(PATTERNS)
