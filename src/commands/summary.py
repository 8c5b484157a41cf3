"""Print the metrics as a table, or bring the generated blocks of documents up to date.

By hand: python src summary
         python src summary --update README.md docs/*.md

A block stands between the comments ``<!-- name -->`` and ``<!-- /name -->``. ``BLOCKS`` says what
is in it. A block named ``output`` holds commands, which are run to get what they print; in one
named ``output of the service`` they ask a service that runs meanwhile.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from core.errors import UserError, exit_on_user_error
from core.files import write_text
from core.markdown import align_table
from core.params import read_params, read_sections
from evaluation.cv_scores import format_cv_scores
from records.chunks import MAX_LENGTH
from records.schema import Schema, read_message_schema
from records.splitting import MAX_LINE
from service.schemas import Limits
from service.settings import Settings

# What the table of examples shows of each task.
EXAMPLE_METRICS = {"binary": "average_precision", "multiclass": "accuracy", "regression": "mae"}
PARAMS, PIPELINE = Path("params.yaml"), Path("dvc.yaml")
# "#" hides a comment from YAML, at the top of a document.
BLOCK = re.compile(r"(<!-- ([a-z][a-z_ ]*) -->\n)(.*?)((?:# )?<!-- /\2 -->)", re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
PORT = "8000"
# What the Hugging Face Hub calls our metrics.
HUB_METRICS = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "mcc": "matthews_correlation",
    "roc_auc": "roc_auc",
}
HUB_DATASET = {"type": "ucirvine/sms_spam", "name": "SMS Spam Collection", "split": "test"}


def read_report(name: str) -> dict:
    """Return a JSON file of reports/.

    Raises
    ------
    UserError
        If there is no such file, or it is not JSON, such as after a merge with conflicts.
    """
    path = Path("reports", f"{name}.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run 'make repro' to make it") from error
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error})", "run 'make repro' to make it again"
        ) from error


def describe_results() -> str:
    """Return all metrics, and the cross-validation score."""
    metrics, intervals = read_report("metrics"), read_report("intervals")
    rows = [["metric", "test", "95% interval", "training"]]
    for name, value in metrics["test"].items():
        interval = intervals["test"][name]
        numbers = (value, interval["low"], interval["high"], metrics["train"][name])
        value_, low, high, train = (f"{number:.4f}" for number in numbers)
        rows.append([name.replace("_", " "), value_, f"{low} to {high}", train])
    scores = format_cv_scores(metrics["cv"])
    return f"{align_table(rows)}\n\nCross-validation on the training set: {scores}."


def describe_key_results() -> str:
    """Return the metrics that say most, in words."""
    metrics, intervals = read_report("metrics"), read_report("intervals")["test"]
    negative, positive = read_message_schema(PARAMS).classes
    words = {
        "mcc": "Matthews correlation (MCC)",
        "recall": f"recall: {positive} that is caught",
        "precision": f"precision: {positive} among what is called {positive}",
        f"{negative}_blocked": f"false-positive rate: {negative} called {positive}",
        "roc_auc": "area under the ROC curve",
    }
    rows = [["metric on the test set", "value", "95% interval"]]
    for name, meaning in words.items():
        low, high = intervals[name]["low"], intervals[name]["high"]
        rows.append([meaning, f"{metrics['test'][name]:.4f}", f"{low:.4f} to {high:.4f}"])
    counts = read_report("preprocessing")["test"]
    return (
        f"{align_table(rows)}\n\nMeasured on {counts['rows']:,} messages that the model has not "
        f"seen, {counts['labels'][positive]:,} of them {positive}.\n"
        "Cross-validation on the training set (mean ± standard deviation): "
        f"{format_cv_scores(metrics['cv'])}."
    )


def describe_operating_point() -> str:
    """Return what the threshold chosen by cross-validation achieves."""
    point = read_report("metrics")["operating_point"]
    rows = [["threshold", "measured on", "recall", "false-positive rate"]]
    for place, prefix in (("cross-validation", "cv_"), ("test set", "")):
        rates = (f"{point[prefix + name]:.4f}" for name in ("recall", "fpr"))
        rows.append([f"{point['threshold']:.4f}", place, *rates])
    return align_table(rows)


def describe_counts() -> str:
    """Return how many messages of each label there are after each step."""
    accepted, split = read_report("validation"), read_report("preprocessing")
    labels = list(accepted["labels"])
    rows = [
        ["step", "messages", *labels],
        ["rows read", accepted["read"]],
        ["rejected by validation", accepted["rejected"]],
        ["accepted", accepted["accepted"], *(accepted["labels"][n]["count"] for n in labels)],
        ["exact duplicates, removed", split["exact_duplicates"]],
    ]
    for side, name in (("train", "training set"), ("test", "test set")):
        rows.append([name, split[side]["rows"], *(split[side]["labels"][n] for n in labels)])
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    length = accepted["length"]
    return (
        f"{align_table([row + [''] * (2 + len(labels) - len(row)) for row in cells])}\n\n"
        f"The {split['distinct']:,} distinct messages form {split['groups']:,} groups of "
        f"near-duplicates; the largest has {split['largest_group']}. A message has\n"
        f"{length['q0']:.0f} to {length['q100']:.0f} characters, half of them at most "
        f"{length['q50']:.0f}."
    )


def describe_metadata() -> str:
    """Return the model's results as the Hugging Face Hub reads them, in YAML."""
    measured = read_report("metrics")["test"]
    metrics = [{"type": HUB_METRICS[name], "value": measured[name]} for name in HUB_METRICS]
    results = {
        "task": {"type": "text-classification"},
        "dataset": HUB_DATASET,
        "metrics": metrics,
    }
    (name,) = (
        name
        for name, artifact in read_sections(PIPELINE)["artifacts"].items()
        if artifact["type"] == "model"
    )
    index = [{"name": name, "results": [results]}]
    content = {"metrics": list(HUB_METRICS.values()), "model-index": index}
    return yaml.safe_dump(content, sort_keys=False).rstrip()


