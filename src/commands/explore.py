"""Show the training rows on a page that works offline: columns, associations, typical words.

By hand: python src explore

The page has skrub's report of the table, and for each column of text the lengths and the n-grams
that are most typical of each label. Only training rows are shown, so that nobody chooses settings
by what is in the test set.
"""

import argparse
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from core.errors import UserError, exit_on_user_error
from core.files import write_text
from core.params import read_params
from core.paths import TRAINING_SET
from core.tables import read_table
from features.typical_ngrams import rank_typical_ngrams
from records.schema import TOKENS_SUFFIX, Schema

MAX_NGRAM = 2
SHOWN_NGRAMS = 15
# The most frequent labels; more tables than that nobody reads.
SHOWN_LABELS = 20
QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
QUANTILE_NAMES = ("shortest", "5%", "25%", "median", "75%", "95%", "longest")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem }
th, td { border-bottom: 1px solid #ccc; padding: 0.2rem 0.8rem; text-align: right }
th:first-child, td:first-child { text-align: left }
.tables { display: flex; flex-wrap: wrap; gap: 2rem }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ "{:,}".format(n_rows) }} training rows. The test rows are not shown, so that no setting is
chosen by them.</p>
{{ report | safe }}
{% for text in texts %}
<h2>Text: {{ text.name }}</h2>
<h3>Characters</h3>
{{ text.lengths | safe }}
<h3>Typical words and pairs of words</h3>
<p>Tokens as the model sees them, and the share of texts that have them.</p>
<div class="tables">
{% for label, table in text.typical.items() %}
<div><h4>{{ label }}</h4>
{{ table | safe }}</div>
{% endfor %}
</div>
{% endfor %}
</body>
</html>
"""


def report_table(df: pd.DataFrame, title: str) -> str:
    """Return skrub's report of a table, as HTML.

    Raises
    ------
    UserError
        If skrub is not installed.
    """
    try:
        import skrub
    except ImportError as error:
        raise UserError(
            "the report needs skrub, which is not installed",
            "run make explore, or pip install -r requirements-explore.txt",
        ) from error
    return skrub.TableReport(df, title=title, verbose=0).html_snippet()


def divide_rows(target: pd.Series) -> np.ndarray:
    """Return the label of each row, for a number whether it is low, medium or high."""
    if isinstance(target.dtype, pd.CategoricalDtype):
        labels = target.astype("str")
        is_frequent = labels.isin(labels.value_counts().index[:SHOWN_LABELS])
        return labels.where(is_frequent, "others").to_numpy(str)
    ranks = target.rank(pct=True)
    names = ["lowest third", "middle third", "highest third"]
    return np.array(names)[np.clip(np.ceil(ranks.to_numpy() * 3).astype(int) - 1, 0, 2)]


def describe_text(name: str, df: pd.DataFrame, labels: np.ndarray) -> dict[str, Any]:
    """Return what the page says of a column of text.

    Parameters
    ----------
    name : str
        The column.
    df : DataFrame
        The training rows, with the column of tokens.
    labels : ndarray of str, shape (n_rows,)
        The label of each row.
    """
    texts = df[name].tolist()
    sizes = np.array(list(map(len, texts)))
    quantiles = {label: np.quantile(sizes[labels == label], QUANTILES) for label in set(labels)}
    lengths = pd.DataFrame.from_dict(quantiles, orient="index", columns=list(QUANTILE_NAMES))
    tokens = df[f"{name}{TOKENS_SUFFIX}"].tolist()
    typical = rank_typical_ngrams(tokens, labels, MAX_NGRAM, SHOWN_NGRAMS)
    tables = {}
    for label, table in typical.items():
        shown = table.drop(columns="z").rename(columns={"ngram": "", "elsewhere": "other labels"})
        shares = dict.fromkeys(("here", "other labels"), "{:.1%}".format)
        tables[label] = shown.to_html(index=False, formatters=shares, border=0)
    return {
        "name": name,
        "lengths": lengths.sort_index().to_html(float_format="{:,.0f}".format, border=0),
        "typical": tables,
    }


def main(argv: list[str] | None = None) -> None:
    """Write the page of the table that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Show the training rows on a page.")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="(params.yaml)")
    parser.add_argument("--input", type=Path, default=Path(TRAINING_SET), help=f"({TRAINING_SET})")
    parser.add_argument("--output", type=Path, default=Path("reports", "explore.html"))
    args = parser.parse_args(argv)
    schema = read_params(args.params, "schema", Schema)
    tokens = [f"{name}{TOKENS_SUFFIX}" for name in schema.text]
    shown = [schema.target, *schema.features]
    df = read_table(args.input, [*shown, *tokens])
    title = f"{schema.target} from {', '.join(schema.features[:3])}"
    title += ", …" if len(schema.features) > 3 else ""
    report = report_table(df[shown], title)
    labels = divide_rows(df[schema.target])
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(PAGE).render(
        title=title,
        n_rows=len(df),
        report=report,
        texts=[describe_text(name, df, labels) for name in schema.text],
    )
    write_text(page, args.output)
    print(f"{args.output} written: open it in a browser")


def run_program() -> None:
    with exit_on_user_error("explore"):
        main()
