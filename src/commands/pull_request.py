"""Write a comment for a pull request: how the change affects metrics and plots, in Markdown.

By hand: python src pull_request --base origin/main

Both commits' results must be in DVC's cache: check out the base, run ``make repro``, then do the
same for the change.
"""

import argparse
import json
from collections.abc import Sequence

from core.log import run_stage
from core.paths import METRICS
from core.processes import run_dvc

PLOT = "Rates by threshold"
# The columns of ``dvc exp show`` to keep.
HEADLINES = r"(cv\..*|test\.(f1|mcc|.*_caught|.*_blocked))$"
LINES = ["caught", "blocked"]
# Every fifth point is enough for a chart in a comment.
EVERY = 5


def make_chart(points: Sequence[dict], line: str, revisions: Sequence[str]) -> str:
    """Return a Mermaid chart of a rate against the threshold, a line for each revision.

    Parameters
    ----------
    points : sequence of dict
        ``rev``, ``field`` (the name of a rate), and the rate under that name, by threshold.
    line : str
        Which rate to draw.
    revisions : sequence of str
        Which revisions, in the order of the lines.
    """
    lines = []
    for revision in revisions:
        rates = [p[line] for p in points if (p["rev"], p["field"]) == (revision, line)]
        values = ", ".join(f"{rate:.4f}" for rate in rates[::EVERY])
        lines.append(f"    line [{values}]")
    title = f"{line} by threshold: " + ", then ".join(revisions)
    head = ["xychart-beta", f'    title "{title}"', '    x-axis "threshold" 0 --> 1']
    return "\n".join(["```mermaid", *head, f'    y-axis "{line}"', *lines, "```"])


def write_comment(base: str, head: str) -> str:
    """Return the comment for the change from ``base`` to ``head``, two Git revisions."""
    targets = ["--targets", METRICS, "--"]
    metrics = run_dvc("metrics", "diff", "--md", "--no-path", *targets, base, head).strip()
    columns = ["--keep", HEADLINES, "--drop", "(?!Experiment|rev).*"]
    table = run_dvc("exp", "show", "--md", "--rev", head, "--num", "1", *columns).strip()
    plots = json.loads(run_dvc("plots", "diff", "--json", base, head))["data"]
    points = [point for plot in plots.get(PLOT, []) for point in plot["content"]["data"]["values"]]
    sections = [
        f"## Results of this change against {base}",
        metrics if len(metrics.splitlines()) > 2 else "No metric changes.",
        "### This change",
        table,
        "### Plots",
        *(make_chart(points, line, (base, head)) for line in LINES),
        "All plots are in the artifact `plots` of this run.",
    ]
    return "\n\n".join(sections) + "\n"


def main(argv: list[str] | None = None) -> None:
    """Print the comment for the change that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Print a change's results in Markdown.")
    parser.add_argument("--base", required=True, help="Git revision to compare with")
    parser.add_argument("--head", default="HEAD", help="Git revision of the change")
    args = parser.parse_args(argv)
    print(write_comment(args.base, args.head), end="")


def run_program() -> None:
    run_stage(main)
