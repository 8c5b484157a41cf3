"""Say what a comparison found: as Markdown, as JSON, and as a page that works offline."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import pandas as pd

from core.markdown import align_table
from evaluation.metrics import format_metric
from evaluation.report import (
    NAME,
    NUMBER,
    Cell,
    Report,
    Section,
    Table,
    format_cell,
    name_metric,
    render_report,
)
from evaluation.scores import Measured
from monitoring.comparison import LEVEL, Finding
from monitoring.figures import draw_signal
from monitoring.quality import Expected
from monitoring.reference import Reference

# On the terminal and as pictures: a table may have thousands of columns.
SHOWN_TESTS, SHOWN_PICTURES = 20, 30
VALID = "valid if inputs did not drift"


@dataclass(frozen=True)
class Result:
    """What a comparison found.

    Attributes
    ----------
    version, unit : str
        Of the model; 'messages' or 'rows'.
    reference : Reference
        What was compared with.
    rows : DataFrame of shape (n_rows, n_signals)
        The signals of the new data.
    reasons : Counter of str
        Why other rows were rejected.
    findings : list of Finding
        One for each test.
    expected : Expected or None
        What the probabilities let expect; None of a number.
    measured : Measured or None
        The metrics of the rows with labels, and if there are none,
    no_labels : str
        why.
    n_labelled : int
        How many rows have a label.
    """

    version: str
    unit: str
    reference: Reference
    rows: pd.DataFrame
    reasons: Counter[str]
    findings: list[Finding]
    expected: Expected | None
    measured: Measured | None
    no_labels: str
    n_labelled: int

    @property
    def drifts(self) -> list[Finding]:
        """The tests that found drift."""
        return [each for each in self.findings if each.is_drift]

    @property
    def drifted(self) -> list[str]:
        """The signals that drifted, each once."""
        return list(dict.fromkeys(each.signal for each in self.drifts))

    @property
    def ranked(self) -> list[Finding]:
        """The tests, drift first, then the least probable differences."""
        return sorted(self.findings, key=lambda each: (not each.is_drift, each.p_value))

    @property
    def heading(self) -> str:
        """The verdict in one line."""
        n_rows = f"{len(self.rows):,} {self.unit}"
        return f"Drift in {', '.join(self.drifted)}" if self.drifted else f"No drift in {n_rows}"


def describe_inputs(result: Result) -> str:
    """Return what was compared with what."""
    n_rejected = result.reasons.total()
    rejected = ""
    if n_rejected:
        (reason, _), *_ = result.reasons.most_common(1)
        rejected = f" Rejected: {n_rejected:,}, most often for {reason}."
    return (
        f"{len(result.rows):,} {result.unit} compared with {len(result.reference.rows):,} of the "
        f"test set of model {result.version}.{rejected} {len(result.findings)} tests: in "
        f"{LEVEL:.0%} of data without drift one of them is wrong, if its {result.unit} are "
        "independent of each other."
    )


def describe_quality(result: Result) -> str:
    """Return how far the estimated metrics can be relied on."""
    if result.expected is None:
        return "Without labels nothing can be said about the errors of predicted numbers."
    inputs = [name for name in result.drifted if name != result.reference.about.signals[-1].name]
    why = f" They did: {', '.join(inputs)}." if inputs else ""
    shares = ", ".join(f"{name}: {share:.2%}" for name, share in shown_shares(result.expected))
    return (
        f"Expected from the probabilities alone, {VALID}.{why} Labels expected: {shares}. "
        "The first two columns are of the test set: how far apart they are shows how well this "
        "estimate works at best."
    )


def shown_shares(expected: Expected) -> list[tuple[str, float]]:
    """Return the most frequent labels with their shares."""
    ranked = sorted(expected.shares.items(), key=lambda each: -each[1])
    return ranked[:SHOWN_TESTS]


def tabulate_findings(findings: Sequence[Finding]) -> list[list[str]]:
    """Return a row for each test, the header first."""
    rows = [["signal", "test", "test set to new data", "p-value", "effect", "minimum", "verdict"]]
    for each in findings:
        verdict = "drift" if each.is_drift else "ok"
        numbers = [f"{each.p_value:.2g}", f"{each.effect:.3f}", f"{each.minimum:g}"]
        rows.append([each.signal, each.what, each.change, *numbers, verdict])
    return rows


def tabulate_expected(result: Result) -> list[list[str]]:
    """Return a row for each metric that is estimated without labels, the header first."""
    about = result.reference.about
    rows = [["metric", "test set", "expected there", "expected now"]]
    for name, value in (result.expected.metrics if result.expected else {}).items():
        known = [about.metrics.get(name), about.expected.get(name), value]
        shown = ["" if each is None else format_metric(name, each) for each in known]
        rows.append([name_metric(name), *shown])
    return rows


def tabulate_measured(result: Result) -> list[list[str | Cell]]:
    """Return a row for each metric of the rows with labels, without header."""
    rows: list[list[str | Cell]] = []
    if result.measured:
        for name, known in result.reference.about.metrics.items():
            if name in result.measured.metrics:
                found, interval = result.measured.metrics[name], result.measured.intervals[name]
                cell = format_cell(name, found, interval)
                rows.append([name_metric(name), format_metric(name, known), cell])
    return rows


MEASURED = ["metric", "test set", "new data"]


def write_markdown(result: Result) -> str:
    """Return the result for a terminal."""
    shown = result.ranked[:SHOWN_TESTS]
    table = align_table(tabulate_findings(shown))
    texts = [f"**{result.heading}**", describe_inputs(result), table]
    if n_more := len(result.findings) - len(shown):
        n_drifts = sum(each.is_drift for each in result.ranked[SHOWN_TESTS:])
        texts.append(f"The page shows {n_more:,} more tests, {n_drifts:,} of them with drift.")
    texts.append(describe_quality(result))
    if result.expected:
        texts.append(align_table(tabulate_expected(result)))
    if result.measured:
        cells = [
            [each if isinstance(each, str) else f"{each.text} {each.interval}" for each in row]
            for row in tabulate_measured(result)
        ]
        texts += [describe_labels(result), align_table([MEASURED, *cells])]
    return "\n\n".join(texts)


def describe_labels(result: Result) -> str:
    """Return how many rows the measured metrics are of."""
    return f"Measured on {result.n_labelled:,} {result.unit} with labels, with 95% intervals."


def build_json(result: Result) -> dict[str, Any]:
    """Return the result for programs."""
    content: dict[str, Any] = {
        "model_version": result.version,
        "is_drift": bool(result.drifts),
        "rows": len(result.rows),
        "reference_rows": len(result.reference.rows),
        "rejected": dict(result.reasons),
        "level": LEVEL,
        "tests": [tidy(asdict(each)) for each in result.findings],
    }
    if result.expected:
        content["expected"] = {"note": VALID, **asdict(result.expected)}
    if result.measured:
        names = [name for name in result.reference.about.metrics if name in result.measured.metrics]
        content["measured"] = {
            "rows": result.n_labelled,
            "metrics": {name: result.measured.metrics[name] for name in names},
            "intervals": {name: result.measured.intervals[name] for name in names},
        }
    return content


def tidy(values: dict[str, Any]) -> dict[str, Any]:
    """Round numbers to six significant digits."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in values.items()
    }


