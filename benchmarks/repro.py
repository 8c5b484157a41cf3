"""Compare the whole pipeline with an ordinary one, and with DVC's own time: prints seconds.

Run: python benchmarks/repro.py

1. From nothing: ``dvc repro`` of this repository and of benchmarks/tutorial, in turn, each in a
   temporary Git repository with no output, dvc.lock or DVC cache. Both read the raw file that
   this checkout has fetched, so fetching is not included. nltk_stand_in.py explains what replaces
   the data that the tutorial would download, and why NLTK's version matters. Exit status 1 if
   ours takes more than a third.
2. Nothing to do: ``dvc repro`` again, compared with that of six trivial stages, which shows the
   time that DVC itself needs. Exit status 1 if ours takes more than 0.3 s longer.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.corpus import RAW, require_corpus  # noqa: E402
from benchmarks.nltk_stand_in import write_nltk_data  # noqa: E402

LARGEST_SHARE = 1 / 3
LARGEST_DIFFERENCE = 0.3
IDLE_RUNS = 5
FLOOR_STAGES = 6


def run(command: list[str], folder: Path) -> str:
    """Run a command in ``folder``, without the user's own settings of DVC and Git.

    Returns
    -------
    str
        What it printed.

    Raises
    ------
    RuntimeError
        If it fails; the message is what it printed.
    """
    settings = {
        "DVC_SITE_CACHE_DIR": f"{folder}.site",
        "DVC_GLOBAL_CONFIG_DIR": f"{folder}.config",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "NLTK_DATA": str(folder.with_name("nltk_data")),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    ran = subprocess.run(
        command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True
    )
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def time_repro(folder: Path) -> float:
    """Return the seconds that ``dvc repro`` takes."""
    start = time.perf_counter()
    run(["dvc", "repro", "--quiet"], folder)
    return time.perf_counter() - start


def commit(folder: Path) -> None:
    """Make ``folder`` a Git and DVC repository with all its files committed."""
    run(["git", "init", "--quiet"], folder)
    if not (folder / ".dvc").exists():
        run(["dvc", "init", "--quiet"], folder)
        run(["dvc", "config", "core.analytics", "false"], folder)
        run(["dvc", "config", "core.check_update", "false"], folder)
    author = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    run(["git", "add", "--all"], folder)
    run(["git", *author, "commit", "--quiet", "--message", "Start"], folder)


def forget_runs(folder: Path) -> None:
    """Remove outputs, dvc.lock and DVC's caches: everything that is not committed."""
    run(["git", "checkout", "--quiet", "."], folder)
    run(["git", "clean", "--quiet", "-ffdx"], folder)
    shutil.rmtree(f"{folder}.site", ignore_errors=True)


def copy_ours(folder: Path, corpus: Path) -> None:
    """Copy the files that Git tracks, except results, and name the fetched file as the source."""
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith("reports/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["data_ingestion"]["sources"] = [str(corpus.resolve())]
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    commit(folder)


def copy_tutorial(folder: Path, corpus: Path) -> None:
    """Copy the ordinary pipeline, with the fetched file beside it."""
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "benchmarks" / "tutorial", folder, ignore=compiled)
    shutil.copy(corpus, folder / "messages.tsv")
    write_nltk_data(folder.with_name("nltk_data"))
    commit(folder)


def make_floor(folder: Path) -> None:
    """Make a pipeline of trivial stages, each of which reads the output of the previous one."""
    folder.mkdir()
    (folder / "0.txt").touch()
    stages = {
        f"stage_{n}": {
            "cmd": f"echo {n} > {n}.txt",
            "deps": [f"{n - 1}.txt"],
            "outs": [f"{n}.txt"],
        }
        for n in range(1, FLOOR_STAGES + 1)
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    commit(folder)


def main() -> None:
    """Measure both comparisons, print them, and check the limits."""
    parser = argparse.ArgumentParser(description="Print the seconds that dvc repro takes.")
    parser.add_argument("--corpus", type=Path, default=RAW)
    parser.add_argument("--rounds", type=int, default=3, help="of both pipelines")
    args = parser.parse_args()
    require_corpus(args.corpus)
    with tempfile.TemporaryDirectory() as temporary:
        ours, tutorial, floor = (Path(temporary) / name for name in ("ours", "tutorial", "floor"))
        copy_ours(ours, args.corpus)
        copy_tutorial(tutorial, args.corpus)
        make_floor(floor)
        full: dict[Path, list[float]] = {ours: [], tutorial: []}
        for _ in range(args.rounds):
            for folder, seconds in full.items():
                forget_runs(folder)
                seconds.append(time_repro(folder))
        time_repro(floor)
        idle: dict[Path, list[float]] = {ours: [], floor: []}
        for _ in range(IDLE_RUNS):
            for folder, seconds in idle.items():
                seconds.append(time_repro(folder))

    print(f"NLTK {version('nltk')}\n")
    print("| dvc repro, seconds | min | median | max |")
    print("| --- | --- | --- | --- |")
    for state, runs in (("from nothing", full), ("nothing to do", idle)):
        for folder, seconds in runs.items():
            figures = " | ".join(f"{f(seconds):.2f}" for f in (min, median, max))
            print(f"| {folder.name}, {state} | {figures} |")
    share = median(full[ours]) / median(full[tutorial])
    difference = median(idle[ours]) - median(idle[floor])
    print(f"\nfrom nothing ours takes {share:.2f} of the tutorial's time")
    print(f"with nothing to do ours takes {difference:.2f} s more than six trivial stages")
    if share > LARGEST_SHARE:
        sys.exit(f"ours takes {share:.2f} of the tutorial's time, more than a third")
    if difference > LARGEST_DIFFERENCE:
        sys.exit(f"with nothing to do ours takes {difference:.2f} s more, not at most 0.3")


if __name__ == "__main__":
    main()
