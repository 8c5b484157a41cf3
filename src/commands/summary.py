"""Print the metrics as a table, or bring the generated blocks of documents up to date.

By hand: python src summary
         python src summary --update README.md docs/*.md

A block stands between the comments ``<!-- name -->`` and ``<!-- /name -->``. ``BLOCKS`` says what
is in it. A block named ``output`` holds commands, which are run to get what they print; in one
named ``output of the service`` they ask a service that runs meanwhile.
"""

import argparse
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import UserError, exit_on_user_error
from core.files import write_text
from core.markdown import align_table
from core.params import read_sections
from evaluation.cards import (
    TEMPLATES,
    describe_metadata,
    list_others,
    make_card,
    read_name,
    replace_card,
)
from evaluation.result_tables import (
    PARAMS,
    describe_counts,
    describe_key_results,
    describe_operating_point,
    describe_results,
    describe_robustness,
    tabulate_examples,
)
from records.chunks import MAX_LENGTH
from records.splitting import MAX_LINE
from service.schemas import Limits
from service.settings import Settings

PIPELINE = Path("dvc.yaml")
# The model that README and docs/ describe.
DOCUMENTED = "sms-spam"
# "#" hides a comment from YAML, at the top of a document.
BLOCK = re.compile(r"(<!-- ([a-z][a-z_ ]*) -->\n)(.*?)((?:# )?<!-- /\2 -->)", re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
PORT = "8000"


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
# Functions of evaluation.card_facts, which imports what reads a model: too slow for the others.
FACTS = {
    "model": "describe_model",
    "inputs": "tabulate_inputs",
    "columns": "tabulate_columns",
    "usage": "make_example_command",
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
    if name in FACTS:
        made = getattr(importlib.import_module("evaluation.card_facts"), FACTS[name])()
        return run_commands(made) if name == "usage" else made
    if name not in BLOCKS:
        known = ", ".join([*BLOCKS, *FACTS, *RUNNERS])
        raise UserError(f"there is no block {name!r}, only {known}")
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
        if others := list_others():
            shown = " and ".join(map(str, others))
            print(f"Not of model {read_name()}: {shown}; make readme writes new cards")
        return
    others, name = list_others(), read_name()
    for path in args.update:
        is_new = path in others or (path in TEMPLATES and not path.is_file())
        if path not in TEMPLATES and name != DOCUMENTED:
            print(f"{path} is about model {DOCUMENTED}, not {name}: it stays as it is")
            continue
        try:
            updated = update(make_card(path) if is_new else path.read_text(encoding="utf-8"))
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        if is_new:
            print(replace_card(path, updated))
        else:
            write_text(updated, path)


def run_program() -> None:
    with exit_on_user_error("python src summary"):
        main()
