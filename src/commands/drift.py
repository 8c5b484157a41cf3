"""Compare new messages or rows with the test set: report drift, and what it means for the model.

By hand: python src drift --input messages.csv
         python src drift --input rows.parquet --ignore sold --page drift.html

The exit status is 0 without drift, 3 with drift, 1 after an error.
"""

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.files import write_json, write_text
from core.log import run_stage, timed
from core.params import read_params
from core.paths import MODEL, REFERENCE
from evaluation.scores import EvaluationParams
from evaluation.tasks import EVALUATIONS
from models.file_scoring import name_unit
from models.loaded import DecisionOptions, LoadedModel, load_model_for_use
from models.store import read_model_file
from monitoring.batches import Batch, read_batch
from monitoring.comparison import find_drift
from monitoring.quality import expect, measure_labelled
from monitoring.reference import Reference, read_reference
from monitoring.report import Result, build_json, write_markdown, write_page
from records.files import SUFFIXES

DRIFT_STATUS = 3

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Compare new messages or rows with the test set.",
        epilog="The exit status is 0 without drift, 3 with drift, 1 after an error.",
    )
    parser.add_argument(
        "--input", type=Path, required=True, help="file to read, may be gzipped; '-' for a pipe"
    )
    parser.add_argument(
        "--format", choices=sorted(set(SUFFIXES.values())), help="its format (that of its suffix)"
    )
    parser.add_argument("--text-column", help="column with the messages (that of schema.text)")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="SIGNAL", help="do not compare this one"
    )
    parser.add_argument("--report", type=Path, default=Path("reports/drift.json"))
    parser.add_argument("--page", type=Path, default=Path("reports/drift.html"))
    parser.add_argument("--jobs", type=int, default=1, help="processes that score")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--model", type=Path, default=Path(MODEL))
    parser.add_argument("--reference", type=Path, help="of the model (beside it)")
    return parser


def drop_ignored(reference: Reference, ignored: list[str]) -> Reference:
    """Return a reference without the signals that are not to be compared.

    Raises
    ------
    UserError
        If there is no such signal.
    """
    known = [each.name for each in reference.about.signals]
    if unknown := next((name for name in ignored if name not in known), None):
        raise UserError(f"there is no signal {unknown!r}", f"choose from {', '.join(known)}")
    kept = [each for each in reference.about.signals if each.name not in ignored]
    return replace(reference, about=reference.about.model_copy(update={"signals": kept}))


def compare(
    loaded: LoadedModel, reference: Reference, batch: Batch, params: EvaluationParams
) -> Result:
    """Return what a comparison of new data with the reference finds."""
    labels, task = loaded.description.classes, EVALUATIONS[loaded.description.data.task]
    about = reference.about
    findings = find_drift(about.signals, reference.rows, batch.rows)
    expected = None
    if labels:
        expected = expect(task, labels, batch.predicted, np.array(about.shares), params)
    measured, reason = measure_labelled(task, labels, batch.target, batch.predicted, params)
    return Result(
        loaded.version,
        name_unit(loaded),
        reference,
        batch.rows,
        batch.reasons,
        findings,
        expected,
        measured,
        reason,
        int(batch.target.notna().sum()),
    )


def check_rejected(batch: Batch, limit: float, path: Path) -> None:
    """Raise ``UserError`` if more than a share of the rows is rejected."""
    n_rejected, n_rows = batch.reasons.total(), batch.reasons.total() + len(batch.rows)
    if n_rejected > limit * n_rows:
        (reason, count), *_ = batch.reasons.most_common(1)
        raise UserError(
            f"{n_rejected:,} of {n_rows:,} rows of {path} rejected, more than {limit:.1%}, most "
            f"often for {reason} ({count:,})",
            "see which ones with 'python src predict', and correct them",
        )


def main(argv: list[str] | None = None) -> None:
    """Compare the file that ``argv`` names with the reference of the model."""
    args = build_parser().parse_args(argv)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}", "give 1 or more")
    content = read_model_file(args.model)
    loaded = load_model_for_use(content, args.model, DecisionOptions(args.params))
    path = args.reference or args.model.with_name(Path(REFERENCE).name)
    reference = drop_ignored(read_reference(path, args.model, loaded.sha256), args.ignore)
    params = read_params(args.params, "model_evaluation", EvaluationParams)
    if args.text_column is not None:
        if loaded.rows is not None:
            raise UserError("--text-column is for messages alone", "leave it out")
        loaded = replace(loaded, columns=args.text_column)
    with timed(logger, "read and scored %s", args.input):
        batch = read_batch(args.input, loaded, reference.seen, args.format, args.jobs)
    check_rejected(batch, loaded.description.values.max_rejected_share, args.input)
    result = compare(loaded, reference, batch, params)
    print(write_markdown(result), flush=True)
    write_json(build_json(result), args.report)
    write_text(write_page(result), args.page)
    logger.info("wrote %s and %s", args.report, args.page)
    if result.drifts:
        sys.exit(DRIFT_STATUS)


def run_program() -> None:
    run_stage(main)
