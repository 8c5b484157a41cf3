"""Normalise the text of a message: the first step of processing, in training and prediction."""

import re
import unicodedata
from functools import cache
from itertools import accumulate, pairwise

from text.look_alikes import LOOK_ALIKES

# As in UAX 15's Stream-Safe Text Format. No language needs more, and sorting n marks takes time
# that grows with n squared.
MAX_MARKS = 30
# Characters to normalise at a time in order to count them.
PIECE = 256
# What shows nothing: Unicode's property Default_Ignorable_Code_Point, as of version 15.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Four single characters in a row or more: 8 of the corpus's 5,160 messages have that. Three, such
# as "c u r", are ordinary in texting. The second pattern is quick and finds where to look.
SPACED = re.compile(r"(?<!\S)\S(?:\s++\S(?!\S)){3,}")
MAY_BE_SPACED = re.compile(r" \S \S ")
WIDE_GAP = re.compile(r"\s{2,}")
# Four letters or more with a mark between, as in 'f.r.e.e': no message of the corpus has that.
POINTED = re.compile(r"(?<![^\W_])[A-Za-z](?:[.*_-][A-Za-z](?![^\W_])){3,}")
MAY_BE_POINTED = re.compile(r"[.*_-][A-Za-z][.*_-][A-Za-z][.*_-]")
MARK = re.compile("[.*_-]")
ALIKE = "".join(map(chr, LOOK_ALIKES))
LOOK_ALIKE = re.compile(f"[{ALIKE}]")
# Letters that neither are Latin nor look so.
OTHER_LETTER = re.compile(rf"[^\W\d_\x00-\u024f\u1e00-\u1eff{ALIKE}]")
ASCII_LETTER = re.compile("[A-Za-z]")
WORD = re.compile(r"\w+")
# From so many look-alikes on, a text may be Latin in disguise, unless it has many other letters of
# their scripts: they are half of the small letters of Russian and Greek. Capitals do not show it:
# Moscow in Russian capitals is made of look-alikes.
MANY_LOOK_ALIKES = 20
MAX_OTHER_SHARE = 1 / 6
# A text with so many accented letters, and with accents on so much of its letters, is in disguise.
# Vietnamese, which has the most, has them on a third, and on half in some short texts.
MANY_ACCENTED = 10
MIN_ACCENTED_SHARE = 0.5
ACCENT = re.compile("([A-Za-z])[\u0300-\u036f]+")


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


def compose(text: str) -> str:
    """Return ``text`` in Unicode form NFKC, without characters that show nothing."""
    text = IGNORABLE.sub("", text)
    if not unicodedata.is_normalized("NFKC", text):
        # Normalising can turn other characters into marks, so their number is limited again.
        text = limit_marks(unicodedata.normalize("NFKC", limit_marks(text)))
    return text


def join_letters(spaced: str) -> str:
    """Join spaced letters, except before a letter or mark that NFKC would compose or reorder."""
    joined = "".join(spaced.split())
    if joined.isascii():
        return joined
    pieces = [
        f" {after}"
        if unicodedata.combining(after) or not unicodedata.is_normalized("NFKC", before + after)
        else after
        for before, after in pairwise(joined)
    ]
    return "".join([joined[0], *pieces])


def fold_accents(text: str) -> str:
    """Remove accents from the ASCII letters of a text that has them on every second one or more.

    That is more than any language needs.
    """
    apart = unicodedata.normalize("NFD", text)
    n_accented = len(ACCENT.findall(apart))
    if n_accented < MANY_ACCENTED:
        return text
    if n_accented < MIN_ACCENTED_SHARE * len(ASCII_LETTER.findall(apart)):
        return text
    return unicodedata.normalize("NFC", ACCENT.sub(r"\1", apart))


def join_run(run: re.Match[str]) -> str:
    """Join spaced letters; where gaps differ, the wider ones separate words."""
    words = WIDE_GAP.split(run[0])
    if max(map(len, words)) == 1:
        return join_letters(run[0])
    return " ".join(map(join_letters, words))


def separate_words(text: str) -> str:
    """Return the words of ``text`` with one blank between, letters joined as in 'f r e e'."""
    words = " ".join(text.split())
    if MAY_BE_SPACED.search(words):
        # The second time for one-letter words that were left between wide gaps.
        words = SPACED.sub(join_run, " ".join(SPACED.sub(join_run, text).split()))
    return words


