"""Turn messages into tokens, for training and for prediction alike."""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Literal

import pandas as pd
from nltk.stem.porter import PorterStemmer
from nltk.stem.snowball import SnowballStemmer
from nltk.tokenize.casual import EMOTICON_RE, TweetTokenizer
from pydantic import ConfigDict
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from common.params import Params
from common.text import normalise_text

Stemmer = Literal["none", "snowball", "porter"]
StopWords = Literal["none", "english"]

# Bounds the memory of a process that sees messages without end; English needs far fewer.
MAX_CACHED_CHUNKS = 2**18
# Longer ones are links and encoded data: what follows does not recur.
MAX_TOKEN_LENGTH = 40


class TextParams(Params):
    """What ``params.yaml`` says of making tokens."""

    model_config = ConfigDict(extra="ignore")

    lowercase: bool
    stemmer: Stemmer
    stop_words: StopWords


@cache
def build_tokeniser(
    lowercase: bool, stemmer: Stemmer, stop_words: StopWords
) -> Callable[[str], str]:
    """Return a function from a normalised text to its tokens, joined by one blank.

    NLTK's ``TweetTokenizer`` sees one blank-separated chunk at a time, so that the result of each
    distinct chunk is computed once and remembered: a chunk is a word with its punctuation, and a
    corpus has few. No option needs data that NLTK would have to download.

    Parameters
    ----------
    lowercase : bool
        Lower-case tokens, emoticons excepted; else stems keep the case of their word.
    stemmer : {'none', 'snowball', 'porter'}
        NLTK's English stemmer to apply to each token.
    stop_words : {'none', 'english'}
        Whether to leave out scikit-learn's English stop words.
    """
    tokenizer = TweetTokenizer(reduce_len=True)
    stems: dict[str, Callable[[str], str]] = {
        "none": str,
        "snowball": SnowballStemmer("english").stem,
        "porter": PorterStemmer().stem,
    }
    stem = stems[stemmer]

    def normalise_token(token: str) -> str:
        if EMOTICON_RE.search(token):
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

    @lru_cache(maxsize=MAX_CACHED_CHUNKS)
    def tokenise_chunk(chunk: str) -> str:
        words = (word[:MAX_TOKEN_LENGTH] for word in tokenizer.tokenize(chunk))
        if stop_words == "english":
            words = (word for word in words if word.lower() not in ENGLISH_STOP_WORDS)
        # A character entity such as &nbsp; becomes white space, which must not split a token.
        return " ".join(" ".join(map(normalise_token, words)).split())

    def tokenise(text: str) -> str:
        return " ".join(filter(None, map(tokenise_chunk, text.split(" "))))

    return tokenise


def prepare_messages(
    messages: Iterable[str], lowercase: bool, stemmer: Stemmer, stop_words: StopWords
) -> pd.DataFrame:
    """Turn messages as received into the columns that features are made from.

    This is the first step of every saved model, so that predicting does what training did.

    Returns
    -------
    DataFrame of shape (n_messages, 2)
        ``text``, normalised, and ``tokens``, joined by one blank.
    """
    tokenise = build_tokeniser(lowercase, stemmer, stop_words)
    text = [normalise_text(message) for message in messages]
    return pd.DataFrame({"text": text, "tokens": [tokenise(t) for t in text]}, dtype="str")
