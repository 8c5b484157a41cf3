"""Print the metrics as a table, and bring README's generated parts up to date.

By hand: python src summary --metrics reports/metrics.json \
    --intervals reports/intervals.json --report reports/report.html
"""

import argparse
import json
import re
from pathlib import Path

from core.errors import UserError
from core.files import write_text
from core.markdown import align_table
from core.params import read_sections
from evaluation.cv_scores import format_cv_scores


def describe_results(metrics: dict, intervals: dict) -> str:
    """Return the metrics as a Markdown table, columns aligned, and the cross-validation score."""
    rows = [["metric", "test", "95% interval", "training"]]
    for name, value in metrics["test"].items():
        interval = intervals["test"][name]
        numbers = (value, interval["low"], interval["high"], metrics["train"][name])
        value_, low, high, train = (f"{number:.4f}" for number in numbers)
        rows.append([name.replace("_", " "), value_, f"{low} to {high}", train])
    scores = format_cv_scores(metrics["cv"])
    return f"{align_table(rows)}\n\nCross-validation on the training set: {scores}."


def make_stages_table(pipeline: dict) -> str:
    """Return what each stage of dvc.yaml does and makes, as a Markdown table."""
    rows = [["stage", "what it does", "what it makes"]]
    for name, stage in pipeline["stages"].items():
        made = ", ".join(f"`{out}`" for out in list_outputs(stage))
        rows.append([f"`{name}`", stage["desc"], made])
    return align_table(rows)


def make_graph(pipeline: dict) -> str:
    """Return the stages and what flows between them as a Mermaid flowchart."""
    stages = pipeline["stages"]
    maker = {out: name for name, stage in stages.items() for out in list_outputs(stage)}
    edges = {
        (maker[path], name): None
        for name, stage in stages.items()
        for path in stage["deps"]
        if path in maker
    }
    lines = [f"    {source} --> {target}" for source, target in edges]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def list_outputs(stage: dict) -> list[str]:
    """Return the paths of a stage's outs and metrics."""
    entries = stage.get("outs", []) + stage.get("metrics", [])
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def replace_block(text: str, name: str, content: str) -> str:
    """Put ``content`` between the comments ``<!-- name -->`` and ``<!-- /name -->`` of ``text``.

    Raises
    ------
    UserError
        If the comments are not there.
    """
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise UserError(f"no place for {name!r}: write <!-- {name} --> and <!-- /{name} -->")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def main(argv: list[str] | None = None) -> None:
    """Print the results, or write them into the README that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Print the metrics as a table.")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of the metrics")
    parser.add_argument("--intervals", type=Path, required=True, help="JSON of their intervals")
    parser.add_argument("--report", type=Path, required=True, help="where the report is")
    parser.add_argument("--pipeline", type=Path, default=Path("dvc.yaml"), help="dvc.yaml")
    parser.add_argument("--readme", type=Path, help="Markdown file to bring up to date instead")
    args = parser.parse_args(argv)
    metrics, intervals = (
        json.loads(path.read_text(encoding="utf-8")) for path in (args.metrics, args.intervals)
    )
    results = describe_results(metrics, intervals)
    if args.readme is None:
        print(f"{results}\n\nReport with plots and errors: {args.report}")
        return
    pipeline = read_sections(args.pipeline)
    text = args.readme.read_text(encoding="utf-8")
    text = replace_block(text, "results", results)
    text = replace_block(text, "stages", make_stages_table(pipeline))
    write_text(replace_block(text, "graph", make_graph(pipeline)), args.readme)


def run_program() -> None:
    """Run as a program."""
    main()
