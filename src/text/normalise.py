"""Normalise the text of a message: the first step of processing, in training and prediction."""

import re
import unicodedata
from functools import cache

# As in UAX 15's Stream-Safe Text Format. No language needs more, and sorting n marks takes time
# that grows with n squared.
MAX_MARKS = 30
# Characters to normalise at a time in order to count them.
PIECE = 256


@cache
def compile_excess() -> re.Pattern[str]:
    """Return a pattern for runs of more than ``MAX_MARKS`` combining marks; group 1 is kept."""
    # No mark is outside this range. Some characters become marks only when they are normalised.
    marks = "".join(
        character
        for character in map(chr, range(0x300, 0x1F000))
        if all(map(unicodedata.combining, unicodedata.normalize("NFKD", character)))
    )
    return re.compile(f"([{marks}]{{{MAX_MARKS}}})[{marks}]+")


def limit_marks(text: str) -> str:
    """Cut each run of combining marks to the first ``MAX_MARKS``."""
    return compile_excess().sub(r"\1", text) if len(text) > MAX_MARKS else text


def normalise_text(text: str) -> str:
    """Return ``text`` in Unicode form NFKC, each run of white space as one blank.

    If a text is not in NFKC, only the first 30 marks of a run of combining marks are kept.
    Normalising twice changes nothing, and the time is proportional to the length.
    Reference: Unicode Standard Annex 15.

    >>> normalise_text(" ＦＲＥＥ\\tentry\\u00a0now ")
    'FREE entry now'
    """
    if not unicodedata.is_normalized("NFKC", text):
        # Normalising can turn other characters into marks, so their number is limited again.
        text = limit_marks(unicodedata.normalize("NFKC", limit_marks(text)))
    # White space last: NFKC turns other characters into blanks.
    return " ".join(text.split())


def count_normalised(text: str, limit: int) -> int:
    """Return the number of characters of ``text`` after normalising, or a number above ``limit``.

    One character can become 18. Counting stops at the limit, so rejecting a text takes no longer
    than normalising one of that length. The text is counted in pieces, so the result can be too
    high by a few characters at their ends.
    """
    if text.isascii():
        return len(text)
    length = 0
    for start in range(0, len(text), PIECE):
        length += len(normalise_text(text[start : start + PIECE]))
        if length > limit:
            break
    return length
