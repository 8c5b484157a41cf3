"""Ways to disguise a message from a filter, so that people can still read it.

Each attack is a pure function of a text, a random generator and an amount: the share of the letters
or words that it changes, or the number of words that it appends. The docstrings name its source:

- [Boucher] N. Boucher et al. Bad Characters: Imperceptible NLP Attacks. IEEE S&P 2022.
- [Eger] S. Eger et al. Text Processing Like Humans Do: Visually Attacking and Shielding NLP
  Systems. NAACL 2019.
- [Gao] J. Gao et al. Black-box Generation of Adversarial Text Sequences to Evade Deep Learning
  Classifiers. IEEE Security and Privacy Workshops 2018.
- [Lowd] D. Lowd, C. Meek. Good Word Attacks on Statistical Spam Filters. CEAS 2005.
- [Ribeiro] M. T. Ribeiro et al. Beyond Accuracy: Behavioral Testing of NLP Models with CheckList.
  ACL 2020.
- [UAX15], [UTS39] Unicode Standard Annex 15, Unicode Technical Standard 39.
- [Wittel] G. L. Wittel, S. F. Wu. On Attacking Statistical Spam Filters. CEAS 2004.
"""

import re
import string
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from text.good_words import rank_good_words
from text.statistics import PATTERNS

Attack = Callable[[str, np.random.Generator, float], str]

LETTERS = string.ascii_letters
# Mostly Cyrillic, Greek and Armenian, and not only letters that UTS 39 lists.
LOOK_ALIKES = dict(
    zip(LETTERS, "аЬсԁеꞙɡһіјκӏｍոορԛⲅѕτսѵԝхуᴢАВСⅮЕϜԌНІЈКⅬМΝОРⵕᎡЅТՍѴԜХҮΖ", strict=True)
)
MATHEMATICAL = {letter: chr(0x1D400 + i) for i, letter in enumerate(LETTERS[26:] + LETTERS[:26])}
FULL_WIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
LEETSPEAK = dict(zip("aeiostbgAEIOSTBG", "4310578943105789", strict=True))
ACCENTED = dict(zip("aceinosuyzACEINOSUYZ", "áçéïñöšüýžÁÇÉÏÑÖŠÜÝŽ", strict=True))
ZERO_WIDTH = "\u200b\u200c\u200d\u2060"
EMOJI = "😀😂😍🎉🔥👍💰🎁"
# The key on the left of each letter, on the right of those on the edge.
NEIGHBOURS = dict(zip(LETTERS[:26], "svxswdfguhjknbiowearycqzts", strict=True))
# Words that are shorter stay readable only if they are spelled correctly.
MIN_LENGTH = 4
CONTACT = re.compile(
    "|".join([PATTERNS["urls"].pattern, PATTERNS["phone_numbers"].pattern, r"\d{4,}"]), re.I
)


def substitute(text: str, rng: np.random.Generator, amount: float, table: dict[str, str]) -> str:
    """Replace a share of the characters that a table has."""
    is_chosen = (rng.random(len(text)) < amount).tolist()
    pairs = zip(text, is_chosen, strict=True)
    return "".join(table.get(old, old) if chosen else old for old, chosen in pairs)


def change_words(
    text: str, rng: np.random.Generator, amount: float, change: Callable[[str], str]
) -> str:
    """Change a share of the words."""
    words = text.split()
    is_chosen = (rng.random(len(words)) < amount).tolist()
    pairs = zip(words, is_chosen, strict=True)
    return " ".join(change(word) if chosen else word for word, chosen in pairs)


def is_plain(word: str) -> bool:
    """Return whether a word is long enough to be read with an error, and has letters alone."""
    return len(word) >= MIN_LENGTH and word.isalpha()


def insert_zero_width(text: str, rng: np.random.Generator, amount: float) -> str:
    """Insert a character of no width after a share of the letters. [Boucher]"""
    chosen = [(letter, letter + mark) for letter in LETTERS for mark in ZERO_WIDTH]
    table = dict(chosen[int(rng.integers(len(ZERO_WIDTH))) :: len(ZERO_WIDTH)])
    return substitute(text, rng, amount, table)


