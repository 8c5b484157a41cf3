"""Count n-grams with numpy: the vocabulary and the matrix of CountVectorizer, several times faster.

A text is a sequence of symbols: characters, or tokens. Each symbol has a number, its rank among the
sorted symbols, and an n-gram is a number in base (number of symbols + 1), filled up with zeros to
the longest n. So sorted numbers are in the order of sorted strings, finding n-grams is arithmetic
on arrays, and looking them up is a binary search.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

# Numbers of n-grams must fit into 64 bits.
MAX_CODES = 2**62
MAX_INT32 = 2**31
# Up to this many possible n-grams, a table of them is smaller than it is useful.
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
    codes : ndarray of int64, shape (n_terms,)
        The number of each term of the vocabulary, ascending.
    columns : ndarray of int64, shape (n_terms,)
        The column of each.
    """

    analyzer: str
    ngram_range: tuple[int, int]
    symbols: Sequence[str]
    codes: np.ndarray
    columns: np.ndarray

    @property
    def base(self) -> int:
        """How many numbers a symbol may have."""
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

    @cached_property
    def table(self) -> np.ndarray | None:
        """The column of every possible n-gram, -1 for those unknown; None if they are too many."""
        n_codes = self.base ** self.ngram_range[1]
        if n_codes > MAX_TABLE:
            return None
        table = np.full(n_codes, -1, np.int32)
        table[self.codes] = self.columns
        return table

    def read(self, texts: Sequence[str]) -> Symbols:
        """Return the symbols of texts."""
        if self.analyzer == "word":
            tokens = split_tokens(texts)
            get = self.numbers.get
            lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
            flat = (get(token, 0) for token in itertools.chain.from_iterable(tokens))
            codes = np.fromiter(flat, np.int64, int(lengths.sum()))
            rows = np.repeat(np.arange(len(texts)), lengths)
            return Symbols(codes, rows, rows)
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
        found, places = find_ngrams(symbols, self.ngram_range, self.base)
        if self.table is not None:
            columns = self.table[found]
        elif len(self.codes):
            at = np.searchsorted(self.codes, found)
            at[at == len(self.codes)] = 0
            columns = np.where(self.codes[at] == found, self.columns[at], -1)
        else:
            columns = np.full(len(found), -1)
        is_known = columns >= 0
        rows = symbols.rows[places[is_known]]
        return count_pairs(rows, columns[is_known], len(self.codes))

    def list_terms(self) -> list[str]:
        """Return the terms in the order of their columns."""
        names, joint = ["", *self.symbols], " " if self.analyzer == "word" else ""
        most = self.ngram_range[1]
        codes = np.empty_like(self.codes)
        codes[self.columns] = self.codes
        digits = [codes // self.base ** (most - 1 - n) % self.base for n in range(most)]
        spelled = zip(*([names[n] for n in digit.tolist()] for digit in digits), strict=True)
        return [joint.join(filter(None, parts)) for parts in spelled]

    def select(self, columns: np.ndarray) -> "Ngrams":
        """Return the vocabulary of these columns alone, which are ascending."""
        place = np.searchsorted(columns, self.columns)
        place[place == len(columns)] = 0
        is_kept = columns[place] == self.columns
        return replace(self, codes=self.codes[is_kept], columns=place[is_kept])


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


def find_ngrams(
    symbols: Symbols, ngram_range: tuple[int, int], base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of every n-gram of known symbols, and where it begins."""
    least, most = ngram_range
    codes, segments = symbols.codes, symbols.segments
    found, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    code, is_valid = np.zeros(len(codes), np.int64), np.ones(len(codes), bool)
    for size in range(1, min(most, len(codes)) + 1):
        n_places = len(codes) - size + 1
        added = codes[size - 1 :]
        code = code[:n_places] * base + added
        is_valid = is_valid[:n_places] & (added > 0)
        if size >= least:
            within = is_valid & (segments[:n_places] == segments[size - 1 :])
            at = np.flatnonzero(within)
            found.append(code[at] * base ** (most - size))
            places.append(at)
    return np.concatenate(found), np.concatenate(places)


def index_distinct(found: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct numbers, sorted, and the place of each number among them."""
    if n_codes > MAX_TABLE:
        codes = np.unique(found)
        return codes, np.searchsorted(codes, found)
    is_found = np.zeros(n_codes, bool)
    is_found[found] = True
    return np.flatnonzero(is_found), (np.cumsum(is_found) - 1)[found]


def count_pairs(
    rows: np.ndarray, columns: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct pairs of row and column, sorted, and how often each occurs."""
    pairs = rows * n_columns + columns
    if len(pairs) and int(rows.max()) * n_columns + n_columns < MAX_INT32:
        pairs = pairs.astype(np.int32)  # sorted in half the time
    pairs.sort()
    is_first = np.ones(len(pairs), bool)
    np.not_equal(pairs[1:], pairs[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    distinct = pairs[starts].astype(np.int64)
    rows = distinct // max(n_columns, 1)
    return rows, distinct - rows * n_columns, np.diff(starts, append=len(pairs))


def index_terms(terms: Sequence[str], analyzer: str, ngram_range: tuple[int, int]) -> Ngrams:
    """Return the n-grams of a vocabulary whose columns are in the order of ``terms``.

    Raises
    ------
    OverflowError
        If there are more possible n-grams than numbers of 64 bits.
    """
    cut = [term.split(" ") for term in terms] if analyzer == "word" else list(map(list, terms))
    symbols = sorted(set(itertools.chain.from_iterable(cut)))
    base, most = check_base(len(symbols) + 1, ngram_range[1]), ngram_range[1]
    numbers = {symbol: number for number, symbol in enumerate(symbols, start=1)}
    lengths = np.fromiter(map(len, cut), np.int64, len(cut))
    flat = (numbers[symbol] for symbol in itertools.chain.from_iterable(cut))
    digits = np.zeros((len(cut), most), np.int64)
    digits[np.arange(most) < lengths[:, None]] = np.fromiter(flat, np.int64, int(lengths.sum()))
    codes = digits @ np.array([base ** (most - 1 - n) for n in range(most)], np.int64)
    order = np.argsort(codes)
    return Ngrams(analyzer, ngram_range, symbols, codes[order], order)


def learn_ngrams(
    texts: Sequence[str], analyzer: str, ngram_range: tuple[int, int]
) -> tuple[Ngrams, sp.csr_matrix]:
    """Return all n-grams of some texts, and how often each text has each.

    Returns
    -------
    ngrams : Ngrams
        The vocabulary, columns in the order of its sorted terms.
    X : csr_matrix of int64, shape (n_texts, n_terms)
        Counts.

    Raises
    ------
    OverflowError
        If there are more possible n-grams than numbers of 64 bits.
    """
    if analyzer == "word":
        symbols = sorted(set(itertools.chain.from_iterable(split_tokens(texts))))
    else:
        symbols = sorted(set().union({" "}, *texts))
    base = check_base(len(symbols) + 1, ngram_range[1])
    nothing = np.empty(0, np.int64)
    ngrams = Ngrams(analyzer, ngram_range, symbols, nothing, nothing)
    read = ngrams.read(texts)
    found, places = find_ngrams(read, ngram_range, base)
    codes, columns = index_distinct(found, base ** ngram_range[1])
    ngrams = replace(ngrams, codes=codes, columns=np.arange(len(codes)))
    if analyzer == "word" and any(min(symbol) < " " for symbol in symbols):
        # A character that is sorted before the blank puts whole terms in another order.
        terms = ngrams.list_terms()
        order = np.array(sorted(range(len(terms)), key=terms.__getitem__), np.int64)
        ngrams = replace(ngrams, columns=np.argsort(order))
        columns = ngrams.columns[columns]
    rows, columns, counts = count_pairs(read.rows[places], columns, len(codes))
    return ngrams, build_matrix(rows, columns, counts, (len(texts), len(codes)))


def build_matrix(
    rows: np.ndarray, columns: np.ndarray, counts: np.ndarray, shape: tuple[int, int]
) -> sp.csr_matrix:
    """Return counts as a matrix; ``rows`` must be sorted."""
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    return sp.csr_matrix((counts, columns, indptr), shape=shape)


def check_base(base: int, most: int) -> int:
    """Return the base of the numbers of n-grams.

    Raises
    ------
    OverflowError
        If the longest do not fit into 64 bits.
    """
    if base**most > MAX_CODES:
        raise OverflowError(f"{base - 1} symbols have too many {most}-grams")
    return base


class NgramVectorizer(CountVectorizer):
    """scikit-learn's CountVectorizer, faster, which reads texts as they are.

    It gives the same vocabulary and the same matrix for the analyzers 'word', with tokens that
    blanks separate, and 'char_wb'. What it cannot do in 64 bits is left to CountVectorizer.
    """

    def fit(self, raw_documents: Iterable[str], y: object = None) -> "NgramVectorizer":
        """Learn the vocabulary."""
        self.fit_transform(raw_documents, y)
        return self

    def fit_transform(self, raw_documents: Iterable[str], y: object = None) -> sp.csr_matrix:
        """Learn the vocabulary, and return the counts, shape (n_texts, n_terms)."""
        texts = list(raw_documents)
        try:
            ngrams, X = learn_ngrams(texts, self.analyzer, check_range(self))
        except OverflowError:
            return super().fit_transform(texts, y)
        keep = select_terms(X, self.min_df, self.max_features)
        if not len(keep):
            raise ValueError("no n-gram is in enough texts")
        if len(keep) < X.shape[1]:
            ngrams, X = ngrams.select(keep), X[:, keep]
        self.fixed_vocabulary_, self.ngrams_ = False, ngrams
        self.vocabulary_ = {term: column for column, term in enumerate(ngrams.list_terms())}
        return X.astype(self.dtype)

    def transform(self, raw_documents: Iterable[str]) -> sp.csr_matrix:
        """Return the counts, shape (n_texts, n_terms)."""
        if not hasattr(self, "ngrams_"):
            return super().transform(raw_documents)
        texts = list(raw_documents)
        X = build_matrix(*self.ngrams_.count(texts), (len(texts), len(self.vocabulary_)))
        return X.astype(self.dtype)


def check_range(vectorizer: CountVectorizer) -> tuple[int, int]:
    """Return the range of n.

    Raises
    ------
    OverflowError
        If CountVectorizer has a rule for it that is not followed here.
    """
    if vectorizer.analyzer == "char_wb" and vectorizer.ngram_range[0] > MAX_LEAST_CHARACTERS:
        raise OverflowError("words that are shorter than the least n count as a whole")
    return vectorizer.ngram_range


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