def quote_params(section: str) -> str:
    """Return a section of params.yaml as it is there, comments included.

    Raises
    ------
    UserError
        If it has no such section.
    """
    text = PARAMS.read_text(encoding="utf-8")
    quoted = re.search(rf"^{section}:\n(?:[ ].*\n)*", text, re.MULTILINE)
    if not quoted:
        raise UserError(f"{PARAMS} has no section {section!r}")
    return f"```yaml\n{quoted[0]}```"


def describe_service_limits() -> str:
    """Return what a request may hold at most."""
    rows = [["limit of a request", "value"]]
    for field in Limits.model_fields.values():
        rows.append([str(field.description), f"{field.default:,}"])
    rows.append(["Seconds until it has arrived (`--timeout`)", f"{Settings.seconds:g}"])
    return align_table(rows)


def describe_file_limits() -> str:
    """Return how long lines and texts of a file to score may be."""
    rows = [["limit of a row", "characters"]]
    rows += [["its line", f"{MAX_LINE:,}"], ["its text", f"{MAX_LENGTH:,}"]]
    return align_table(rows)


def make_stages_table() -> str:
    """Return what each stage of dvc.yaml does and makes."""
    rows = [["stage", "what it does", "what it makes"]]
    for name, stage in read_sections(PIPELINE)["stages"].items():
        made = ", ".join(f"`{out}`" for out in list_outputs(stage))
        rows.append([f"`{name}`", stage["desc"], made])
    return align_table(rows)


def make_graph() -> str:
    """Return the stages and what flows between them as a Mermaid flowchart."""
    stages = read_sections(PIPELINE)["stages"]
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


def describe_robustness() -> str:
    """Return what is caught and blocked under each attack, worst first."""
    found = read_report("robustness")
    rows = [["disguise", "spam caught", "95% interval", "ham blocked"]]
    attacks = sorted(found["attacks"].items(), key=lambda item: item[1]["caught"]["rate"])
    for name, measured in [("none", found["clean"]), *attacks]:
        caught, blocked = measured["caught"], measured["blocked"]
        interval = f"{caught['low']:.3f} to {caught['high']:.3f}"
        rates = (f"{caught['rate']:.3f}", interval, f"{blocked['rate']:.4f}")
        rows.append([name.replace("_", " "), *rates])
    summary = f"Mean {found['mean']:.3f}, worst {found['worst']:.3f}."
    return f"{align_table(rows)}\n\n{summary}"


