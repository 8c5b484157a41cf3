"""Measure how fast a file of messages is scored, and in how much memory.

Run: python benchmarks/predict.py

Runs ``python src predict --input FILE --output FILE`` on a CSV file, with one process on one core
and with two on two; the time includes loading libraries and model. The messages are those of
benchmarks/preprocessing.py: drawn from the corpus, with a share of their words swapped.

On a machine that is busy with other work, compare messages per second of processor time. Exit
status 1 if one core scores fewer than 1,200 messages a second, two fewer than 1.3 times as many, or
memory grows by more than a tenth from the small file to the large one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.corpus import RAW, read_corpus  # noqa: E402
from benchmarks.preprocessing import swap_words  # noqa: E402
from core.markdown import align_table  # noqa: E402

LEAST_SPEED = 1200
LEAST_RATIO = 1.3
MOST_GROWTH = 1.1
# ru_maxrss is in kibibytes on Linux, in bytes on macOS.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Run:
    """Time and memory of one run of the command; the memory is that of its largest process."""

    n_jobs: int
    n_messages: int
    seconds: float
    processor_seconds: float
    peak_megabytes: float


def pin(n_cores: int) -> None:
    """Limit this process to some cores, if the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_cores])


def measure(source: Path, n_messages: int, n_jobs: int) -> Run:
    """Score a file with the pipeline's model."""
    command = [sys.executable, str(ROOT / "src"), "predict", "--jobs", str(n_jobs)]
    command += ["--input", str(source), "--output", str(source.with_name("scored.csv"))]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        preexec_fn=lambda: pin(n_jobs),
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"'{' '.join(command)}' failed: see logs/pipeline.log")
    return Run(
        n_jobs,
        n_messages,
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * RSS_UNIT / 1e6,
    )


def tabulate(runs: list[Run]) -> str:
    """Return a Markdown table with a row for each run."""
    rows = [["processes", "messages", "messages/s", "per processor second", "peak memory"]]
    for run in runs:
        rows.append(
            [
                str(run.n_jobs),
                f"{run.n_messages:,}",
                f"{run.n_messages / run.seconds:,.0f}",
                f"{run.n_messages / run.processor_seconds:,.0f}",
                f"{run.peak_megabytes:.0f} MB",
            ]
        )
    return align_table(rows)


def main() -> None:
    """Measure on the number of messages that the arguments give."""
    parser = argparse.ArgumentParser(description="Print messages scored per second, and memory.")
    parser.add_argument("--corpus", type=Path, default=RAW)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=100_000, help="messages of the small file")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.csv"), Path(folder, "large.csv")
        df = swap_words(*read_corpus(args.corpus), args.messages)[["row", "text"]]
        df.to_csv(large, index=False)
        df[: args.few].to_csv(small, index=False)
        few, one, two = (
            measure(small, args.few, 1),
            measure(large, args.messages, 1),
            measure(large, args.messages, 2),
        )
    print(tabulate([few, one, two]))
    ratio, growth = one.seconds / two.seconds, one.peak_megabytes / few.peak_megabytes
    print(f"\ntwo processes are {ratio:.2f} times as fast as one")
    if one.n_messages / one.seconds < LEAST_SPEED:
        sys.exit(f"one core scores fewer than {LEAST_SPEED} messages a second")
    if ratio < LEAST_RATIO:
        sys.exit(f"two processes are not {LEAST_RATIO} times as fast as one")
    if growth > MOST_GROWTH:
        sys.exit(f"memory grows {growth:.2f} times with the file")


if __name__ == "__main__":
    main()
