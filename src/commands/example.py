"""Run the pipeline on an example, in a clone of this checkout, and check its metrics.

By hand: python src example diamonds

The clone is made again each time, in .cache/examples/. It lacks changes that are not committed,
except those of the example itself.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from core.errors import UserError
from core.log import run_stage
from core.params import read_params
from core.paths import METRICS, MODEL, TEST_SET
from core.processes import run
from evaluation.prediction_files import measure_predictions, predict_test_set, read_predictions
from evaluation.scores import EvaluationParams
from records.schema import Schema

EXAMPLES = Path("examples")
CLONES = Path(".cache", "examples")

logger = logging.getLogger(__name__)


def list_examples() -> list[str]:
    """Return the names of the examples."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/params.yaml"))


def make_clone(name: str) -> Path:
    """Return a new clone of this checkout with the parameters of an example."""
    clone = CLONES / name
    shutil.rmtree(clone, ignore_errors=True)
    clone.parent.mkdir(parents=True, exist_ok=True)
    run("git", "clone", "--quiet", "--shared", ".", str(clone))
    shutil.copyfile(EXAMPLES / name / "params.yaml", clone / "params.yaml")
    return clone


def run_pipeline(clone: Path) -> dict:
    """Run all stages in a clone, print the results, and return the metrics.

    Raises
    ------
    UserError
        If a stage fails; its message is printed before.
    """
    for command in (("-m", "dvc", "repro", "--quiet"), ("src", "summary")):
        done = subprocess.run([sys.executable, *command], cwd=clone, check=False)
        if done.returncode:
            raise UserError(f"the pipeline failed in {clone}", "see its message above")
    return json.loads((clone / METRICS).read_text(encoding="utf-8"))


def check_predictions(clone: Path, metrics: dict[str, float]) -> int:
    """Have predict predict for the test set; return the number of its rows.

    Raises
    ------
    UserError
        If the metrics of what it writes are not those that the evaluation measured.
    """
    schema = read_params(clone / "params.yaml", "schema", Schema)
    params = read_params(clone / "params.yaml", "model_evaluation", EvaluationParams)
    with tempfile.TemporaryDirectory() as folder:
        predicted = Path(folder, "predicted.parquet")
        predict_test_set(clone, clone / MODEL, clone / TEST_SET, predicted, schema)
        scored = read_predictions(predicted, schema)
    found = measure_predictions(scored, schema, params)
    different = [name for name, value in metrics.items() if found.get(name) != value]
    if different:
        shown = "; ".join(f"{name} {found.get(name)}, not {metrics[name]}" for name in different)
        raise UserError(f"what predict writes in {clone} gives other metrics: {shown}")
    return len(scored.df)


def compare_metrics(found: dict, path: Path) -> None:
    """Raise ``UserError`` if metrics differ from those in a file."""
    if not path.is_file():
        raise UserError(f"{path} does not exist", "write it with --write")
    expected = json.loads(path.read_text(encoding="utf-8"))
    if found != expected:
        raise UserError(
            f"the metrics are not those of {path}",
            "if that is right, replace them with --write",
        )


def main(argv: list[str] | None = None) -> None:
    """Run the examples that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Run the pipeline on examples.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(list_examples())}")
    parser.add_argument("--all", action="store_true", help="every example")
    parser.add_argument("--write", action="store_true", help="replace the committed metrics")
    args = parser.parse_args(argv)
    known = list_examples()
    names = known if args.all else args.names
    if not names:
        parser.error(f"name an example, of {', '.join(known)}, or give --all")
    for name in names:
        if name not in known:
            raise UserError(f"there is no example {name!r}", f"choose one of {', '.join(known)}")
    for name in names:
        path = EXAMPLES / name / "metrics.json"
        metrics = run_pipeline(make_clone(name))
        if args.write:
            shutil.copyfile(CLONES / name / METRICS, path)
            logger.info("%s: metrics written to %s", name, path)
        else:
            compare_metrics(metrics, path)
            logger.info("%s: the metrics are those of %s", name, path)
        n_rows = check_predictions(CLONES / name, metrics["test"])
        logger.info("%s: predict gives the same metrics for the %d test rows", name, n_rows)


def run_program() -> None:
    run_stage(main)
