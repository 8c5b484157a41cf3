"""Compare a sweep with DVC's own queue: prints seconds.

Run: python benchmarks/sweep.py

Both run the same kind of experiments, in turn, in one temporary repository in which the pipeline
has run on the file that this checkout has fetched. Each experiment changes
``model_building.params.C`` to a value not used before, so DVC has no cached run of its stages. The
queue is timed from ``dvc exp run --queue`` until its last experiment is stored, the sweep until its
table is printed. Exit status 1 if the sweep takes longer.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.corpus import RAW, require_corpus  # noqa: E402
from benchmarks.repro import commit, copy_ours, run  # noqa: E402

EXPERIMENTS = 4
PATIENCE_SECONDS = 600


def run_sweep(folder: Path, grid: str, jobs: int) -> None:
    """Run a grid with python src sweep."""
    command = [sys.executable, str(ROOT / "src"), "sweep", "--metrics", "reports/metrics.json"]
    run([*command, "--set-param", grid, "--jobs", str(jobs)], folder)


def run_queue(folder: Path, grid: str, jobs: int) -> None:
    """Run a grid with DVC's queue, and wait for the last experiment.

    Raises
    ------
    TimeoutError
        If they do not all succeed in time.
    """
    wanted = count_experiments(folder) + EXPERIMENTS
    run(["dvc", "exp", "run", "--queue", "--set-param", grid], folder)
    run(["dvc", "queue", "start", "--jobs", str(jobs)], folder)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count_experiments(folder) < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the queue was not done after {PATIENCE_SECONDS} s")
        time.sleep(0.05)


def await_workers(folder: Path) -> None:
    """Wait until the queue's workers end, 10 s after their last experiment.

    ``dvc queue stop`` would end them sooner, but might also stop the next workers.
    """
    while "0 active, 0 idle" not in run(["dvc", "queue", "status"], folder):
        time.sleep(0.5)


def count_experiments(folder: Path) -> int:
    """Return how many experiments have succeeded; asking DVC would slow it down."""
    return sum(1 for _ in (folder / ".git" / "refs" / "exps").glob("??/*/*"))


def main() -> None:
    """Measure both, print the results, and compare them."""
    parser = argparse.ArgumentParser(description="Print the seconds that experiments take.")
    parser.add_argument("--corpus", type=Path, default=RAW)
    parser.add_argument("--jobs", type=int, default=2, help="experiments at a time")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    require_corpus(args.corpus)
    seconds: dict[str, list[float]] = {"queue": [], "sweep": []}
    value = 101
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "ours")
        copy_ours(folder, args.corpus)
        run(["dvc", "repro", "--quiet"], folder)
        commit(folder)
        for _ in range(args.rounds):
            for name, function in (("queue", run_queue), ("sweep", run_sweep)):
                grid = f"model_building.params.C=range({value},{value + EXPERIMENTS})"
                value += EXPERIMENTS
                start = time.perf_counter()
                function(folder, grid, args.jobs)
                seconds[name].append(time.perf_counter() - start)
                await_workers(folder)

    print(f"| {EXPERIMENTS} experiments, {args.jobs} at a time, seconds | min | median | max |")
    print("| --- | --- | --- | --- |")
    for name, runs in seconds.items():
        print(f"| {name} | {' | '.join(f'{f(runs):.1f}' for f in (min, median, max))} |")
    ratio = median(seconds["sweep"]) / median(seconds["queue"])
    print(f"\nthe sweep takes {ratio:.2f} of the queue's time")
    if ratio > 1:
        sys.exit(f"the sweep takes {ratio:.2f} of the queue's time, not at most 1")


if __name__ == "__main__":
    main()
