"""Tests of the page of the training rows."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from commands import explore
from core.errors import UserError


class Report:
    """In place of skrub's, which is not installed for tests."""

    def __init__(self, df, title, verbose):
        assert title
        assert verbose == 0
        self.columns = list(df.columns)

    def html_snippet(self):
        return f"<div>report of {self.columns}</div>"


@pytest.fixture
def show(tmp_path, params_file, monkeypatch):
    """Return a function that writes the page of a table, and returns it."""
    monkeypatch.setitem(sys.modules, "skrub", SimpleNamespace(TableReport=Report))

    def call(df, **schema):
        table, page = tmp_path / "train.parquet", tmp_path / "page.html"
        df.to_parquet(table)
        params = params_file({f"schema.{key}": value for key, value in schema.items()})
        explore.main([f"--params={params}", f"--input={table}", f"--output={page}"])
        return page.read_text()

    return call


@pytest.fixture
def messages():
    """Return a training table of messages."""
    texts = ["win a <b>prize</b>", "see you soon"] * 10
    labels = pd.Categorical(["spam", "ham"] * 10, categories=["ham", "spam"])
    df = pd.DataFrame({"label": labels, "text": texts}).astype({"text": "str"})
    return df.assign(text_tokens=["win a <b>prize", "see you soon"] * 10, row=range(20))


def test_shows_the_table_the_lengths_and_typical_words_of_each_label(show, messages):
    page = show(messages)
    assert "report of [&#39;label&#39;" in page or "report of ['label', 'text']" in page
    assert "<h4>spam</h4>" in page
    assert "&lt;b&gt;prize" in page
    assert "<b>prize" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_number_as_target_is_divided_into_thirds(show, messages):
    df = messages.assign(label=np.arange(20.0))
    page = show(df, task="regression", labels=[], positive=None)
    assert all(f"<h4>{name}</h4>" in page for name in ("lowest third", "highest third"))


def test_without_skrub_the_command_says_what_to_do(show, messages, monkeypatch):
    monkeypatch.setitem(sys.modules, "skrub", None)
    with pytest.raises(UserError, match="skrub, which is not installed: run make explore"):
        show(messages)
