"""Tests of the report of an evaluation."""

import html.parser

import pandas as pd

from evaluation.report import (
    Report,
    Section,
    render_report,
    tabulate_by,
    tabulate_metrics,
    tabulate_rows,
)

METRICS = {"accuracy": 0.9876, "mcc": 0.9, "spam_caught": 0.875, "mae": 1234.5}
INTERVALS = {name: {"low": value / 2, "high": value} for name, value in METRICS.items()}
DIFFERENCE = {"mcc": {"value": 0.8, "low": 0.7, "high": 0.9}}


def render(message="free cash prize"):
    table = tabulate_metrics(
        {"test": METRICS, "train": METRICS, "baseline": {"mcc": 0.1}},
        {"test": INTERVALS, "train": INTERVALS, "difference": DIFFERENCE},
    )
    errors = pd.DataFrame({"row": [106], "label": ["ham"], "probability": [0.9], "text": [message]})
    sections = [
        Section("Metrics", "", table),
        Section("Errors", "", tabulate_rows(errors, ["text"])),
    ]
    report = Report("Spam caught: 87.5%", ["One sentence."], sections)
    return render_report(report, {"roc": b"one", "calibration": b"two"})


class PageReader(html.parser.HTMLParser):
    """Collects the references and tags of a page."""

    def __init__(self):
        super().__init__()
        self.references, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href")]


def test_it_is_one_page_that_needs_no_network():
    page, text = PageReader(), render()
    page.feed(text)
    assert len(page.references) == 2
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    assert "script" not in page.tags
    assert "url(" not in text


def test_it_shows_messages_as_text():
    text = render("<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>" not in text


def test_it_shows_each_metric_with_its_interval():
    text = render()
    assert "98.76%" in text
    assert "[49.38%, 98.76%]" in text
    assert "1,234" in text


def test_it_shows_how_far_a_metric_is_from_the_baselines():
    text = render()
    assert "0.1000" in text
    assert '0.8000 <span class="interval">[0.7000, 0.9000]</span>' in text


def test_a_metric_that_a_slice_does_not_define_is_empty():
    table = tabulate_by(
        "shop", {"a": {"rows": 7, "recall": 0.5}, "b": {"rows": 9}}, {"a": {}, "b": {}}, ["recall"]
    )
    assert [cell if isinstance(cell, str) else cell.text for cell in table.rows[0]] == [
        "a",
        "7",
        "50.00%",
    ]
    assert table.rows[1] == ["b", "9", ""]