def is_disguised(text: str) -> bool:
    """Return whether the letters of other scripts in a text stand for Latin ones."""
    alike, n_other = LOOK_ALIKE.findall(text), len(OTHER_LETTER.findall(text))
    if n_other == 0:
        return len(alike) >= MANY_LOOK_ALIKES or ASCII_LETTER.search(text) is not None
    n_small = sum(map(str.islower, alike))
    return n_small >= MANY_LOOK_ALIKES and n_other <= MAX_OTHER_SHARE * (n_small + n_other)


def fold_look_alikes(text: str) -> str:
    """Replace letters of other scripts that look like ASCII letters, where these are meant.

    They are meant in words that have ASCII letters, and in all words of a disguised text. Each is
    replaced by one letter, so words keep their length.
    """
    if not LOOK_ALIKE.search(text):
        return text
    is_everywhere = is_disguised(text)

    def fold(word: re.Match[str]) -> str:
        if not is_everywhere and not ASCII_LETTER.search(word[0]):
            return word[0]
        # NFKC would compose an ASCII letter with an accent that follows.
        after = text[word.end() : word.end() + 1]
        end = len(word[0]) - (after != "" and unicodedata.combining(after) > 0)
        return word[0][:end].translate(LOOK_ALIKES) + word[0][end:]

    return WORD.sub(fold, text)


def normalise_text(text: str) -> str:
    """Return ``text`` in one form, however it is disguised from programs but not from readers.

    That is Unicode form NFKC without characters that show nothing, each run of white space as one
    blank, letters with blanks or points between joined, look-alikes of other scripts as ASCII
    letters, and no accents if every second letter has one. Where normalising has to put combining
    marks in order, the first 30 of a run are kept.
    Normalising twice changes nothing, and the time is proportional to the length.
    References: Unicode Standard Annex 15, Unicode Technical Standard 39.

    >>> normalise_text(" ＦＲＥＥ\\tentry\\u00a0now ")
    'FREE entry now'
    >>> normalise_text("f r e e   е\\u200bntry")
    'free entry'
    """
    if text.isascii():
        words = separate_words(text)
    else:
        # Before words are separated, for NFKC turns other characters into blanks.
        words = fold_look_alikes(separate_words(fold_accents(compose(text))))
    if MAY_BE_POINTED.search(words):
        words = POINTED.sub(lambda run: MARK.sub("", run[0]), words)
    return words


def pair_words(text: str) -> list[tuple[str, list[str]]]:
    """Return the words of ``text`` as received, each with what ``normalise_text`` makes of it.

    Words that become one stand together, with one blank between: 'f r e e'. A word may become
    several, or none if it shows nothing.
    """
    composed = fold_accents(compose(text))
    # Joining words leaves each character its place among those that are not blank.
    owners = [n for n, word in enumerate(separate_words(composed).split()) for _ in word]
    ends = list(accumulate(map(len, composed.split())))
    normalised = normalise_text(text).split()
    pairs: list[tuple[str, list[str]]] = []
    n_pieces, n_words, shared = 0, 0, 0
    for word in text.split():
        first, n_pieces = n_pieces, n_pieces + len(compose(word).split())
        if first == n_pieces:
            pairs.append((word, []))
            continue
        if owners[ends[first] - 1] < n_words:
            # It goes on with the last word of the pair at ``shared``.
            word = " ".join([each for each, _ in pairs[shared:]] + [word])
            made = pairs[shared][1]
            del pairs[shared:]
        else:
            made = []
        start, n_words = n_words, owners[ends[n_pieces - 1] - 1] + 1
        shared = len(pairs)
        pairs.append((word, made + normalised[start:n_words]))
    return pairs


def count_normalised(text: str, limit: int) -> int:
    """Return the number of characters of ``text`` after normalising, or a number above ``limit``.

    One character can become 18. Counting stops at the limit, so rejecting a text takes no longer
    than normalising one of that length. Joined letters and removed blanks still count, so the
    result can be too high by a few characters. An ASCII text counts as received.
    """
    if text.isascii():
        return len(text)
    length = 0
    for start in range(0, len(text), PIECE):
        length += len(compose(text[start : start + PIECE]))
        if length > limit:
            break
    return length
