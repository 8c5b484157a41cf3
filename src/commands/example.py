"""Run the pipeline on an example, in a clone of this checkout, and compare its metrics.

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
from pathlib import Path

from core.errors import UserError
from core.log import run_stage
from core.paths import METRICS
from core.processes import run

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


def run_program() -> None:
    run_stage(main)