def draw_pictures(result: Result) -> dict[str, bytes]:
    """Return the signals as PNG files, by name: those with drift first."""
    signals = {each.name: each for each in result.reference.about.signals}
    chosen = list(dict.fromkeys(each.signal for each in result.ranked))[:SHOWN_PICTURES]
    pictures = {}
    for name in chosen:
        figure = draw_signal(signals[name], result.reference.rows[name], result.rows[name])
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
        pictures[name] = buffer.getvalue()
    return pictures


def write_page(result: Result) -> str:
    """Return the result as an HTML page."""
    header, *rows = tabulate_findings(result.ranked)
    kinds = [NAME, NAME, NAME, NUMBER, NUMBER, NUMBER, NAME]
    sections = [Section("Tests", "", make_table(header, kinds, rows))]
    header, *rows = tabulate_expected(result)
    text = describe_quality(result)
    numbers = [NAME, NUMBER, NUMBER, NUMBER]
    sections.append(Section("Without labels", text, make_table(header, numbers, rows)))
    text = describe_labels(result) if result.measured else f"Nothing measured: {result.no_labels}."
    table = make_table(MEASURED, numbers[:3], tabulate_measured(result))
    sections.append(Section("With labels", text, table))
    report = Report(
        result.heading,
        [describe_inputs(result)],
        sections,
        title="Drift",
        caption="of the test set and of new data",
    )
    return render_report(report, draw_pictures(result))


def make_table(header: list[str], kinds: list[str], rows: Any) -> Table:
    """Return a table of a page."""
    return Table(list(zip(header, kinds, strict=True)), [list(row) for row in rows])
