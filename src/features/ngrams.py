"""Count n-grams with numpy: the vocabulary and the matrix of CountVectorizer, several times faster.

A text is a sequence of symbols: characters, or tokens. The n-grams of a vocabulary and their
beginnings form a tree. Each level of the tree numbers the n-grams of one length, and the number of
a longer one is looked up by that of its beginning and the symbol that follows. So all places of all
texts go down one level at a time, by arithmetic on arrays.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

MAX_INT32 = 2**31
# Up to this size a table of all that could follow is used, a binary search above.
MAX_TABLE = 2**22
# A padded word has at least three characters. CountVectorizer counts words that are shorter than
# the least n as a whole, which is left to it.
MAX_LEAST_CHARACTERS = 3


@dataclass(frozen=True)
class Symbols:
    """The symbols of some texts, joined.

    Attributes
    ----------
    codes : ndarray of int64, shape (n_symbols,)
        The number of each symbol, from 1; 0 for one that is unknown.
    segments : ndarray of int, shape (n_symbols,)
        An n-gram does not cross from one segment into another: a padded word, or a text.
    rows : ndarray of int64, shape (n_symbols,)
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
    columns : ndarray of int64, shape (n_ngrams + 1,)
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
            return self.table[codes].astype(np.int64)
        if not len(self.codes):
            return np.zeros(len(codes), np.int64)
        at = np.searchsorted(self.codes, codes)
        at[at == len(self.codes)] = 0
        return np.where(self.codes[at] == codes, at + 1, 0)


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
        ranks = np.zeros(points.max(initial=0) + 2, np.int64)
        ranks[points] = np.arange(1, self.base)
        return ranks

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {symbol: number for number, symbol in enumerate(self.symbols, start=1)}

    def read(self, texts: Sequence[str]) -> Symbols:
        """Return the symbols of texts."""
        if self.analyzer == "word":
            tokens = split_tokens(texts)
            get = self.numbers.get
            lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
            flat = [get(token, 0) for token in itertools.chain.from_iterable(tokens)]
            rows = np.repeat(np.arange(len(texts)), lengths)
            return Symbols(np.array(flat, np.int64), rows, rows)
        points, segments, rows = read_characters(texts)
        codes = self.ranks[np.minimum(points, len(self.ranks) - 1)]
        return Symbols(codes, segments, rows)

    def count(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where texts have n-grams of the vocabulary, and how many.

        Returns
        -------
        rows, columns : ndarray of int64, shape (n_found,)
            The text and the term; in the order of rows, then of columns.
        counts : ndarray of int64, shape (n_found,)
            How often the text has it.
        """
        symbols = self.read(texts)
        found, places = [], []
        at = np.flatnonzero(symbols.codes)
        numbers = symbols.codes[at]
        for size, level in enumerate(self.levels, start=1):
            if size > 1:
                at, codes = extend(symbols, at, numbers, size, self.base)
                numbers = level.find(codes)
                at, numbers = at[numbers > 0], numbers[numbers > 0]
            if size >= self.ngram_range[0]:
                columns = level.columns[numbers]
                is_term = columns >= 0
                found.append(columns[is_term])
                places.append(at[is_term])
        rows = symbols.rows[np.concatenate(places)]
        return count_pairs(rows, np.concatenate(found), self.n_terms)

    def select(self, columns: np.ndarray) -> "Ngrams":
        """Return the vocabulary of these columns alone, which are ascending."""
        renumbered = np.full(self.n_terms + 1, -1)
        renumbered[columns] = np.arange(len(columns))
        levels = [replace(level, columns=renumbered[level.columns]) for level in self.levels]
        return replace(self, levels=levels, n_terms=len(columns))


def split_tokens(texts: Iterable[str]) -> list[list[str]]:
    """Return the tokens of each text, which blanks separate."""
    return [[token for token in text.split(" ") if token] for text in texts]


def read_characters(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the characters of all words, each word padded by a blank on either side.

    Returns
    -------
    points : ndarray of uint32, shape (n_characters,)
        Code points.
    segments : ndarray of int64, shape (n_characters,)
        The word of each.
    rows : ndarray of int64, shape (n_characters,)
        The text of each.
    """
    padded = [f" {'  '.join(words)} " if (words := text.split()) else "" for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
    # Of the two blanks of a word the first is odd in number, the second even.
    segments = (np.cumsum(points == ord(" ")) + 1) >> 1
    return points, segments, np.repeat(np.arange(len(texts)), lengths)


def extend(
    symbols: Symbols, at: np.ndarray, numbers: np.ndarray, size: int, base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add one symbol to n-grams.

    Parameters
    ----------
    symbols : Symbols
        What the n-grams are of.
    at, numbers : ndarray of int64, shape (n_places,)
        Where n-grams of ``size - 1`` symbols begin, and their numbers.
    size : int
        The new length.
    base : int
        One more than there are symbols.

    Returns
    -------
    at, codes : ndarray of int64, shape (n_extended,)
        Where n-grams of ``size`` known symbols within a segment begin, and their codes.
    """
    n_places = np.searchsorted(at, len(symbols.codes) - size + 1)
    at, numbers = at[:n_places], numbers[:n_places]
    last = at + (size - 1)
    added = symbols.codes[last]
    is_valid = (added > 0) & (symbols.segments[at] == symbols.segments[last])
    return at[is_valid], numbers[is_valid] * base + added[is_valid]


def count_pairs(
    rows: np.ndarray, columns: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct pairs of row and column, sorted, and how often each occurs."""
    pairs = rows * n_columns + columns
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
        columns = np.full(len(distinct) + 1, -1)
        is_term = np.flatnonzero(lengths == size)
        columns[number[is_term]] = is_term
        n_before = len(levels[-1].codes) if levels else 0
        levels.append(Level(base, n_before, distinct, columns))
    return Ngrams(analyzer, ngram_range, symbols, levels, len(cut))


def learn_ngrams(
    texts: Sequence[str], analyzer: str, ngram_range: tuple[int, int]
) -> tuple[list[str], Ngrams, sp.csr_matrix]:
    """Return all n-grams of some texts, and how often each text has each.

    Returns
    -------
    terms : list of str
        Sorted.
    ngrams : Ngrams
        The vocabulary, columns in the order of ``terms``.
    X : csr_matrix of int64, shape (n_texts, n_terms)
        Counts.
    """
    if analyzer == "word":
        symbols = sorted(set(itertools.chain.from_iterable(split_tokens(texts))))
    else:
        symbols = sorted(set().union({" "}, *texts))
    base = len(symbols) + 1
    levels: list[Level] = []
    read = Ngrams(analyzer, ngram_range, symbols, [], 0).read(texts)
    names, found, places = [""], [], []
    terms: list[str] = []
    joint = " " if analyzer == "word" else ""
    at, numbers = np.arange(len(read.codes)), read.codes
    for size in range(1, ngram_range[1] + 1):
        distinct = np.arange(1, base)
        if size > 1:
            at, codes = extend(read, at, numbers, size, base)
            distinct, numbers = index_distinct(codes, len(names) * base)
            numbers = numbers + 1
        before, last = np.divmod(distinct, base)
        ends = ["", *symbols]
        names = [
            "",
            *(
                names[b] + joint + ends[e] if b else ends[e]
                for b, e in zip(before.tolist(), last.tolist(), strict=True)
            ),
        ]
        columns = np.full(len(names), -1)
        if size >= ngram_range[0]:
            is_used = np.zeros(len(names), bool)
            is_used[numbers] = True
            used = np.flatnonzero(is_used)
            columns[used] = np.arange(len(terms), len(terms) + len(used))
            terms += [names[n] for n in used.tolist()]
            found.append(columns[numbers])
            places.append(at)
        levels.append(Level(base, len(levels[-1].codes) if levels else 0, distinct, columns))
    order = sorted(range(len(terms)), key=terms.__getitem__)
    renumbered = np.full(len(terms) + 1, -1)
    renumbered[order] = np.arange(len(terms))
    levels = [replace(level, columns=renumbered[level.columns]) for level in levels]
    ngrams = Ngrams(analyzer, ngram_range, symbols, levels, len(terms))
    rows, columns = read.rows[np.concatenate(places)], renumbered[np.concatenate(found)]
    X = build_matrix(*count_pairs(rows, columns, len(terms)), (len(texts), len(terms)))
    return [terms[n] for n in order], ngrams, X


def index_distinct(found: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct numbers, sorted, and the place of each number among them."""
    if n_codes > MAX_TABLE:
        codes = np.unique(found)
        return codes, np.searchsorted(codes, found)
    is_found = np.zeros(n_codes, bool)
    is_found[found] = True
    return np.flatnonzero(is_found), (np.cumsum(is_found) - 1)[found]


def build_matrix(
    rows: np.ndarray, columns: np.ndarray, counts: np.ndarray, shape: tuple[int, int]
) -> sp.csr_matrix:
    """Return counts as a matrix; ``rows`` must be sorted."""
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    return sp.csr_matrix((counts, columns, indptr), shape=shape)


class NgramVectorizer(CountVectorizer):
    """scikit-learn's CountVectorizer, faster, which reads texts as they are.

    It gives the same vocabulary and the same matrix for the analyzers 'word', with tokens that
    blanks separate, and 'char_wb'.
    """

    def fit(self, raw_documents: Iterable[str], y: object = None) -> "NgramVectorizer":
        """Learn the vocabulary."""
        self.fit_transform(raw_documents, y)
        return self

    def fit_transform(self, raw_documents: Iterable[str], y: object = None) -> sp.csr_matrix:
        """Learn the vocabulary, and return the counts, shape (n_texts, n_terms)."""
        texts = list(raw_documents)
        if not is_supported(self):
            return super().fit_transform(texts, y)
        terms, ngrams, X = learn_ngrams(texts, self.analyzer, self.ngram_range)
        keep = select_terms(X, self.min_df, self.max_features)
        if not len(keep):
            raise ValueError("no n-gram is in enough texts")
        if len(keep) < X.shape[1]:
            terms, ngrams, X = [terms[n] for n in keep], ngrams.select(keep), X[:, keep]
        self.fixed_vocabulary_, self.ngrams_ = False, ngrams
        self.vocabulary_ = {term: column for column, term in enumerate(terms)}
        return X.astype(self.dtype)

    def transform(self, raw_documents: Iterable[str]) -> sp.csr_matrix:
        """Return the counts, shape (n_texts, n_terms)."""
        if not hasattr(self, "ngrams_"):
            if self.vocabulary is None or not is_supported(self):
                return super().transform(raw_documents)
            self.ngrams_ = index_terms(
                list(map(str, self.vocabulary)), self.analyzer, self.ngram_range
            )
        texts = list(raw_documents)
        X = build_matrix(*self.ngrams_.count(texts), (len(texts), self.ngrams_.n_terms))
        return X.astype(self.dtype)


def is_supported(vectorizer: CountVectorizer) -> bool:
    """Return whether n-grams are counted here as scikit-learn's ``vectorizer`` counts them."""
    return vectorizer.analyzer == "word" or vectorizer.ngram_range[0] <= MAX_LEAST_CHARACTERS


def select_terms(X: sp.csr_matrix, min_df: float, max_features: int | None) -> np.ndarray:
    """Return the columns that CountVectorizer keeps, ascending.

    Parameters
    ----------
    X : csr_matrix of shape (n_texts, n_terms)
        Counts.
    min_df : int or float
        In how many texts, or in what share of them, a term must be.
    max_features : int or None
        How many of the most frequent terms may be kept.
    """
    least = min_df if isinstance(min_df, int) else min_df * X.shape[0]
    is_kept = np.bincount(X.indices, minlength=X.shape[1]) >= least
    if max_features is not None and is_kept.sum() > max_features:
        totals = np.bincount(X.indices, X.data, X.shape[1])
        # Which of equally frequent terms are kept follows CountVectorizer, which sorts like this.
        most_frequent = (-totals[is_kept].astype(X.dtype)).argsort()[:max_features]
        is_kept[np.delete(np.flatnonzero(is_kept), most_frequent)] = False
    return np.flatnonzero(is_kept)
