"""Find all near-duplicates among messages, exactly and fast."""

import re
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

SHINGLE = 5
DIGITS = re.compile(r"\d+")
# Rows of the candidate join at a time: bounds its memory.
BLOCK_ROWS = 500
# Candidate pairs compared at a time: bounds the memory that many similar texts take.
BLOCK_PAIRS = 100_000
# The share of their common shingles that two near-duplicates must have among their rarest ones.
# It changes the time, not the result.
RARE_SHARE = 0.1


def canonicalise(text: str) -> str:
    """Return the form in which texts are compared: case folded, each run of digits as ``0``."""
    return DIGITS.sub("0", text.casefold()).ljust(SHINGLE, "\0")


def group_near_duplicates(texts: Sequence[str], similarity: float) -> np.ndarray:
    """Number the groups of near-duplicate texts.

    Two texts are near-duplicates if the Jaccard similarity of their character 5-shingles, case
    folded and with each run of digits mapped to ``0``, is at least ``similarity``. A group is a
    connected component of these pairs.

    Unlike MinHash LSH this misses no pair, and it is faster on short texts. Two similar texts share
    so many shingles that some of these must be among the rarest ones of both, so it compares only
    texts that share enough of their rarest shingles (prefix filtering).

    Parameters
    ----------
    texts : sequence of str, length n_texts
        Normalised texts.
    similarity : float
        Between 0.3 and 1.

    Returns
    -------
    ndarray of int64, shape (n_texts,)
        Group numbers, counted from 0 in order of first appearance.

    References
    ----------
    S. Chaudhuri, V. Ganti, R. Kaushik. A primitive operator for similarity joins in data cleaning.
    ICDE 2006. R. Bayardo, Y. Ma, R. Srikant. Scaling up all pairs similarity search. WWW 2007.
    """
    canonical = [canonicalise(text) for text in texts]
    # Compare equal forms only once: n messages of one template would make n**2 / 2 pairs.
    place = {text: i for i, text in enumerate(dict.fromkeys(canonical))}
    S = count_shingles(list(place))
    components = np.arange(len(place))
    for i, j in find_candidates(S, similarity):
        # Skip pairs that are connected already, which are most pairs of a large group.
        is_apart = components[i] != components[j]
        i, j = i[is_apart], j[is_apart]
        similar = are_similar(S, i, j, similarity)
        components = connect(components, i[similar], j[similar])
    _, first, inverse = np.unique(components, return_index=True, return_inverse=True)
    numbers = np.empty(len(first), np.int64)
    numbers[np.argsort(first)] = np.arange(len(first))
    return numbers[inverse][np.fromiter((place[text] for text in canonical), np.int64)]


def count_shingles(canonical: Sequence[str]) -> sp.csr_matrix:
    """Return which text has which shingle: a 0/1 CSR matrix, int32, shape (n_texts, n_shingles)."""
    lengths = np.fromiter(map(len, canonical), np.int64, len(canonical))
    characters = np.frombuffer("".join(canonical).encode("utf-32-le"), np.uint32)
    is_used = np.zeros(sys.maxunicode + 1, bool)
    is_used[characters] = True
    numbers, base = (np.cumsum(is_used) - 1)[characters], int(is_used.sum())
    shingles, distinct = numbers, base
    for position in range(1, SHINGLE):
        if distinct * base > np.iinfo(np.int64).max:
            found, shingles = np.unique(shingles, return_inverse=True)
            distinct = len(found)
        shingles = shingles[:-1] * base + numbers[position:]
        distinct *= base
    owner = np.repeat(np.arange(len(canonical)), lengths)
    is_inside = owner[: len(shingles)] == owner[SHINGLE - 1 :]
    found, columns = np.unique(shingles[is_inside], return_inverse=True)
    ones = np.ones(len(columns), np.int32)
    owners = owner[: len(shingles)][is_inside]
    S = sp.csr_matrix((ones, (owners, columns)), shape=(len(canonical), len(found)))
    S.data[:] = 1
    return S


def find_candidates(S: sp.csr_matrix, similarity: float) -> Iterator[np.ndarray]:
    """Yield pairs of rows i < j of ``S`` that may be similar, as arrays of shape (2, n_pairs).

    Every pair that is similar enough is among them.
    """
    sizes = np.diff(S.indptr)
    frequencies = np.bincount(S.indices, minlength=S.shape[1])
    rank = np.empty(S.shape[1], np.int64)
    rank[np.argsort(frequencies, kind="stable")] = np.arange(S.shape[1])
    S = sp.csr_matrix((S.data, rank[S.indices], S.indptr), shape=S.shape)
    S.sort_indices()
    # A text with n shingles shares at least need = ceil(similarity * n) of them with a similar
    # text (1e-9: rounding), and at least k of these are among its n - need + k rarest ones.
    need = np.ceil(similarity * sizes - 1e-9).astype(np.int64)
    k = np.clip((RARE_SHARE * need).astype(np.int64), 1, need)
    place = np.arange(S.nnz) - np.repeat(S.indptr[:-1], sizes)
    is_rare = place < np.repeat(sizes - need + k, sizes)
    ends = np.concatenate([[0], np.cumsum(is_rare)])[S.indptr]
    P = sp.csr_matrix((S.data[is_rare], S.indices[is_rare], ends), shape=S.shape)
    transposed = P.T.tocsr()
    for start in range(0, S.shape[0], BLOCK_ROWS):
        shared = (P[start : start + BLOCK_ROWS] @ transposed).tocoo()
        i, j = shared.row.astype(np.int64) + start, shared.col.astype(np.int64)
        smaller, larger = np.minimum(sizes[i], sizes[j]), np.maximum(sizes[i], sizes[j])
        likely = (i < j) & (shared.data >= np.minimum(k[i], k[j]))
        likely &= smaller >= similarity * larger - 1e-9
        pairs = np.stack([i[likely], j[likely]])
        for first in range(0, pairs.shape[1], BLOCK_PAIRS):
            yield pairs[:, first : first + BLOCK_PAIRS]


def are_similar(S: sp.csr_matrix, i: np.ndarray, j: np.ndarray, similarity: float) -> np.ndarray:
    """Return for which pairs of rows of ``S`` the Jaccard similarity is at least ``similarity``."""
    sizes = np.diff(S.indptr)
    both = np.asarray(S[i].multiply(S[j]).sum(axis=1)).ravel()
    return both >= similarity * (sizes[i] + sizes[j] - both) - 1e-9


def connect(components: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the components of all texts after joining those of each pair ``i``, ``j``."""
    n = len(components)
    graph = sp.coo_matrix((np.ones(len(i), bool), (components[i], components[j])), shape=(n, n))
    _, joined = connected_components(graph, directed=False)
    return joined[components]
