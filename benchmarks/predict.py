"""Measure how fast files of messages and of tables are scored, and in how much memory.

Run: python benchmarks/predict.py [--only tables]

Runs ``python src predict --input FILE --output FILE``; the time includes loading libraries and
model. Messages are scored from a CSV file, with one process on one core and with two on two. They
are those of benchmarks/preprocessing.py: drawn from the corpus, with a share of their words
swapped. The table is that of the example diamonds, from CSV and from Parquet, with one process: its
rows are drawn again and again, and their numbers changed by about one percent. The example's model
(histogram boosting, 300 trees) is built if it is not there.

On a machine that is busy with other work, compare rows per second of processor time. Exit status 1
if one core scores fewer than 1,200 messages a second, two fewer than 1.3 times as many, or fewer
than 100,000 rows of the table per second of processor time, or if memory grows by more than a tenth
from a small file to a large one.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from benchmarks.preprocessing import swap_words  # noqa: E402
from core.markdown import align_table  # noqa: E402

LEAST_SPEED = 1200
LEAST_RATIO = 1.3
LEAST_TABLE_SPEED = 100_000
MOST_GROWTH = 1.1
EXAMPLE = ROOT / ".cache/examples/diamonds"
# ru_maxrss is in kibibytes on Linux, in bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Run:
    """Time and memory of one run of the command; the memory is that of its largest process."""

    name: str
    n_jobs: int
    n_rows: int
    seconds: float
    processor_seconds: float
    peak_megabytes: float


def pin(n_cores: int) -> None:
    """Limit this process to some cores, if the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_cores])


def measure(name: str, source: Path, n_rows: int, n_jobs: int = 1, folder: Path = ROOT) -> Run:
    """Score a file with the model of the pipeline in a folder."""
    target = source.with_name(f"scored{source.suffix}")
    command = [sys.executable, str(ROOT / "src"), "predict", "--jobs", str(n_jobs)]
    command += ["--input", str(source), "--output", str(target)]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        preexec_fn=lambda: pin(n_jobs),
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"'{' '.join(command)}' failed: see {folder / 'logs/pipeline.log'}")
    return Run(
        name,
        n_jobs,
        n_rows,
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * RSS_UNIT / 1e6,
    )


def tabulate(runs: list[Run]) -> str:
    """Return a Markdown table with a row for each run."""
    names = ["file", "processes", "rows", "rows/s", "processor seconds"]
    rows = [[*names, "rows per processor second", "peak memory"]]
    for run in runs:
        rows.append(
            [
                run.name,
                str(run.n_jobs),
                f"{run.n_rows:,}",
                f"{run.n_rows / run.seconds:,.0f}",
                f"{run.processor_seconds:.1f}",
                f"{run.n_rows / run.processor_seconds:,.0f}",
                f"{run.peak_megabytes:.0f} MB",
            ]
        )
    return align_table(rows)


def find_growth(few: Run, many: Run) -> list[str]:
    """Return what is wrong with the memory of two runs, if anything is."""
    growth = many.peak_megabytes / few.peak_megabytes
    return [f"{many.name}: memory grows {growth:.2f} times with the file"] * (growth > MOST_GROWTH)


def measure_messages(folder: Path, corpus: Path, n_few: int, n_rows: int) -> list[str]:
    """Print speed and memory for files of messages; return which goals are missed."""
    small, large = folder / "small.csv", folder / "large.csv"
    df = swap_words(*read_corpus(corpus), n_rows)[["row", "text"]]
    df.to_csv(large, index=False)
    df[:n_few].to_csv(small, index=False)
    few = measure("messages", small, n_few)
    one, two = (measure("messages", large, n_rows, n_jobs) for n_jobs in (1, 2))
    print(tabulate([few, one, two]))
    ratio = one.seconds / two.seconds
    print(f"\ntwo processes are {ratio:.2f} times as fast as one\n")
    missed = find_growth(few, one)
    if one.n_rows / one.seconds < LEAST_SPEED:
        missed.append(f"one core scores fewer than {LEAST_SPEED:,} messages a second")
    if ratio < LEAST_RATIO:
        missed.append(f"two processes are not {LEAST_RATIO} times as fast as one")
    return missed


def make_diamonds(n_rows: int) -> pd.DataFrame:
    """Return rows of the example, drawn again and again, with other numbers."""
    if not (EXAMPLE / "models/model.skops").is_file():
        command = [sys.executable, "src", "example", EXAMPLE.name]
        subprocess.run(command, cwd=ROOT, check=True)
    rng = np.random.default_rng(0)
    df = pd.read_csv(EXAMPLE / "data/raw/source")
    df = df.iloc[rng.integers(0, len(df), n_rows)].reset_index(drop=True)
    for column in df.select_dtypes("float"):
        df[column] = (df[column] * rng.normal(1, 0.01, n_rows)).round(2)
    return df


def measure_tables(folder: Path, n_few: int, n_rows: int) -> list[str]:
    """Print speed and memory for files of a table; return which goals are missed."""
    df, runs, missed = make_diamonds(n_rows), [], []
    for kind in ("csv", "parquet"):
        pair = []
        for n in (n_few, n_rows):
            source = folder / f"{n}.{kind}"
            if kind == "csv":
                # Quotes around texts, as in the example.
                df[:n].to_csv(source, index=False, quoting=csv.QUOTE_NONNUMERIC)
            else:
                df[:n].to_parquet(source, index=False)
            pair.append(measure(f"diamonds.{kind}", source, n, folder=EXAMPLE))
        runs += pair
        missed += find_growth(*pair)
        if n_rows / pair[1].processor_seconds < LEAST_TABLE_SPEED:
            missed.append(f"{pair[1].name}: fewer than {LEAST_TABLE_SPEED:,} rows a second")
    print(tabulate(runs))
    return missed


def main() -> None:
    """Measure on the numbers of rows that the arguments give."""
    parser = argparse.ArgumentParser(description="Print rows scored per second, and memory.")
    parser.add_argument("--corpus", type=Path, default=RAW)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large files")
    parser.add_argument("--few", type=int, default=100_000, help="rows of the small files")
    parser.add_argument("--only", choices=["messages", "tables"], help="leave out the others")
    args = parser.parse_args()

    missed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only != "tables":
            missed += measure_messages(folder, args.corpus, args.few, args.rows)
        if args.only != "messages":
            missed += measure_tables(folder, args.few, args.rows)
    if missed:
        sys.exit("; ".join(missed))


if __name__ == "__main__":
    main()