def space_text(text: str, _rng: np.random.Generator, _amount: float) -> str:
    """Write a blank after every character, so that wider gaps separate the words. [Wittel]"""
    return " ".join(text)


def space_words(text: str, rng: np.random.Generator, amount: float) -> str:
    """Write blanks inside a share of the words, as wide as those between words. [Wittel]"""
    return change_words(text, rng, amount, " ".join)


def insert_point(text: str, rng: np.random.Generator, amount: float) -> str:
    """Write a point inside a share of the words. [Wittel]"""

    def change(word: str) -> str:
        place = int(rng.integers(1, max(len(word), 2)))
        return f"{word[:place]}.{word[place:]}" if is_plain(word) else word

    return change_words(text, rng, amount, change)


def point_letters(text: str, rng: np.random.Generator, amount: float) -> str:
    """Write points between all letters of a share of the words. [Wittel]"""
    return change_words(text, rng, amount, lambda w: ".".join(w) if w.isalpha() else w)


def misspell(text: str, rng: np.random.Generator, amount: float) -> str:
    """Swap, drop, double or mistype an inner letter of a share of the words. [Gao]"""

    def change(word: str) -> str:
        place, kind = int(rng.integers(1, max(len(word) - 1, 2))), int(rng.integers(4))
        if not is_plain(word):
            return word
        before, letter, after = word[:place], word[place], word[place + 1 :]
        near = NEIGHBOURS.get(letter.lower(), letter)
        middles = (after[0] + letter + after[1:], after, letter * 2 + after, near + after)
        return before + middles[kind]

    return change_words(text, rng, amount, change)


def append_random(text: str, rng: np.random.Generator, amount: float, words: np.ndarray) -> str:
    """Append so many words, drawn at random. [Lowd]"""
    return " ".join([text, *rng.choice(words, int(amount)).tolist()])


def append_first(text: str, _rng: np.random.Generator, amount: float, words: Sequence[str]) -> str:
    """Append the first so many words. [Lowd]"""
    return " ".join([text, *words[: int(amount)]])


def remove_contacts(text: str, _rng: np.random.Generator, _amount: float) -> str:
    """Remove links and numbers of four digits or more. [Ribeiro]"""
    return CONTACT.sub("", text)


def change_case(
    text: str, _rng: np.random.Generator, _amount: float, change: Callable[[str], str]
) -> str:
    """Change the case of all letters. [Ribeiro]"""
    return change(text)


def insert_emoji(text: str, rng: np.random.Generator, amount: float) -> str:
    """Write an emoji after a share of the words. [Eger]"""
    return change_words(text, rng, amount, lambda w: f"{w} {EMOJI[int(rng.integers(len(EMOJI)))]}")


def list_attacks(negative: Sequence[str], positive: Sequence[str]) -> dict[str, Attack]:
    """Return the attacks by name.

    Parameters
    ----------
    negative, positive : sequence of str
        Texts of each class that an attacker may know, to find good words in.
    """
    words = np.array([word for text in negative for word in text.split()])
    return {
        "look_alikes": partial(substitute, table=LOOK_ALIKES),  # [UTS39], [Boucher]
        "some_look_alikes": partial(substitute, table=LOOK_ALIKES),
        "zero_width": insert_zero_width,
        "spaced_text": space_text,
        "spaced_words": space_words,
        "some_spaced_words": space_words,
        "inner_point": insert_point,
        "pointed_letters": point_letters,
        "leetspeak": partial(substitute, table=LEETSPEAK),  # [Wittel]
        "typos": misspell,
        "random_good_words": partial(append_random, words=words),
        "best_good_words": partial(append_first, words=rank_good_words(negative, positive)),
        "no_contacts": remove_contacts,
        "upper_case": partial(change_case, change=str.upper),
        "lower_case": partial(change_case, change=str.lower),
        "mixed_case": partial(substitute, table={c: c.swapcase() for c in LETTERS}),
        "emoji": insert_emoji,
        "full_width": partial(substitute, table=FULL_WIDTH),  # [UAX15]
        "mathematical": partial(substitute, table=MATHEMATICAL),  # [UAX15]
        "accents": partial(substitute, table=ACCENTED),  # [Eger]
    }
