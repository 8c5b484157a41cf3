"""Turn messages into tokens, in training and prediction."""

import re
import sys
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from types import ModuleType
from typing import Literal

import pandas as pd
from pydantic import ConfigDict

from core.params import Params
from text.normalise import normalise_text

Stemmer = Literal["none", "snowball", "porter"]
StopWords = Literal["none", "english"]

# These limit the caches of a process that runs for a long time to about 70 MB. English needs far
# fewer entries, and longer chunks hardly occur twice.
MAX_CACHED = 2**16
MAX_CACHED_LENGTH = 40
# The tokenizer's time grows with the square of a chunk's length. Words and most links are shorter;
# longer chunks, such as text in a script without blanks, are tokenised in pieces.
MAX_CHUNK_LENGTH = 64
# Longer tokens are links and encoded data, whose ends hardly occur twice.
MAX_TOKEN_LENGTH = 40
# The tokenizer turns entities such as &#55296; into surrogates, which cannot be stored as UTF-8,
# and &#0; into NUL, which numpy removes from the end of a term of the vocabulary.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# The tokenizer shortens runs of three or more equal characters to three.
TRIPLE = re.compile(r"(.)\1\1+")
# What a chunk must have for the tokenizer to find a link, domain, address, phone number, handle,
# hashtag, emoticon, tag, arrow or emoji in it: one of these characters or sequences.
SPECIAL = re.compile(
    r"[^!-~£]|[@#<>:;=]|8[-o*']?[\[\](){}dp/\\|]|[\[\](){}dp/\\|][-o*']?8"
    r"|[a-z0-9]\.[a-z]{2}|\.[a-z]{2,13}/|(?:[0-9][-*.()]*){7}",
    re.I | re.A,
)
# What is left of the tokenizer's pattern for other chunks: words, numbers, dots, single characters.
PLAIN_WORD = re.compile(
    r"[a-z][a-z'_-]+[a-z]|[+-]?[0-9]+[,/.:-][0-9]+[+-]?|[a-z0-9_]+|\.{2,}|\S", re.I | re.A
)
# The ends of all suffixes that any step of the Snowball algorithm looks for.
SNOWBALL_ENDS = (*"eilsy'", "ed", "ing", "ion", "ism", "er", "ator", "ic", "ant", "ent")
MAX_EMOTICON_LENGTH = 4


class TextParams(Params):
    """The keys of section ``preprocessing`` of params.yaml that are about tokens."""

    model_config = ConfigDict(extra="ignore")

    lowercase: bool
    stemmer: Stemmer
    stop_words: StopWords


def import_nltk() -> tuple[ModuleType, ModuleType]:
    """Import and return ``nltk.stem`` and ``nltk.tokenize.casual``.

    NLTK imports scikit-learn and scipy.stats if they are installed, for functions that are not used
    here. That takes three quarters of its import time, so both are hidden from it meanwhile.
    """
    found = {name: sys.modules.get(name) for name in ("sklearn", "scipy.stats")}
    # Without a file, scipy.stats is what core.startup puts in its place.
    hidden = {name: module for name, module in found.items() if not hasattr(module, "__file__")}
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import nltk.stem
        import nltk.tokenize.casual
    finally:
        for name, module in hidden.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module
    return nltk.stem, nltk.tokenize.casual


def load_stop_words(stop_words: StopWords) -> frozenset[str]:
    """Return scikit-learn's English stop words, or none."""
    if stop_words == "none":
        return frozenset()
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS


