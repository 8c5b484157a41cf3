"""Tests of the report of an evaluation."""

import html.parser

import pandas as pd

from evaluation.report import render_report

METRICS = {"accuracy": 0.9876, "mcc": 0.9, "spam_caught": 0.875, "ham_blocked": 0.0}
CV_SCORES = {"matthews_corrcoef": 0.9422, "matthews_corrcoef_std": 0.024}
POINT = {"threshold": 0.539, "cv_recall": 0.9, "cv_fpr": 0.001, "recall": 0.914, "fpr": 0.0}
INTERVALS = {name: {"low": value / 2, "high": 1.0} for name, value in METRICS.items()}

RATE = {"rate": 0.75, "low": 0.5, "high": 1.0}
DISGUISED = {"caught": RATE, "blocked": RATE, "example": "f r e e"}
ROBUSTNESS = {
    "worst": 0.75,
    "worst_attack": "spaced_text",
    "mean": 0.75,
    "clean": DISGUISED,
    "attacks": {"spaced_text": DISGUISED},
}


def render(message="free cash prize"):
    errors = pd.DataFrame({"row": [106], "label": ["ham"], "probability": [0.9], "text": [message]})
    return render_report(
        {"test": METRICS, "train": METRICS, "cv": CV_SCORES, "operating_point": POINT},
        {"test": INTERVALS, "train": INTERVALS},
        ROBUSTNESS,
        errors,
        {"roc": b"one", "calibration": b"two"},
        ["ham", "spam"],
        {"test": 1032, "train": 4128},
    )


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
    assert "0.9422 ± 0.0240" in text
    assert "[49.38%, 100.00%]" in text
