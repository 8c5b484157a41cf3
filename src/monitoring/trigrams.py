"""The character trigrams of training texts, as a compact set."""

import zlib
from base64 import b85decode, b85encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A bit is set for each trigram. With so many bits for each, 6% of those never seen pass for seen.
BITS_EACH = 16
MIN_BITS, MAX_BITS = 1 << 10, 1 << 22
# Odd numbers, for each character of a trigram.
FACTORS = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D], np.uint32)
MIX = np.uint32(0x2C1B3C6D)
# A shorter text counts as one of so many: a single unknown word would be most of "ok Zoe".
MIN_TRIGRAMS = 60
# So many texts are hashed together, to limit the memory.
CHUNK = 10_000


@dataclass(frozen=True)
class Trigrams:
    """A set of hashed trigrams; ``is_seen`` has a power of two places."""

    is_seen: np.ndarray

    def write(self) -> str:
        """Return the set as text."""
        return b85encode(zlib.compress(np.packbits(self.is_seen).tobytes(), 9)).decode()

    def measure_unseen(self, texts: Sequence[str]) -> np.ndarray:
        """Return the share of each text's trigrams that are not in the set, shape (n_texts,).

        A text of fewer than ``MIN_TRIGRAMS`` counts as one of so many.
        """
        shares = []
        for start in range(0, len(texts), CHUNK):
            hashes, rows = hash_trigrams(chunk := texts[start : start + CHUNK])
            is_unseen = ~self.is_seen[hashes & np.uint32(len(self.is_seen) - 1)]
            n_all = np.maximum(np.bincount(rows, minlength=len(chunk)), MIN_TRIGRAMS)
            shares.append(np.bincount(rows, is_unseen, len(chunk)) / n_all)
        return np.concatenate(shares) if shares else np.empty(0)


def read_trigrams(text: str) -> Trigrams:
    """Return the set that ``Trigrams.write`` wrote."""
    packed = zlib.decompress(b85decode(text))
    return Trigrams(np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool))


def learn_trigrams(texts: Sequence[str]) -> Trigrams:
    """Return the set of the trigrams of texts."""
    found = [
        np.unique(hash_trigrams(texts[start : start + CHUNK])[0])
        for start in range(0, len(texts), CHUNK)
    ]
    hashes = np.unique(np.concatenate(found)) if found else np.empty(0, np.uint32)
    wanted = 1 << int(BITS_EACH * len(hashes)).bit_length()
    is_seen = np.zeros(min(max(wanted, MIN_BITS), MAX_BITS), bool)
    is_seen[hashes & np.uint32(len(is_seen) - 1)] = True
    return Trigrams(is_seen)


def hash_trigrams(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hash of each trigram of lower-case texts, and the number of its text."""
    lowered = [text.lower() for text in texts]
    lengths = np.fromiter(map(len, lowered), np.int64, len(lowered))
    joined = "".join(lowered).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(joined, np.uint32)
    rows = np.repeat(np.arange(len(lowered)), lengths)
    n_places = max(len(points) - 2, 0)
    hashes = np.zeros(n_places, np.uint32)
    for place, factor in enumerate(FACTORS):
        hashes = (hashes ^ points[place : place + n_places]) * factor
        hashes ^= hashes >> np.uint32(15)
    hashes = hashes * MIX
    hashes ^= hashes >> np.uint32(13)
    is_inside = rows[:n_places] == rows[2:]
    return hashes[is_inside], rows[:n_places][is_inside]