@cache
def build_tokeniser(
    lowercase: bool, stemmer: Stemmer, stop_words: StopWords
) -> Callable[[str], str]:
    """Return a function from a normalised text to its tokens, joined by one blank.

    NLTK's ``TweetTokenizer`` gets one chunk between blanks at a time, and the results for chunks
    and their tokens are cached: a chunk is a word with its punctuation, and a corpus has few
    distinct ones. No option needs data that NLTK would have to download.

    Parameters
    ----------
    lowercase : bool
        Lower-case tokens other than emoticons; if False, stems keep the case of their word.
    stemmer : {'none', 'snowball', 'porter'}
        NLTK's English stemmer to apply to each token.
    stop_words : {'none', 'english'}
        Whether to leave out scikit-learn's English stop words.
    """
    stemmers, casual = import_nltk()
    tokenizer = casual.TweetTokenizer(reduce_len=True)
    snowball = stemmers.SnowballStemmer("english").stem

    def stem_snowball(token: str) -> str:
        word = token.lower()
        # Apostrophes at the start are cut off, typographic ones become straight.
        has_none = word.isalpha() or (word.isascii() and word[0] != "'")
        return word if has_none and not word.endswith(SNOWBALL_ENDS) else snowball(word)

    stem: Callable[[str], str] = {
        "none": str,
        "snowball": stem_snowball,
        "porter": stemmers.PorterStemmer().stem,
    }[stemmer]
    left_out = load_stop_words(stop_words)

    @lru_cache(maxsize=MAX_CACHED)
    def normalise_token(token: str) -> str:
        is_short = 1 < len(token) <= MAX_EMOTICON_LENGTH
        if is_short and not token.isalpha() and casual.EMOTICON_RE.fullmatch(token):
            return token
        if lowercase:
            return stem(token.lower())
        if stemmer == "none":
            return token
        # NLTK's stemmers always return lower case.
        stemmed = stem(token)
        if len(token) > 1 and token.isupper():
            return stemmed.upper()
        return stemmed[:1].upper() + stemmed[1:] if token[0].isupper() else stemmed

    def split_chunk(chunk: str) -> list[str]:
        has_entity = "&" in chunk and ";" in chunk  # perhaps
        if has_entity or UNSTORABLE.search(chunk):
            words = (UNSTORABLE.sub("", word) for word in tokenizer.tokenize(chunk))
            return list(filter(None, words))
        # The tokenizer does the same, but tries all its patterns at each place of every chunk.
        if TRIPLE.search(chunk):
            chunk = TRIPLE.sub(r"\1\1\1", chunk)
        if chunk.isalpha():
            return [chunk]
        pattern = tokenizer.PHONE_WORD_RE if SPECIAL.search(chunk) else PLAIN_WORD
        return pattern.findall(chunk)

    def tokenise_chunk(chunk: str) -> str:
        words = [word[:MAX_TOKEN_LENGTH] for word in split_chunk(chunk)]
        if left_out:
            words = [word for word in words if word.lower() not in left_out]
        # A character entity such as &nbsp; becomes white space, which must not split a token.
        return " ".join(" ".join(map(normalise_token, words)).split())

    remember_chunk = lru_cache(maxsize=MAX_CACHED)(tokenise_chunk)

    def tokenise_word(word: str) -> str:
        if len(word) <= MAX_CACHED_LENGTH:
            return remember_chunk(word)
        starts = range(0, len(word), MAX_CHUNK_LENGTH)
        pieces = (tokenise_chunk(word[start : start + MAX_CHUNK_LENGTH]) for start in starts)
        return " ".join(filter(None, pieces))

    def tokenise(text: str) -> str:
        return " ".join(filter(None, map(tokenise_word, text.split(" "))))

    return tokenise


def prepare_messages(
    messages: Iterable[str], lowercase: bool, stemmer: Stemmer, stop_words: StopWords
) -> pd.DataFrame:
    """Turn messages as received into the columns that features are computed from.

    It is the first step of every saved model, so prediction processes text as training did.

    Returns
    -------
    DataFrame of shape (n_messages, 2)
        ``text``, normalised, and ``text_tokens``, joined by one blank.
    """
    tokenise = build_tokeniser(lowercase, stemmer, stop_words)
    text = [normalise_text(message) for message in messages]
    return pd.DataFrame({"text": text, "text_tokens": [tokenise(t) for t in text]}, dtype="str")
