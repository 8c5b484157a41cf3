"""Numbers that describe how a message is written."""

import re
import string
from collections.abc import Iterable

import numpy as np

from core.tables import list_texts

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
DIGITS, CAPITALS = string.digits.encode(), string.ascii_uppercase.encode()
# Each URL of an ASCII text has one of these, in any case.
URL_PIECES = ("://", "www.", ".com", ".net", ".org", ".co.uk", ".info", ".biz")


def count_patterns(texts: Iterable[str]) -> np.ndarray:
    """Count the matches of each of ``PATTERNS`` in each text.

    Returns
    -------
    ndarray of float64, shape (n_texts, 6)
        log(1 + count), to limit the influence of very long messages.
    """
    counts = [count_text(text) for text in list_texts(texts)]
    return np.log1p(np.array(counts, float).reshape(-1, len(PATTERNS)))


def count_text(text: str) -> list[int]:
    """Count what ``PATTERNS`` names in a text, without searching for what it cannot have."""
    is_ascii = text.isascii()
    encoded = text.encode("utf-8", "surrogatepass")
    if is_ascii:
        digits = len(encoded) - len(encoded.translate(None, DIGITS))
        may_have_url = any(map(text.lower().__contains__, URL_PIECES))
    else:
        digits, may_have_url = len(PATTERNS["digits"].findall(text)), True
    return [
        len(text),
        digits,
        len(encoded) - len(encoded.translate(None, CAPITALS)),
        text.count("$") if is_ascii else len(PATTERNS["currency_signs"].findall(text)),
        len(PATTERNS["urls"].findall(text)) if may_have_url else 0,
        len(PATTERNS["phone_numbers"].findall(text)) if digits >= MIN_PHONE_DIGITS else 0,
    ]


def name_patterns(transformer: object, input_features: object) -> list[str]:  # noqa: ARG001
    """Return the names of the columns of ``count_patterns``, for ``FunctionTransformer``."""
    return list(PATTERNS)
