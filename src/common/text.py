"""Normalise the text of a message: the first thing done to it, in training and in use."""

import unicodedata


def normalise_text(text: str) -> str:
    """Return ``text`` in Unicode form NFKC, each run of white space as one blank.

    Normalising twice changes nothing. Reference: Unicode Standard Annex 15.

    >>> normalise_text(" ＦＲＥＥ\\tentry\\u00a0now ")
    'FREE entry now'
    """
    # White space last: NFKC turns other characters into blanks.
    return " ".join(unicodedata.normalize("NFKC", text).split())
