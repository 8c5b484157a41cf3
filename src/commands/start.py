"""Write params.yaml for a new data set: look at the data, decide what each column is.

By hand: python src start --data FILE --target COLUMN

Every decision has its evidence as a comment in the file. On a terminal the file is shown and
replaces another one only after a question. A params.yaml with changes that are not committed is
kept as params.yaml.bak.
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import yaml

from core.errors import UserError, exit_on_user_error
from core.files import write_text
from core.params import Yaml12Loader, check_section
from records.detection import Found, detect, read_path
from records.inference import Inference, find_series, infer, parse_number, show
from records.schema import Schema

TEMPLATE = Path(__file__).with_name("start.params.yaml")
# Comments start in this column at the latest, lists are broken at the other.
WIDTH = 100
COMMENT_LENGTH = 110
SHOWN_ROWS = 3
MAX_MEGABYTES = 1000
TIMEOUT = 10
# Words that YAML reads as something other than text, in one of its versions.
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
# Above so many characters on average, n-grams of characters take long and add little.
LONG_TEXT = 1000
# Above so many characters in all, pairs of words take much memory.
LARGE_TEXT = 20_000_000
# With fewer rows, trees learn too little.
SMALL_TABLE = 300
# Below this share a label is rare.
RARE_SHARE = 0.2
MEANINGS = {
    "date": "",
    "id": "  # kept in every output, never a feature",
    "drop": "",
}


@dataclass(frozen=True)
class Shape:
    """What the settings of a data set depend on.

    Attributes
    ----------
    n_rows : int
        Rows whose target can be used.
    n_lost : int
        Other rows, and records that are malformed.
    label_counts : Series of int
        Rows of each label, most frequent first; empty for regression.
    numbers : ndarray of float
        The target of a regression.
    is_messages : bool
        Whether the only feature is one column of text.
    has_text : bool
        Whether a feature is text.
    lengths : ndarray of int
        Characters of each text.
    """

    n_rows: int
    n_lost: int
    label_counts: pd.Series
    numbers: np.ndarray
    is_messages: bool
    has_text: bool
    lengths: np.ndarray


def format_value(value: Any) -> str:
    """Return a value as YAML that YAML 1.1 and 1.2 read alike, on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{format_value(k)}: {format_value(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    words = value.replace("_", "a").replace("-", "a").replace(".", "a").split(" ")
    is_plain = value.isascii() and value[:1].isalpha() and all(map(str.isalnum, words))
    if is_plain and value.lower() not in YAML_WORDS:
        return value
    return '"' + "".join(map(escape_character, value)) + '"'


def escape_character(character: str) -> str:
    """Return a character as it is written in double quotes in YAML."""
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable() and character != "\ufeff":
        return character
    if character == "\t":
        return "\\t"
    if character == "\n":
        return "\\n"
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def format_values(values: Any, indent: int) -> str:
    """Return a list or mapping as YAML, a list that is too long for one line with a line each."""
    flow = format_value(values)
    if isinstance(values, Mapping) or len(flow) < WIDTH - 40:
        return flow
    return "".join(f"\n{' ' * indent}- {format_value(value)}" for value in values)


def format_optional(value: Any, indent: int = 2) -> str:
    """Return a value after the colon of its key, nothing for None."""
    if value is None:
        return ""
    text = format_values(value, indent) if isinstance(value, list) else format_value(value)
    return text if text.startswith("\n") else f" {text}"


def format_comment(text: str) -> str:
    """Return a comment for the end of a line."""
    return f"  # {show(text, COMMENT_LENGTH)}" if text else ""


def format_columns(columns: Mapping[str, str]) -> str:
    """Return a list of columns with the evidence for each, one a line."""
    if not columns:
        return " []"
    return "".join(
        f"\n  - {format_value(name)}{format_comment(why)}" for name, why in columns.items()
    )


def measure(found: Found, inference: Inference, target: str) -> Shape:
    """Return what the settings depend on."""
    table, is_used = found.table, inference.target.is_used
    values = table[target][is_used].str.strip()
    texts = [name for name, each in inference.columns.items() if each.kind == "text"]
    features = [name for name, each in inference.columns.items() if is_feature(each.kind)]
    n_lost = found.n_malformed + int((~is_used).sum())
    is_messages = len(texts) == 1 == len(features)
    numbers = np.array([])
    counts = values.value_counts()
    if not inference.target.labels:
        numbers = np.array([parse_number(value, inference.style) for value in values])
        counts = counts.iloc[:0]
    if is_messages:
        # Such rows are rejected: an empty text, and equal texts with different labels.
        messages = table.loc[is_used, texts[0]].fillna("").str.strip()
        n_labels = values.groupby(messages).transform("nunique")
        n_lost += int(((messages == "") | ((n_labels > 1) & (counts.size > 0))).sum())
    lengths = table[texts].fillna("").map(len).to_numpy() if texts else np.zeros((0, 0), int)
    return Shape(
        int(is_used.sum()), n_lost, counts, numbers, is_messages, bool(texts), lengths.ravel()
    )


def is_feature(kind: str) -> bool:
    """Return whether a list of the schema holds features."""
    return kind not in ("id", "drop")


def choose_limits(shape: Shape) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the limits of validation, and the evidence for them."""
    longest = int(shape.lengths.max(initial=0))
    max_length = 2000
    while max_length < longest:
        # 2000, 5000, 10000, 20000, ...
        max_length = max_length * 5 // 2 if str(max_length)[0] == "2" else max_length * 2
    share = shape.n_lost / max(1, shape.n_rows + shape.n_lost)
    if share > 0.5:
        raise UserError(
            f"{shape.n_lost:,} of {shape.n_rows + shape.n_lost:,} rows cannot be used: they have "
            "no target, another number of fields than most, or a text that others have with "
            "another label",
            "clean the file, or name another target",
        )
    allowed = max(0.01, math.ceil(share * 150) / 100)
    rarest = int(shape.label_counts.min()) if len(shape.label_counts) else shape.n_rows
    notes = {
        "max_length": f"the longest text has {longest:,} characters" if shape.has_text else "",
        "max_rejected_share": f"{shape.n_lost:,} rows cannot be used" if shape.n_lost else "",
        "min_rows_per_label": f"the rarest label has {rarest:,}" if len(shape.label_counts) else "",
    }
    limits = {
        "max_length": max_length,
        "max_rejected_share": min(allowed, 1),
        "min_rows_per_label": max(1, min(100, rarest // 2)),
    }
    return limits, notes


def choose_split(found: Found, inference: Inference) -> tuple[dict[str, Any], dict[str, str]]:
    """Return how to split; rows that follow one another in time are split by time."""
    hint = ""
    dates = [name for name, each in inference.columns.items() if each.kind == "date"]
    for name in dates:
        used = found.table.loc[inference.target.is_used, name]
        why = find_series(used, inference.columns[name].date_format)
        new = inference.rename.get(name, name)
        if why and not inference.target.labels:
            # Labels that only occur early or late would be missing on one side.
            return {"split_method": "time", "split_column": new}, {
                "split_method": f"{show(new)} has {why}"
            }
        hint = hint or f"or time, with split_column {show(new)}, to predict what comes later"
    return {"split_method": "stratified", "split_column": None}, {"split_method": hint}


def choose_model(
    shape: Shape, task: str, has_characters: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of ``model_building``, and the evidence for them."""
    has_labels = bool(len(shape.label_counts))
    rarest = int(shape.label_counts.min()) if has_labels else shape.n_rows
    share = rarest / max(1, shape.n_rows)
    linear = "logistic_regression" if has_labels else "ridge"
    is_binary_text = shape.is_messages and task == "binary"
    params: dict[str, Any] = {}
    candidates: list[Any] = []
    if is_binary_text and has_characters:
        estimator, params, why = "ensemble", {"C": 100, "tol": 0.1}, "best for short messages"
    elif shape.has_text:
        estimator, why = linear, "a linear model, for many n-grams of texts"
        params = {"C": 10} if has_labels else {}
    elif shape.n_rows < SMALL_TABLE:
        estimator, why = linear, f"a linear model, for only {shape.n_rows} rows"
        candidates = ["random_forest"]
    else:
        estimator, candidates = "hist_gradient_boosting", [linear]
        why = "best for most tables; compared with a linear model"
    scoring = {"binary": "roc_auc", "multiclass": "f1_macro", "regression": "r2"}[task]
    if is_binary_text:
        scoring = "matthews_corrcoef"
    elif task == "binary" and share < RARE_SHARE:
        scoring = "average_precision"
    # A fifth of the rows is for testing, and every fold needs two rows of each label.
    cv = int(np.clip(rarest * 0.8 // 2, 2, 5))
    transform, transform_why = choose_transform(shape.numbers)
    is_weighted = has_labels and (is_binary_text or share < RARE_SHARE)
    model = {
        "estimator": estimator,
        "params": params,
        "candidates": candidates,
        "target_transform": transform,
        "class_weight": "balanced" if is_weighted else None,
        "augmentation": is_binary_text and estimator == "ensemble",
        "cv": cv,
        "scoring": scoring,
    }
    notes = {
        "estimator": why,
        "target_transform": transform_why,
        "class_weight": f"the rarest label has {share:.1%} of the rows" if has_labels else "",
        "cv": f"the rarest label has {rarest} rows" if cv < 5 and has_labels else "",
        "augmentation": "" if is_binary_text else "only for two labels and one column of text",
    }
    return model, notes


def choose_transform(numbers: np.ndarray) -> tuple[str, str]:
    """Return the transformation of a target, and the evidence."""
    if len(numbers) == 0 or numbers.min() <= 0:
        return "none", "none, log"
    low, high = np.quantile(numbers, [0.05, 0.95])
    if high < 10 * low:
        return "none", "none, log"
    return "log", f"all above 0, and 90% of them from {low:g} to {high:g}"


def choose_guards(shape: Shape, task: str) -> list[dict[str, Any]]:
    """Return the metrics that a promotion must not make worse."""
    by_task = {
        "binary": {"mcc": 0.005, "recall": 0.01, "fpr": 0.001},
        "multiclass": {"mcc": 0.005, "macro_f1": 0.01},
        "regression": {"r2": 0.01},
    }
    guards = dict(by_task[task])
    if shape.is_messages and task == "binary":
        guards["robustness.worst"] = 0.02
    return [{"metric": name, "tolerance": tolerance} for name, tolerance in guards.items()]


def show_rows(found: Found, source: Any) -> str:
    """Return the first rows as comments."""
    n_rows, n_columns = found.table.shape
    lines = [
        f"# Written by 'python src start' from {n_rows:,} rows and {n_columns} columns of",
        f"# {show(source, WIDTH)}",
        "# Check what it decided; the comments say why. The first rows:",
    ]
    for _, row in found.table.head(SHOWN_ROWS).iterrows():
        values = (
            f"{show(name, 30)}={show(v, 40)}" for name, v in row.items() if isinstance(v, str)
        )
        lines.append(f"#   {show(', '.join(values), WIDTH - 6)}")
    return "\n".join([*lines, ""])


def render(found: Found, inference: Inference, target: str, source: Any, raw: bytes) -> str:
    """Return the content of params.yaml."""
    shape = measure(found, inference, target)
    task = inference.target.task
    limits, notes = choose_limits(shape)
    split, split_notes = choose_split(found, inference)
    n_characters = int(shape.lengths.sum())
    is_long = bool(shape.has_text) and shape.lengths.mean() > LONG_TEXT
    is_large = n_characters > LARGE_TEXT
    model, model_notes = choose_model(shape, task, has_characters=not is_long)
    notes |= split_notes | model_notes | found.layout.evidence | inference.evidence
    notes |= inference.target.evidence
    notes["characters"] = f"{shape.lengths.mean():,.0f} characters on average" if is_long else ""
    notes["words"] = f"{n_characters:,} characters in all" if is_large else ""
    if found.layout.columns is None and "columns" not in notes:
        notes["columns"] = "only for text without a header"
    columns = {
        kind: {
            inference.rename.get(name, name): each.evidence
            for name, each in inference.columns.items()
            if each.kind == kind
        }
        for kind in ("text", "number", "category", "date", "id", "drop")
    }
    layout, style = found.layout, inference.style
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    environment.filters |= {
        "value": format_value,
        "values": format_values,
        "optional": format_optional,
        "comment": format_comment,
        "listed": format_columns,
    }
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        head=show_rows(found, source),
        notes={"thousands": "", **notes},
        meanings=MEANINGS,
        columns=columns,
        schema={
            "task": task,
            "target": inference.rename.get(target, target),
            "labels": inference.target.labels,
            "positive": inference.target.positive,
        },
        ingestion={
            "source": source,
            # What a database or an API returns may change from day to day.
            "sha256": hashlib.sha256(raw).hexdigest() if isinstance(source, str) else None,
            "max_megabytes": max(100, math.ceil(len(raw) / 50e6) * 100),
        },
        validation={
            "format": layout.format,
            "encoding": layout.encoding,
            "separator": layout.separator,
            "quoting": layout.quoting,
            "columns": layout.columns,
            "rename": [{"column": old, "to": new} for old, new in inference.rename.items()],
            "null_markers": inference.null_markers,
            "decimal": style.decimal,
            "thousands": style.thousands,
            "number_signs": list(style.signs),
            "date_formats": [
                {"column": inference.rename.get(name, name), "format": each.date_format}
                for name, each in inference.columns.items()
                if each.kind == "date" and each.date_format
            ],
            **limits,
        },
        preprocessing={"duplicates": "near" if shape.is_messages else "exact", **split},
        words={"max_ngram": 1 if is_large else 2, "min_df": 2 if is_large else 1},
        characters={"enabled": not is_long},
        model=model,
        guards=choose_guards(shape, task),
    )


def parse_data(data: str) -> Any:
    """Return a source as params.yaml names it: a path in the checkout relative, others absolute."""
    if data.lstrip().startswith("{"):
        try:
            return yaml.load(data, Loader=Yaml12Loader)
        except yaml.YAMLError as error:
            raise UserError(f"{show(data)!r} is not valid YAML: {error}") from error
    if "://" in data:
        return data
    path = Path(data).resolve()
    root = Path.cwd()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def fetch(source: Any) -> bytes:
    """Return the content of a local file, or of another source that data_ingestion takes.

    Raises
    ------
    UserError
        If it cannot be fetched.
    """
    if isinstance(source, str) and "://" not in source:
        return read_path(Path(source))
    from storage.sources.fetch import fetch_source, parse_source
    from storage.sources.limits import Limits

    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(max_megabytes=MAX_MEGABYTES, timeout=TIMEOUT)
        return fetch_source(parse_source(source), Path(folder), limits).read_bytes()


def check_content(content: str, output: Path) -> None:
    """Raise ``UserError`` if the section ``schema`` of a new params.yaml is not valid."""
    sections = yaml.load(content, Loader=Yaml12Loader)
    check_section(sections, "schema", Schema, output)


def keep_previous(path: Path, content: str) -> str:
    """Keep a file that Git does not have as it is; return what was done, for a message."""
    previous = path.read_bytes()
    if previous == content.encode():
        return "it is the same as before"
    command = ["git", "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, cwd=path.resolve().parent, capture_output=True, check=False)
        committed = done.stdout if done.returncode == 0 else None
    except OSError:  # git is not installed
        committed = None
    if committed == previous:
        return f"the previous one is in Git: git checkout {path}"
    backup = path.with_name(f"{path.name}.bak")
    n = 1
    while backup.exists() and backup.read_bytes() != previous:
        n += 1
        backup = path.with_name(f"{path.name}.bak{n}")
    backup.write_bytes(previous)
    return f"the previous one is now {backup}"


def may_replace(path: Path, content: str) -> bool:
    """Show a new file on the terminal, and ask whether it may replace another one.

    Raises
    ------
    UserError
        If nobody can be asked.
    """
    if not path.exists():
        return True
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise UserError(f"{path} exists, and nothing was written", "add --yes to replace it")
    print(content)
    try:
        answer = input(f"Replace {path} by this? [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def parse_date_formats(options: Sequence[str]) -> dict[str, str]:
    """Return date formats by column from options such as ``sold=%d/%m/%Y``."""
    formats = {}
    for option in options:
        column, _, date_format = option.rpartition("=")
        if not column or "%" not in date_format:
            raise UserError(
                f"--date-format {option!r} is not COLUMN=FORMAT", "write it as sold=%d/%m/%Y"
            )
        formats[column] = date_format
    return formats


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Write params.yaml for a new data set.")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="a path, or any source of data_ingestion"
    )
    parser.add_argument("--target", required=True, metavar="COLUMN", help="what to predict")
    parser.add_argument("--task", choices=["binary", "multiclass", "regression"])
    parser.add_argument("--positive", default="", metavar="LABEL", help="(the rarer label)")
    parser.add_argument(
        "--date-format",
        action="append",
        default=[],
        metavar="COLUMN=FORMAT",
        help="of dates whose day and month cannot be told apart, such as sold=%%d/%%m/%%Y",
    )
    parser.add_argument("--encoding", default="", help="of a text (detected)")
    parser.add_argument(
        "--columns", default="", metavar="A,B,...", help="names for a file without a header"
    )
    parser.add_argument("--output", type=Path, default=Path("params.yaml"), help="(params.yaml)")
    parser.add_argument("--yes", action="store_true", help="replace params.yaml without a question")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the file of parameters for the data that ``argv`` names."""
    args = build_parser().parse_args(argv)
    source = parse_data(args.data)
    raw = fetch(source)
    names = [name.strip() for name in args.columns.split(",")] if args.columns else []
    try:
        found = detect(raw, args.target, names, args.encoding)
        formats = parse_date_formats(args.date_format)
        inference = infer(
            found.table, args.target, found.layout.separator, args.task, args.positive, formats
        )
        content = render(found, inference, args.target, source, raw)
    except UserError as error:
        raise UserError(f"{show(args.data, WIDTH)}: {error.message}", error.fix) from error
    check_content(content, args.output)
    if not args.yes and not may_replace(args.output, content):
        print("nothing was written")
        return
    kept = keep_previous(args.output, content) if args.output.exists() else ""
    write_text(content, args.output)
    print(f"{args.output} written{f'; {kept}' if kept else ''}")
    print("look at it, then run make repro")


def run_program() -> None:
    with exit_on_user_error("start"):
        main()
