"""Run every combination of some values of parameters as an experiment, several at a time.

By hand: python src sweep --metrics reports/metrics.json \
    -S 'model_building.params.C=1,10,100' --jobs 2

Each experiment is a ``dvc exp run`` in its own clone, which shares this checkout's cache and has
its uncommitted changes. So all of them run the same code, and you can go on working in the
checkout. ``dvc exp run --temp`` cannot do that: it stashes and resets the checkout for each
experiment, and two at the same time may take each other's parameters from the stash they share.

An experiment's name is a digest of its parameters and the changes: if it is run again, it replaces
the earlier one, and takes little time, since DVC has the outputs of its stages in its run cache.
"""

import argparse
import hashlib
import itertools
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import get_hydra_sweeps, to_hydra_overrides
from hydra.errors import HydraException

from core import processes
from core.errors import UserError
from core.identity import require_identity
from core.log import run_stage
from evaluation.cv_scores import format_cv_scores

DVC = [sys.executable, "-m", "dvc"]
SOURCE = Path(__file__).parents[1]
LOGS = Path("logs", "sweep")
POLL_SECONDS = 0.05

logger = logging.getLogger(__name__)


@dataclass
class Run:
    """An experiment that was started."""

    name: str
    overrides: tuple[str, ...]
    clone: Path
    log: Path
    process: subprocess.Popen
    start: float


def expand_grid(overrides: list[str]) -> list[tuple[str, ...]]:
    """Return every combination of the listed values, as overrides with one value each.

    Parameters
    ----------
    overrides : list of str
        As for ``dvc exp run --queue -S``: ``key=1,2``, ``key=range(1,4)``, ``key=choice(a,b)``, or
        one value.

    Raises
    ------
    UserError
        If there is none, or one that cannot be read or enumerated.
    """
    if not overrides:
        raise UserError("nothing to sweep", "give at least one -S, as in -S 'section.key=1,10,100'")
    return list(dict.fromkeys(itertools.product(*map(expand_override, overrides))))


def expand_override(text: str) -> list[str]:
    """Return one override for each value in ``text``; without a list, ``text`` itself."""
    [(path, [override])] = to_path_overrides([text]).items()
    try:
        # get_hydra_sweeps would turn '~key', which removes a key, into '~key=null'.
        if not to_hydra_overrides([override])[0].is_sweep_override():
            return [text]
        sweeps = get_hydra_sweeps({path: [override]})
    except (HydraException, ValueError) as error:
        raise UserError(f"cannot read -S '{text}': {str(error).splitlines()[0]}") from error
    return [text.removesuffix(override) + sweep[path][0] for sweep in sweeps]


def run_git(folder: Path, *arguments: str, content: bytes | None = None) -> bytes:
    """Run git in ``folder`` and return what it printed.

    Raises
    ------
    UserError
        If it fails; the message is git's.
    """
    ran = subprocess.run(
        ["git", *arguments], cwd=folder, input=content, capture_output=True, check=False
    )
    if ran.returncode:
        raise UserError(f"git {arguments[0]}: {ran.stderr.decode().strip()}")
    return ran.stdout


def refuse_untracked_code(root: Path) -> None:
    """Raise ``UserError`` if Git does not track a file under src/, since a clone lacks it."""
    listed = run_git(root, "ls-files", "-z", "--others", "--exclude-standard", "src").decode()
    names = [name for name in listed.split("\0") if name]
    if names:
        raise UserError(
            f"Git does not track {', '.join(names)}, so experiments would run without",
            "git add, or remove",
        )


def read_changes(root: Path) -> bytes:
    """Return the uncommitted changes of the files that Git tracks, as a patch."""
    return run_git(root, "diff", "--binary", "HEAD")


@contextmanager
def make_snapshot(root: Path, changes: bytes) -> Iterator[Path]:
    """Give a clone of the checkout with its uncommitted changes and its DVC cache.

    It is in a temporary folder under ``.dvc/tmp``, which can hold copies of it, too.
    """
    temporary = root / ".dvc" / "tmp"
    temporary.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=temporary, prefix="sweep-") as folder:
        snapshot = Path(folder, "snapshot")
        run_git(root, "clone", "--quiet", "--shared", ".", str(snapshot))
        config = run_git(root, "rev-parse", "--git-path", "config").decode().strip()
        shutil.copy(root / config, snapshot / ".git" / "config")
        if changes:
            run_git(snapshot, "apply", "--index", "--whitespace=nowarn", "-", content=changes)
        with suppress(FileNotFoundError):
            shutil.copy(root / ".dvc" / "config.local", snapshot / ".dvc")
        cache = subprocess.check_output([*DVC, "cache", "dir"], cwd=root, text=True).strip()
        subprocess.run([*DVC, "cache", "dir", "--local", cache], cwd=snapshot, check=True)
        yield snapshot


def name_experiment(overrides: tuple[str, ...], changes: bytes) -> str:
    """Return a name that is the same for the same overrides of the same code."""
    digest = hashlib.sha256("\n".join(overrides).encode() + b"\0" + changes)
    return f"sweep-{digest.hexdigest()[:7]}"


