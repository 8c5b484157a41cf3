"""Normalise the text of a message: the first thing done to it, in training and in use."""

import re
import unicodedata
from functools import cache

# As in UAX 15's Stream-Safe Text Format. No language needs more, and putting n of them in order
# takes time that grows with n squared.
MAX_MARKS = 30
# Characters that are normalised at a time to count them.
PIECE = 256


@cache
def compile_excess() -> re.Pattern[str]:
    """Return a pattern of a run of more than ``MAX_MARKS`` combining marks; group 1 may stay."""
    # There are none outside this range. Some become marks only by normalising.
    marks = "".join(
        character
        for character in map(chr, range(0x300, 0x1F000))
        if all(map(unicodedata.combining, unicodedata.normalize("NFKD", character)))
    )
    return re.compile(f"([{marks}]{{{MAX_MARKS}}})[{marks}]+")


def limit_marks(text: str) -> str:
    """Leave out what exceeds ``MAX_MARKS`` combining marks in a row."""
    return compile_excess().sub(r"\1", text) if len(text) > MAX_MARKS else text


def normalise_text(text: str) -> str:
    """Return ``text`` in Unicode form NFKC, each run of white space as one blank.

    Where normalising has to put combining marks in order, the first 30 of a run are kept.
    Normalising twice changes nothing, and the time is proportional to the length.
    Reference: Unicode Standard Annex 15.

    >>> normalise_text(" ＦＲＥＥ\\tentry\\u00a0now ")
    'FREE entry now'
    """
    if not unicodedata.is_normalized("NFKC", text):
        # Normalising makes marks of other characters, so their number is limited again.
        text = limit_marks(unicodedata.normalize("NFKC", limit_marks(text)))
    # White space last: NFKC turns other characters into blanks.
    return " ".join(text.split())


def count_normalised(text: str, limit: int) -> int:
    """Return how many characters ``text`` has once it is normalised, or more than ``limit``.

    One character becomes up to 18. Counting stops at the limit, so that refusing a text takes no
    longer than taking one of that length. Pieces are counted, whose ends may add a few.
    """
    if text.isascii():
        return len(text)
    length = 0
    for start in range(0, len(text), PIECE):
        length += len(normalise_text(text[start : start + PIECE]))
        if length > limit:
            break
    return length
