"""The self-test of a model file: results for probe messages that the current code must reproduce.

A model file contains the names of the functions that turn text into features, but not their code.
So it also contains the features and probabilities of some probe messages from when it was built. If
the current code, or NLTK, gives others, the model would get features that it was not trained on.

Probes of a model of a table are rows of fixed values, which do not come from the data.
"""

import copy
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from core.errors import UserError
from models.inputs import find_needed, list_inputs, list_orders, make_frame, predict_any
from models.probability import DECIMALS
from records.tables import name_tokens

# An attribute of the pipeline, which skops stores with the pipeline.
ATTRIBUTE = "self_test_"
# The last digits of a probability depend on the processor.
TOLERANCE = 1e-6
# Features are of four bytes.
SUM_TOLERANCE = 1e-4
# Rows of a table without text; those of a table with text have one for each probe.
N_ROWS = 40
NUMBERS = [0.0, 1.0, -1.5, 1e6]
DATES = ["1999-12-31T23:59:59", "2000-02-29", "2024-06-15T12:00:00"]
CATEGORIES = ["no value of any data", None]

# Messages that cover all rules by which text is normalised, split into tokens and stemmed.
PROBES = (
    "See you at the station at six, I will wait outside",
    "Running, runner, ran; easily generously national nationality relational conditional",
    "Congratulations! You have WON a prize: reply YES to claim",
    "FREE ENTRY!!! Txt WIN to 12345 now, cost 50p/msg T&Cs apply",
    "I'm sure they'll say it's theirs, won't you? Don't; can't; shan't",
    "ok",
    "a",
    "?",
    "...",
    "!!!!!!!!",
    "soooooo coooool, nooooo waaaay",
    "HeLLo WoRLD mIxEd CaSe iPhone eBay McDonald",
    "one two  three   four\tfive\nsix\r\nseven",
    "\u00a0no\u00a0break\u2003em\u3000ideographic space ",
    "1 22 333 4444 55555 1,000 1.5 3/4 50% 0800-123-456",
    "Call 0800 123 4567 or +44 20 7946 0000 or (555) 010-9999 today",
    "07700900123 07700900123 07700900123",
    "£500 $5 €20 ¥1000 ₹99 5p 10c",
    "at 10:30am on 01/02/2024, 24-12-2023 or 3rd of May",
    "http://example.com/path?query=1&more=2#part https://www.example.org",
    "www.example.co.uk example.net/page mail me: name.surname+tag@example.com",
    "@somebody #hashtag #Another_One @x RT @you: hi",
    ":-) :) ;-) :D :P =) <3 :'( ^_^ (-: >:( :-/ xD",
    "😀 😂😂 👍🏽 👨‍👩‍👧 ❤️ 🇬🇧 ☎️ 🎉🎉🎉",
    "&amp; &lt;b&gt; &pound;5 &nbsp; &#32; &#x41; &unknown; &#55296;",
    "<a href='x'>link</a> <br/> <not a tag",
    "half-hearted re-entry co-operate well-known e-mail",
    "snake_case camelCase under__score __dunder__",
    "C++ C# .NET node.js a.b.c x=y a+b a*b a^b a|b a~b",
    "'single' \"double\" ‘curly’ “curly” «guillemets» `tick`",
    "(round) [square] {curly} <angle>",
    "semi;colon, comma: colon. stop… ellipsis – dash — long",
    "naïve café résumé Zürich smörgåsbord façade",
    "e\u0301te\u0301 decomposed cafe\u0301",
    "ＦＵＬＬ ｗｉｄｔｈ １２３ ！？",
    "ﬁve ﬂowers ½ ² ³ ™ ℡ ㏂ ﷺ",
    "𝐛𝐨𝐥𝐝 𝒊𝒕𝒂𝒍𝒊𝒄 𝔣𝔯𝔞𝔨𝔱𝔲𝔯 𝚖𝚘𝚗𝚘",
    "z\u200bero w\u200cidth jo\u200diner \ufeffmark so\u00adft",
    "right \u202eto left\u202c override",
    "Привет, как дела? Жду тебя дома",
    "Πού είσαι; Έρχομαι τώρα",
    "你好，你在哪里？我们明天见面吧。",
    "こんにちは、元気ですか？また明日",
    "안녕하세요 내일 봐요",
    "สวัสดีครับ พรุ่งนี้เจอกัน",
    "नमस्ते, कल मिलते हैं",
    "שלום, מה שלומך היום?",
    "مرحبا، كيف حالك اليوم؟",
    "İstanbul ıssız ß STRASSE straße ﬀ",
    "раура1 cl1ck h3re fr33 m0n3y",
    "f r e e   m o n e y",
    "F.R.E.E m-o-n-e-y w_i_n",
    "unsubscribe STOP end quit cancel 2 opt out",
    "the and of to in is you that it he was for on are as with his they",
    "not no never none nothing nowhere neither nor",
    "happy happier happiest happiness happily",
    "argue argued argues arguing argument",
    "skis dying lying news innings outing cannings proceed",
    "x" * 39,
    "y" * 41,
    "ab" * 40,
    "word" * 30,
    "a1." * 40,
    "9" * 120,
    "-" * 70,
    "http://example.com/" + "a/" * 60,
    "长" * 90,
    "\u0300\u0316" * 40,
    "a\u0300\u0316" * 40,
    " ".join(["again"] * 30),
    " ".join("abcdefghijklmnopqrstuvwxyz"),
    " ".join(map(str, range(40))),
    "Ur awarded a 4* holiday, call 09000000000 b4 midnight 18+",
    "urgent urgent URGENT Urgent!!",
    "lol haha hehe brb gr8 thx pls u r 2 l8",
    "can u b there @ 8? i'll b l8r",
    "love you lots xxx",
    "sorry, I'll call later",
    "what's up",
    "good morning",
    "win",
    "cash",
    "claim",
    "mobile",
    "txt",
    "£",
    "call",
    "home",
    "0",
    "00",
    "i",
    "I",
    ":)",
    "gt;lt",
    "tab\tseparated\tvalues",
    "NUL \x00 bell \x07 escape \x1b[31m delete \x7f",
    "\x1c\x1d\x1e\x1f separators \x85 next line",
    "\U0010ffff last \ue000 private",
)