def start_run(snapshot: Path, overrides: tuple[str, ...], name: str, log: Path) -> Run:
    """Start an experiment in a copy of the snapshot, as a process group of its own."""
    clone = snapshot.with_name(name)
    shutil.copytree(snapshot, clone, symlinks=True)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONUNBUFFERED": "1",
        # What DVC stores about a clone is useless once the clone is removed.
        "DVC_SITE_CACHE_DIR": str(snapshot.with_name("site")),
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*DVC, "exp", "run", "--name", name, *(f"--set-param={text}" for text in overrides)],
            cwd=clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Run(name, overrides, clone, log, process, time.monotonic())


def run_grid(
    snapshot: Path, experiments: dict[str, tuple[str, ...]], jobs: int, logs: Path
) -> Generator[Run]:
    """Run experiments, at most ``jobs`` at a time, and yield each when it has ended.

    However the iteration ends, no experiment is left running.
    """
    waiting = list(experiments.items())
    running: list[Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, overrides = waiting.pop(0)
                running.append(start_run(snapshot, overrides, name, logs / f"{name}.log"))
            time.sleep(POLL_SECONDS)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                yield run
    finally:
        for run in running:
            with suppress(ProcessLookupError):
                os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()


def collect_run(root: Path, run: Run, metrics: Path) -> str:
    """Fetch an experiment that has ended into the checkout's repository; return its score.

    Raises
    ------
    UserError
        If it failed; the message is the last error that it printed.
    """
    if run.process.returncode:
        raise UserError(find_error(run.log.read_text(encoding="utf-8", errors="replace")))
    head = run_git(run.clone, "rev-parse", "HEAD").decode().strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/{run.name}"
    run_git(root, "fetch", "--quiet", "--no-write-fetch-head", str(run.clone), f"+{ref}:{ref}")
    values = json.loads((run.clone / metrics).read_text(encoding="utf-8"))
    return format_cv_scores(values["cv"])


def find_error(log: str) -> str:
    """Return the last line with an error; DVC's own only names the stage that failed."""
    lines = [line for line in log.splitlines() if line.strip()]
    lines = [line for line in lines if "failed to reproduce" not in line] or lines
    errors = [line for line in lines if re.search(r"\bERROR\b|^[\w.]+(Error|Exception)\b", line)]
    return (errors or lines or ["it printed nothing"])[-1]


def run_sweep(root: Path, grid: list[tuple[str, ...]], jobs: int, metrics: Path) -> list[Run]:
    """Run the experiments of a grid, log the outcome of each, and return those that failed."""
    changes = read_changes(root)
    note = ", each with the uncommitted changes" if changes else ""
    logger.info("%d experiments, %d at a time%s", len(grid), jobs, note)
    experiments = {name_experiment(overrides, changes): overrides for overrides in grid}
    logs = root / LOGS
    logs.mkdir(parents=True, exist_ok=True)
    failed = []
    with (
        make_snapshot(root, changes) as snapshot,
        closing(run_grid(snapshot, experiments, jobs, logs)) as runs,
    ):
        for number, run in enumerate(runs, 1):
            seconds = time.monotonic() - run.start
            done = f"{number}/{len(grid)} {run.name} {' '.join(run.overrides)}"
            try:
                logger.info("%s in %.1f s: %s", done, seconds, collect_run(root, run, metrics))
            except ValueError as error:
                logger.error("%s failed: %s", done, error)
                failed.append(run)
            shutil.rmtree(run.clone)
    return failed


def main(argv: list[str] | None = None) -> None:
    """Run the grid that ``argv`` describes, and print a table of all experiments."""
    parser = argparse.ArgumentParser(description="Run experiments side by side, compare them.")
    parser.add_argument(
        "-S", "--set-param", action="append", default=[], help="such as 'section.key=1,10,100'"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="experiments at a time")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of the metrics")
    parser.add_argument("--test", action="store_true", help="show metrics of the test set, too")
    args = parser.parse_args(argv)
    if args.jobs < 1:
        raise UserError(f"--jobs is {args.jobs}", "give at least 1")
    grid = expand_grid(args.set_param)
    require_identity()
    root = Path(run_git(Path(), "rev-parse", "--show-toplevel").decode().strip())
    refuse_untracked_code(root)
    try:
        failed = run_sweep(root, grid, args.jobs, args.metrics)
    except KeyboardInterrupt:
        logger.warning("stopped; the experiments that had ended are kept")
        sys.exit(130)
    options = ["--test"] * args.test
    print(processes.run(sys.executable, str(SOURCE), "compare", *options), end="", flush=True)
    if failed:
        names = "; ".join(" ".join(run.overrides) for run in failed)
        raise UserError(f"{len(failed)} of {len(grid)} experiments failed, see {LOGS}: {names}")


def run_program() -> None:
    # A signal from another process stops the sweep as Ctrl+C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    run_stage(main)
