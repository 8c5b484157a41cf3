"""Tests of turning messages into tokens."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem import SnowballStemmer
from nltk.stem.snowball import EnglishStemmer
from nltk.tokenize.casual import EMOTICON_RE, TweetTokenizer
from pydantic import ValidationError

from text import tokens
from text.normalise import normalise_text
from text.tokens import TextParams, build_tokeniser, prepare_messages

SOURCE = Path(tokens.__file__).parents[1]
SNOWBALL = SnowballStemmer("english")
# Of all steps of the algorithm.
SUFFIXES = sorted(
    {
        suffix
        for step in ("0", "1a", "1b", "2", "3", "4", "5")
        for suffix in getattr(EnglishStemmer, f"_EnglishStemmer__step{step}_suffixes")
    }
)
CASUAL = TweetTokenizer(reduce_len=True)
OPTIONS = st.tuples(
    st.booleans(),
    st.sampled_from(["none", "snowball", "porter"]),
    st.sampled_from(["none", "english"]),
)
# Parts of messages that tokenisers often get wrong, and arbitrary characters.
MESSAGES = st.lists(
    st.sampled_from(
        [" ", "\t", "\u00a0", "&nbsp;", "&#32;", "&amp;", ":-)", "'s", "http://", "@", "#", "..."]
    )
    | st.text(max_size=4),
    max_size=12,
).map("".join)


# Chunks of what the fast way and the tokenizer's own might read differently.
CHUNKS = st.lists(
    st.text("adopxyDOPsS1238'-._,/+", max_size=6)
    | st.text("!?;:=()[]{}<>@#|\\*&\"$£€\u2018\u2019\u2026\u2013\u2014-+/.,'8dpo", max_size=5)
    | st.sampled_from(["ab.co", ".com/a", "don't", "0870", "123-4567", "...", "\u0301", "ſ", "😀"])
    | st.text(max_size=2),
    max_size=5,
).map("".join)


def tokenise(text, lowercase=True, stemmer="none", stop_words="none"):
    return build_tokeniser(lowercase, stemmer, stop_words)(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WIN Cash", "win cash"),
        ("call now!", "call now !"),
        ("@Anna #Fun", "@anna #fun"),
        ("don't", "don't"),
        ("£500", "£ 500"),
        ("sooooo", "sooo"),
        ("", ""),
    ],
)
def test_splits_words_and_punctuation(text, expected):
    assert tokenise(text) == expected


@pytest.mark.parametrize(
    ("stemmer", "expected"),
    [
        ("none", "winning prizes generously"),
        ("snowball", "win prize generous"),
        ("porter", "win prize gener"),
    ],
)
def test_stems_as_the_stemmer_does(stemmer, expected):
    assert tokenise("Winning prizes generously", stemmer=stemmer) == expected


@pytest.mark.parametrize("stemmer", ["snowball", "porter"])
def test_stems_keep_the_case_of_their_word(stemmer):
    text = "Winning WINNING winning I"
    assert tokenise(text, lowercase=False, stemmer=stemmer) == "Win WIN win I"


def test_keeps_case_without_a_stemmer():
    assert tokenise("Winning iPhone", lowercase=False) == "Winning iPhone"


def test_leaves_stop_words_out():
    assert tokenise("The prize is for YOU", stop_words="english") == "prize"


def test_leaves_stop_words_out_in_any_case():
    assert tokenise("The Prize", lowercase=False, stop_words="english") == "Prize"


def test_leaves_out_a_message_of_stop_words():
    assert tokenise("to be or not to be", stop_words="english") == ""


@pytest.mark.parametrize("emoticon", [":-)", ":D", "=P", "<3", ";-)"])
def test_keeps_an_emoticon(emoticon):
    assert tokenise(f"Hi {emoticon} Bob", stemmer="snowball") == f"hi {emoticon} bob"


@pytest.mark.parametrize("emoji", ["😀", "👍🏽"])
def test_keeps_an_emoji(emoji):
    assert tokenise(f"hi{emoji}") == f"hi {emoji}"


@pytest.mark.parametrize("url", ["http://example.com/a?b=1", "www.example.co.uk", "example.com"])
def test_keeps_a_link_in_one_piece(url):
    assert tokenise(f"see {url} now") == f"see {url} now"


def test_lowercases_a_link():
    assert tokenise("HTTP://WIN.EXAMPLE.COM/A") == "http://win.example.com/a"


def test_lowercases_a_word_that_holds_an_emoticon():
    assert tokenise("only 58P") == "only 58p"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("you &amp; me", "you & me"),
        ("&lt;3", "<3"),
        ("&pound;5", "£ 5"),
        ("a&nbsp;b", "a b"),
        ("a&#32;&#32;b", "a b"),
        ("&nbsp;", ""),
        ("a &#10; b", "a b"),
        ("123&#32;&#32;456&#32;7890", "123 456 7890"),
    ],
)
def test_reads_character_entities(text, expected):
    assert tokenise(text) == expected


def test_cuts_a_very_long_token():
    assert tokenise("x" + "ab" * 30 + " end") == "x" + "ab" * 19 + "a end"


@settings(deadline=None, max_examples=1000)
@given(
    CHUNKS
    | MESSAGES
    | st.text(st.characters(categories=["L"]) | st.sampled_from("aA "), max_size=12)
)
def test_splits_each_chunk_as_nltk_does(message):
    # NLTK keeps NUL, which the data cannot have.
    text = normalise_text(message.replace("\0", ""))
    words = [word for chunk in text.split(" ") for word in CASUAL.tokenize(chunk)]
    expected = " ".join(word[:40] for word in words)
    assert tokenise(text, lowercase=False) == " ".join(expected.split())


@settings(deadline=None, max_examples=500)
@given(
    st.text("aeiouylnrstdgcmvz'", max_size=9)
    | st.builds(
        "".join,
        st.tuples(
            st.text("aeytlsv", max_size=5),
            st.sampled_from(SUFFIXES),
            st.sampled_from(["", "s", "ly", "ed", "ing", "'s", "\u2019", "1"]),
        ),
    )
    | st.text(min_size=1, max_size=5)
)
def test_stems_each_token_as_nltk_does(chunk):
    words = tokenise(normalise_text(chunk), lowercase=False).split()
    expected = [w if EMOTICON_RE.fullmatch(w) else SNOWBALL.stem(w.lower()) for w in words]
    found = tokenise(normalise_text(chunk), stemmer="snowball")
    assert found == " ".join(" ".join(expected).split())


@settings(deadline=None)
@given(MESSAGES, OPTIONS)
def test_never_gives_an_empty_token(message, options):
    found = build_tokeniser(*options)(normalise_text(message))
    assert found == " ".join(found.split())


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=3), OPTIONS)
def test_prepares_normalised_messages_as_those_received(messages, options):
    received = prepare_messages(messages, *options)
    normalised = prepare_messages([normalise_text(message) for message in messages], *options)
    assert received.equals(normalised)


def test_prepares_text_and_tokens():
    df = prepare_messages([" ＷＩＮ\tnow ", "see you"], True, "none", "none")
    assert df.to_dict("list") == {
        "text": ["WIN now", "see you"],
        "text_tokens": ["win now", "see you"],
    }


def test_prepares_no_messages():
    df = prepare_messages([], True, "none", "none")
    assert df.shape == (0, 2)
    assert list(df.dtypes) == ["str", "str"]


def test_reads_its_three_keys_of_a_longer_section():
    params = TextParams(lowercase=True, stemmer="porter", stop_words="english", test_size=0.2)
    assert params.model_dump() == {
        "lowercase": True,
        "stemmer": "porter",
        "stop_words": "english",
    }


@pytest.mark.parametrize("change", [{"stemmer": "lancaster"}, {"stop_words": "french"}])
def test_refuses_an_unknown_option(change):
    options = {"lowercase": True, "stemmer": "none", "stop_words": "none"}
    with pytest.raises(ValidationError, match=next(iter(change))):
        TextParams(**{**options, **change})


def test_hides_slow_imports_from_nltk_only():
    script = (
        "import sys\n"
        "from text.tokens import build_tokeniser\n"
        "build_tokeniser(True, 'snowball', 'none')('Winning')\n"
        "print({'sklearn', 'scipy.stats'} & sys.modules.keys())\n"
        "import sklearn, scipy.stats\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "set()\n"


def test_needs_no_data_that_nltk_downloads(tmp_path):
    script = (
        "from text.tokens import build_tokeniser\n"
        "for stemmer in ('none', 'snowball', 'porter'):\n"
        "    print(build_tokeniser(True, stemmer, 'english')('The winning prizes'))\n"
    )
    environment = {
        "HOME": str(tmp_path),
        "NLTK_DATA": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
    }
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["winning prizes", "win prize", "win prize"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [41, 64, 65, 250])
def test_a_long_chunk_is_tokenised_in_pieces_of_64_characters(length):
    chunk = ("ab1." * 100)[:length]
    pieces = [chunk[start : start + 64] for start in range(0, length, 64)]
    expected = " ".join(word[:40] for piece in pieces for word in CASUAL.tokenize(piece))
    assert tokenise(chunk) == expected


def test_a_piece_that_holds_no_token_leaves_no_blank():
    assert tokenise("a" * 64 + "&nbsp;" + "b") == "aaa b"


def test_long_chunks_are_not_cached():
    remember = build_tokeniser(True, "none", "none")
    remember("warm a1")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(300):
        remember(f"{number}." + "x" * 10_000)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    # The texts have 3 MB.
    assert kept < 1_000_000


@pytest.mark.parametrize("entity", ["&#55296;", "&#xD800;", "&#57343;", "&#xdfff;", "&#0;"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_drops_entities_that_cannot_be_stored(entity, lowercase):
    options = {"lowercase": lowercase, "stemmer": "snowball", "stop_words": "none"}
    found = prepare_messages([f"hello {entity} x{entity}y"], **options)
    assert found["text_tokens"].tolist() == ["hello x y"]


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_drops_what_cannot_be_stored(character):
    assert tokenise(f"call{character} {character} {character * 3}now") == "call now"