def digest_features(pipeline: Pipeline) -> str:
    """Return the SHA-256 of the probes' normalised texts, tokens and feature indices."""
    prepared = pipeline["messages"].transform(list(PROBES))
    X = pipeline[1:-1].transform(prepared).tocsr()
    X.sort_indices()
    digest = hashlib.sha256("\n".join([*prepared["text"], *prepared["text_tokens"]]).encode())
    # Without the values of features, whose last digits depend on the processor.
    digest.update(X.indptr.astype("<i8").tobytes() + X.indices.astype("<i8").tobytes())
    return digest.hexdigest()


def make_probe_rows(pipeline: Pipeline) -> pd.DataFrame:
    """Return rows with all values of each kind for a model of a table, in many combinations."""
    kinds, orders, needed = list_inputs(pipeline), list_orders(pipeline), find_needed(pipeline)
    n_rows = len(PROBES) if "text" in kinds.values() else N_ROWS
    columns = {}
    for place, (column, kind) in enumerate(kinds.items()):
        lacking = [] if column in needed else [None]
        values: dict[str, list] = {
            "text": list(PROBES),
            "number": [*NUMBERS, *lacking],
            "category": CATEGORIES,
            "ordinal": [*orders.get(column, []), *lacking],
            "date": [*DATES, *lacking],
        }
        chosen = values[kind]
        # Steps of different lengths, so that columns do not go together.
        columns[column] = [chosen[(row // (1 + place % 3)) % len(chosen)] for row in range(n_rows)]
    return make_frame(kinds, columns)


def digest_texts(pipeline: Pipeline, rows: pd.DataFrame) -> str:
    """Return the SHA-256 of the normalised texts and tokens of a table."""
    prepared = pipeline["rows"].transform(rows)
    texts = [column for column, kind in list_inputs(pipeline).items() if kind == "text"]
    found = [text for c in texts for name in (c, name_tokens(c)) for text in prepared[name]]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def answer_probes(pipeline: Pipeline) -> dict[str, Any]:
    """Return a digest of the probes' features, and their probabilities or numbers.

    Of the rows of a table also the sum of their features, since trees may not notice a change.
    """
    if "messages" in pipeline.named_steps:
        found = predict_any(pipeline, list(PROBES))
        return {"features": digest_features(pipeline), "probabilities": found.round(DECIMALS)}
    rows = make_probe_rows(pipeline)
    X = pipeline[:-1].transform(rows).astype(np.float64)
    return {
        "features": digest_texts(pipeline, rows),
        "probabilities": predict_any(pipeline, rows).round(DECIMALS),
        "sums": np.asarray(X.sum(axis=1)).ravel().round(DECIMALS),
    }


def add_self_test(pipeline: Pipeline) -> Pipeline:
    """Add a self-test to a fitted pipeline, and return it.

    A pipeline that starts from features is returned unchanged.
    """
    if not {"messages", "rows"} & set(pipeline.named_steps):
        return pipeline
    # A vectoriser that has been used keeps its vocabulary as a dictionary, which would be stored.
    setattr(pipeline, ATTRIBUTE, answer_probes(copy.deepcopy(pipeline)))
    return pipeline


def has_changed(pipeline: Pipeline) -> bool:
    """Return whether the current code gives other results for the probes than the stored ones.

    A pipeline without a self-test, such as one that is not from ``model_building``, counts as
    unchanged.
    """
    answers = getattr(pipeline, ATTRIBUTE, None)
    if answers is None:
        return False
    found = answer_probes(pipeline)
    if found["features"] != answers["features"]:
        return True
    # Predicted numbers and sums may be large, probabilities are not.
    is_classifier = hasattr(pipeline[-1], "predict_proba")
    tolerances = {"probabilities": 0 if is_classifier else TOLERANCE, "sums": SUM_TOLERANCE}
    return not all(
        np.allclose(
            found[name], answers[name], rtol=rtol, atol=max(rtol, TOLERANCE), equal_nan=True
        )
        for name, rtol in tolerances.items()
        if name in answers
    )


def name_commit(path: Path) -> str:
    """Return which code fits a model file, for a message: that of a commit, if Git finds it."""
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    fits = f"the code of the commit whose dvc.lock names its MD5, {md5}"
    log = ["git", "log", "--all", "--reverse", "--format=%h", f"-S{md5}", "--", "dvc.lock"]
    try:
        found = subprocess.run(log, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return fits
    return f"the code of commit {found[0]}" if found else fits


def check_code(pipeline: Pipeline, path: Path, allow_changed_code: bool = False) -> None:
    """Raise ``UserError`` if the current code gives other results than when a model was built.

    Parameters
    ----------
    pipeline : Pipeline
        The model, as read from ``path``.
    path : Path
        The model's file, for the message.
    allow_changed_code : bool
        Skip the check.
    """
    if allow_changed_code or not has_changed(pipeline):
        return
    raise UserError(
        f"{path} was built with other code: the current code gives other features or predictions "
        "for the same input",
        f"use {name_commit(path)}, build the model again with 'dvc repro', or use the model anyway "
        "with --allow-changed-code",
    )