def tabulate_examples() -> str:
    """Return the metrics of each example beside those of its baseline."""
    rows = [["example", "task", "metric", "test set", "baseline", "cross-validation"]]
    for path in sorted(Path("examples").glob("*/metrics.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        schema = read_params(path.with_name("params.yaml"), "schema", Schema)
        name = EXAMPLE_METRICS[schema.task]
        found = (f"{metrics[part][name]:,.4g}" for part in ("test", "baseline"))
        scores = format_cv_scores(metrics["cv"])
        rows.append([path.parent.name, schema.task, name.replace("_", " "), *found, scores])
    return align_table(rows)


def read_deals() -> str:
    """Return the table of repeated splits that ``make study`` wrote."""
    return Path("reports/deals.md").read_text(encoding="utf-8").rstrip()


def read_study() -> str:
    """Return the table that ``make study`` wrote."""
    return Path("reports/study.md").read_text(encoding="utf-8").rstrip()


def run_commands(block: str, port: str = PORT) -> str:
    """Run the commands of a console block, and return it with what they print.

    Raises
    ------
    UserError
        If one of them fails.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    lines = []
    for command in COMMAND.findall(block):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.replace(PORT, port)],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UserError(f"{command!r} failed: {done.stderr.strip()}")
        lines += [f"$ {command}", done.stdout.rstrip()]
    return "\n".join(["```console", *lines, "```"])


@contextmanager
def run_service() -> Iterator[str]:
    """Run the service on a free port, without token and feedback; give the port.

    Raises
    ------
    UserError
        If it does not start.
    """
    hidden = ("FEEDBACK_URL", "SERVICE_TOKEN")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "src", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"is served on .*:(\d+)/$", line):
                    break
            else:
                raise UserError(f"the service did not start: {line}")
            yield found[1]
        finally:
            process.terminate()


def ask_service(block: str) -> str:
    """Do what ``run_commands`` does while the service runs."""
    with run_service() as port:
        return run_commands(block, port)


BLOCKS: dict[str, Callable[[], str]] = {
    "results": describe_results,
    "key results": describe_key_results,
    "operating point": describe_operating_point,
    "counts": describe_counts,
    "metadata": describe_metadata,
    "service limits": describe_service_limits,
    "file limits": describe_file_limits,
    "stages": make_stages_table,
    "graph": make_graph,
    "study": read_study,
    "deals": read_deals,
    "robustness": describe_robustness,
    "examples": tabulate_examples,
}
RUNNERS = {"output": run_commands, "output of the service": ask_service}


def make_block(name: str, old: str) -> str:
    """Return the content of a block; ``old`` is what it holds now.

    Raises
    ------
    UserError
        If there is no block of this name.
    """
    if name in RUNNERS:
        return RUNNERS[name](old)
    if name.startswith("params "):
        return quote_params(name.removeprefix("params "))
    if name not in BLOCKS:
        raise UserError(f"there is no block {name!r}, only {', '.join([*BLOCKS, *RUNNERS])}")
    return BLOCKS[name]()


def update(text: str) -> str:
    """Return a document with its blocks up to date.

    Raises
    ------
    UserError
        If a block is not closed, or none of this name exists.
    """
    for name in re.findall(r"<!-- (.*?) -->", BLOCK.sub("", text)):
        raise UserError(f"the comment <!-- {name} --> is not one of a pair: close the block")
    return BLOCK.sub(lambda match: f"{match[1]}{make_block(match[2], match[3])}\n{match[4]}", text)


def main(argv: list[str] | None = None) -> None:
    """Print the results, or update the documents that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Print the metrics as a table.")
    parser.add_argument(
        "--update", type=Path, nargs="+", metavar="FILE", help="Markdown to bring up to date"
    )
    args = parser.parse_args(argv)
    if args.update is None:
        print(f"{describe_results()}\n\nReport with plots and errors: reports/report.html")
        return
    for path in args.update:
        try:
            updated = update(path.read_text(encoding="utf-8"))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        write_text(updated, path)


def run_program() -> None:
    with exit_on_user_error("python src summary"):
        main()
