"""Find and count the n-grams of texts with numpy.

A text is a sequence of symbols: characters, or tokens. The n-grams of a vocabulary and their
beginnings form a tree. Each level of the tree numbers the n-grams of one length, and the number of
a longer one is looked up by that of its beginning and the symbol that follows. So all places of all
texts go down one level at a time, by arithmetic on arrays.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

MAX_INT32 = 2**31
# Up to this size a table of all that could follow is used, a binary search above.
MAX_TABLE = 2**22


@dataclass(frozen=True)
class Symbols:
    """The symbols of some texts, joined.

    Attributes
    ----------
    codes : ndarray of int32, shape (n_symbols,)
        The number of each symbol, from 1; 0 for one that is unknown.
    segments : ndarray of int, shape (n_symbols,)
        An n-gram does not cross from one segment into another: a padded word, or a text.
    rows : ndarray of int32, shape (n_symbols,)
        The text that each symbol is of.
    """

    codes: np.ndarray
    segments: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Level:
    """The n-grams of one length, numbered from 1 in the order of ``codes``; 0 is unknown.

    Attributes
    ----------
    base : int
        One more than there are symbols.
    n_before : int
        How many n-grams the level before has.
    codes : ndarray of int64, shape (n_ngrams,)
        Ascending: number of the beginning in the level before, times ``base``, plus last symbol.
    columns : ndarray of int32, shape (n_ngrams + 1,)
        The column of each number; -1 if it only begins others.
    """

    base: int
    n_before: int
    codes: np.ndarray
    columns: np.ndarray

    @cached_property
    def table(self) -> np.ndarray | None:
        """The number for every possible code; None if there are too many."""
        n_codes = (self.n_before + 1) * self.base
        if n_codes > MAX_TABLE:
            return None
        table = np.zeros(n_codes, np.int32)
        table[self.codes] = np.arange(1, len(self.codes) + 1)
        return table

    def find(self, codes: np.ndarray) -> np.ndarray:
        """Return the number of each code, 0 if it is unknown."""
        if self.table is not None:
            return self.table[codes]
        if not len(self.codes):
            return np.zeros(len(codes), np.int32)
        at = np.searchsorted(self.codes, codes)
        at[at == len(self.codes)] = 0
        return np.where(self.codes[at] == codes, at + 1, 0).astype(np.int32)


@dataclass(frozen=True)
class Ngrams:
    """The vocabulary of one branch, and how to count its n-grams in texts.

    Attributes
    ----------
    analyzer : {'word', 'char_wb'}
        As of CountVectorizer: tokens that blanks separate, or characters of words padded by blanks.
    ngram_range : tuple of int
        Least and most symbols of an n-gram.
    symbols : list of str
        Sorted.
    levels : list of Level
        One for each length from 1 on.
    n_terms : int
        The number of columns.
    """

    analyzer: str
    ngram_range: tuple[int, int]
    symbols: Sequence[str]
    levels: Sequence[Level]
    n_terms: int

    @property
    def base(self) -> int:
        """One more than there are symbols."""
        return len(self.symbols) + 1

    @cached_property
    def ranks(self) -> np.ndarray:
        """The number of each character by its code point."""
        points = np.array(list(map(ord, self.symbols)), np.int64)
        ranks = np.zeros(points.max(initial=0) + 2, np.int32)
        ranks[points] = np.arange(1, self.base)
        return ranks

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {symbol: number for number, symbol in enumerate(self.symbols, start=1)}

    def read(self, texts: Sequence[str]) -> Symbols:
        """Return the symbols of texts."""
        return self.encode(*split_symbols(texts, self.analyzer))

    def encode(
        self, symbols: Sequence[str] | np.ndarray, segments: np.ndarray, rows: np.ndarray
    ) -> Symbols:
        """Return what ``split_symbols`` returned, symbols as numbers."""
        if isinstance(symbols, np.ndarray):
            codes = self.ranks[np.minimum(symbols, len(self.ranks) - 1)]
        else:
            found = map(self.numbers.get, symbols, itertools.repeat(0))
            codes = np.fromiter(found, np.int32, len(symbols))
        return Symbols(codes, segments, rows)

    def find(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of each n-gram of the vocabulary in texts.

        Those of one column are in the order of their rows.
        """
        symbols = self.read(texts)
        numbers = [symbols.codes]
        for size, level in enumerate(self.levels[1:], start=2):
            codes, is_inside = extend(symbols, numbers[-1], size, self.base)
            numbers.append(level.find(codes) * is_inside)
        return self.locate(numbers, symbols.rows)

    def locate(
        self, numbers: Sequence[np.ndarray], rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what ``find`` does, for the numbers of each level's n-grams at all places."""
        least = self.ngram_range[0] - 1
        pairs = zip(self.levels[least:], numbers[least:], strict=True)
        found = [level.columns[at] for level, at in pairs]
        is_term = [columns >= 0 for columns in found]
        return (
            np.concatenate([rows[: len(at)][at] for at in is_term]),
            np.concatenate([columns[at] for columns, at in zip(found, is_term, strict=True)]),
        )

    def count(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where texts have n-grams of the vocabulary, and how many.

        Returns
        -------
        rows, columns : ndarray of int64, shape (n_found,)
            The text and the term; in the order of rows, then of columns.
        counts : ndarray of int64, shape (n_found,)
            How often the text has it.
        """
        return count_pairs(*self.find(texts), self.n_terms)

    def list_terms(self) -> list[str]:
        """Return the terms in the order of their columns."""
        terms = [""] * self.n_terms
        joint = " " if self.analyzer == "word" else ""
        ends = ["", *(joint + symbol for symbol in self.symbols)]
        names = ["", *self.symbols]
        for size, level in enumerate(self.levels, start=1):
            if size > 1:
                before, last = (part.tolist() for part in np.divmod(level.codes, self.base))
                names = ["", *(names[b] + ends[e] for b, e in zip(before, last, strict=True))]
            for name, column in zip(names, level.columns.tolist(), strict=True):
                if column >= 0:
                    terms[column] = name
        return terms

    def select(self, columns: np.ndarray) -> "Ngrams":
        """Return the vocabulary of these columns alone, in this order."""
        renumbered = np.full(self.n_terms + 1, -1, np.int32)
        renumbered[columns] = np.arange(len(columns))
        levels = [replace(level, columns=renumbered[level.columns]) for level in self.levels]
        return replace(self, levels=levels, n_terms=len(columns))


def split_symbols(
    texts: Sequence[str], analyzer: str
) -> tuple[Sequence[str] | np.ndarray, np.ndarray, np.ndarray]:
    """Return all tokens, or all code points, of texts, and the segment and the text of each."""
    if analyzer != "word":
        return read_characters(texts)
    lengths = np.fromiter((text.count(" ") + 1 for text in texts), np.int64, len(texts))
    tokens = " ".join(texts).split(" ") if len(texts) else []
    rows = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    if "" in tokens:
        rows = rows[np.fromiter(map(bool, tokens), bool, len(tokens))]
        tokens = list(filter(None, tokens))
    return tokens, rows, rows


def read_characters(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the characters of all words, each word padded by a blank on either side.

    Returns
    -------
    points : ndarray of uint32, shape (n_characters,)
        Code points.
    segments : ndarray of int32, shape (n_characters,)
        The word of each.
    rows : ndarray of int32, shape (n_characters,)
        The text of each.
    """
    padded = [f" {'  '.join(words)} " if (words := text.split()) else "" for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
    # Of the two blanks of a word the first is odd in number, the second even.
    segments = (np.cumsum(points == ord(" "), dtype=np.int32) + 1) >> 1
    return points, segments, np.repeat(np.arange(len(texts), dtype=np.int32), lengths)


def extend(
    symbols: Symbols, numbers: np.ndarray, size: int, base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add one symbol to n-grams.

    Parameters
    ----------
    symbols : Symbols
        What the n-grams are of.
    numbers : ndarray of int32, shape (n_places,)
        The number of the n-gram of ``size - 1`` symbols at each place; 0 for none.
    size : int
        The new length.
    base : int
        One more than there are symbols.

    Returns
    -------
    codes : ndarray of int64, shape (n_places - 1,)
        The code of the n-gram of ``size`` symbols at each place.
    is_inside : ndarray of bool, shape (n_places - 1,)
        Where it is of known symbols of one segment.
    """
    last = symbols.codes[size - 1 :]
    numbers = numbers[: len(last)]
    is_inside = symbols.segments[: len(last)] == symbols.segments[size - 1 :]
    is_inside &= (numbers > 0) & (last > 0)
    return numbers.astype(np.int64) * base + last, is_inside


def count_pairs(
    rows: np.ndarray, columns: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct pairs of row and column, sorted, and how often each occurs."""
    pairs = rows.astype(np.int64) * n_columns + columns
    if len(pairs) and (int(rows.max()) + 1) * n_columns < MAX_INT32:
        pairs = pairs.astype(np.int32)  # sorted in half the time
    pairs.sort()
    is_first = np.ones(len(pairs), bool)
    np.not_equal(pairs[1:], pairs[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    distinct = pairs[starts].astype(np.int64)
    rows = distinct // max(n_columns, 1)
    return rows, distinct - rows * n_columns, np.diff(starts, append=len(pairs))


def index_terms(terms: Sequence[str], analyzer: str, ngram_range: tuple[int, int]) -> Ngrams:
    """Return the n-grams of a vocabulary whose columns are in the order of ``terms``."""
    cut = [term.split(" ") for term in terms] if analyzer == "word" else list(map(list, terms))
    symbols = sorted(set(itertools.chain.from_iterable(cut)))
    numbers = {symbol: number for number, symbol in enumerate(symbols, start=1)}
    lengths = np.fromiter(map(len, cut), np.int64, len(cut))
    flat = [numbers[symbol] for symbol in itertools.chain.from_iterable(cut)]
    digits = np.zeros((len(cut), ngram_range[1]), np.int64)
    digits[np.arange(ngram_range[1]) < lengths[:, None]] = flat
    base = len(symbols) + 1
    levels: list[Level] = []
    number = np.zeros(len(cut), np.int64)
    for size in range(1, ngram_range[1] + 1):
        is_long = lengths >= size
        codes = number[is_long] * base + digits[is_long, size - 1]
        # All symbols are on the first level, where the number of one is its own.
        distinct = np.arange(1, base) if size == 1 else np.unique(codes)
        number[is_long] = np.searchsorted(distinct, codes) + 1
        columns = np.full(len(distinct) + 1, -1, np.int32)
        is_term = np.flatnonzero(lengths == size)
        columns[number[is_term]] = is_term
        n_before = len(levels[-1].codes) if levels else 0
        levels.append(Level(base, n_before, distinct, columns))
    return Ngrams(analyzer, ngram_range, symbols, levels, len(cut))


def learn_ngrams(
    texts: Sequence[str], analyzer: str, ngram_range: tuple[int, int]
) -> tuple[Ngrams, np.ndarray, np.ndarray]:
    """Return all n-grams of some texts, and where they are.

    Returns
    -------
    ngrams : Ngrams
        The vocabulary, columns in the order of the terms.
    rows, columns : ndarray of int32
        As ``Ngrams.find`` returns them for the texts.
    """
    split, segments, rows = split_symbols(texts, analyzer)
    if isinstance(split, np.ndarray):
        symbols = list(map(chr, np.flatnonzero(np.bincount(split)).tolist()))
    else:
        symbols = sorted(set(split))
    ngrams = Ngrams(analyzer, ngram_range, symbols, [], 0)
    read = ngrams.encode(split, segments, rows)
    codes, numbers = [np.arange(1, ngrams.base)], [read.codes]
    for size in range(2, ngram_range[1] + 1):
        found, is_inside = extend(read, numbers[-1], size, ngrams.base)
        distinct, places = index_distinct(found[is_inside], (len(codes[-1]) + 1) * ngrams.base)
        numbers.append(np.zeros(len(found), np.int32))
        numbers[-1][is_inside] = places + 1
        codes.append(distinct)
    levels = build_levels(codes, ngrams.base, ngram_range[0])
    ngrams = replace(ngrams, levels=levels, n_terms=sum(map(len, codes[ngram_range[0] - 1 :])))
    if analyzer == "word" and min("".join(symbols), default="!") < " ":
        # Such a character sorts before the blank that follows a shorter token.
        terms = ngrams.list_terms()
        ngrams = ngrams.select(np.array(sorted(range(len(terms)), key=terms.__getitem__), int))
    return ngrams, *ngrams.locate(numbers, read.rows)


def build_levels(codes: Sequence[np.ndarray], base: int, least: int) -> list[Level]:
    """Return levels whose n-grams of ``least`` symbols or more all have columns, in text order.

    An n-gram comes after its beginning, and after the siblings before it with all that goes on from
    them.
    """
    parents = [of_level // base - 1 for of_level in codes]
    # How many columns each n-gram takes, with those that go on from it.
    taken = [np.full(len(of), size >= least, np.int64) for size, of in enumerate(codes, start=1)]
    for k in range(len(codes) - 1, 0, -1):
        taken[k - 1] += np.bincount(parents[k], taken[k], len(taken[k - 1])).astype(np.int64)
    levels: list[Level] = []
    for k, of_level in enumerate(codes):
        before = np.cumsum(taken[k]) - taken[k]
        if k == 0:
            starts = before
        else:
            going_on = taken[k - 1] - (k >= least)
            starts = starts + (k >= least) - (np.cumsum(going_on) - going_on)
            starts = starts[parents[k]] + before
        columns = starts if k + 1 >= least else np.full(len(of_level), -1)
        n_before = len(codes[k - 1]) if k else 0
        levels.append(Level(base, n_before, of_level, np.append(-1, columns).astype(np.int32)))
    return levels


def index_distinct(found: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct numbers, sorted, and the place of each number among them."""
    if n_codes > MAX_TABLE:
        codes, places = np.unique(found, return_inverse=True)
        return codes, places
    is_found = np.zeros(n_codes, bool)
    is_found[found] = True
    return np.flatnonzero(is_found), (np.cumsum(is_found) - 1)[found]
