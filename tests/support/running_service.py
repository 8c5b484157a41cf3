"""The service, started as a user starts it, on a model that is fitted in milliseconds."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from models.store import save_model
from models.threshold import OperatingPoint, name_points, write_points
from tests.conftest import find_free_port
from tests.support.small_model import fit_model

ROOT = Path(__file__).parents[2]
# Seconds that anything gets which has to happen; a test that passes waits far less.
PATIENCE = 120
Result = TypeVar("Result")
# One grey pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
CV_SCORES = {"matthews_corrcoef": 0.95, "matthews_corrcoef_std": 0.01}
METRICS = {"accuracy": 0.98765, "f1": 0.9, "mcc": 0.8, "spam_caught": 0.875, "ham_blocked": 0.0}
MEASURED = {"cv": CV_SCORES, "test": METRICS, "train": METRICS}

ROBUSTNESS = {
    "worst": 0.625,
    "worst_attack": "no_contacts",
    "mean": 0.75,
    "most_blocked": 0.03,
    "attacks": {
        "no_contacts": {
            "caught": {"rate": 0.625, "low": 0.5, "high": 0.7},
            "blocked": {"rate": 0.01, "low": 0.0, "high": 0.04},
            "example": "WINNER! Claim your prize",
        },
        "typos": {
            "caught": {"rate": 0.875, "low": 0.8, "high": 0.9},
            "blocked": {"rate": 0.03, "low": 0.02, "high": 0.05},
            "example": "WINENR! Calim yuor prize",
        },
    },
}


@dataclass(frozen=True)
class RunningService:
    """A service that runs."""

    url: str
    port: int
    process: subprocess.Popen[str]
    folder: Path
    log: Path

    def read_log(self) -> str:
        """Return what it has logged so far."""
        return self.log.read_text()

    def read_cpu_seconds(self) -> float:
        """Return the processor time that its process has taken, user and system."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read_memory(self) -> int:
        """Return the bytes that its process holds in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def wait_for(find: Callable[[], Result], explain: Callable[[], str] = str) -> Result:
    """Return what ``find`` finds once it does; fail after ``PATIENCE`` with what is explained."""
    deadline = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)
    return found


def measure(path: Path) -> dict[str, str]:
    """Return a file's entry in dvc.lock, its path shortened to what the pipeline says."""
    return {
        "path": "/".join(path.parts[-2:]),
        "md5": hashlib.md5(path.read_bytes()).hexdigest(),
    }


def measure_folder(path: Path) -> dict[str, str]:
    """Return a folder's entry in dvc.lock."""
    listed = [
        {"md5": measure(file)["md5"], "relpath": file.relative_to(path).as_posix()}
        for file in sorted(path.rglob("*.*"))
    ]
    digest = hashlib.md5(json.dumps(listed).encode()).hexdigest()
    return {"path": "/".join(path.parts[-2:]), "md5": f"{digest}.dir"}


def make_folder(folder: Path) -> Path:
    """Make a folder such as the pipeline leaves: model, parameters, metrics, plots, dvc.lock."""
    folder.mkdir(exist_ok=True)
    params = (ROOT / "params.yaml").read_text()
    params = re.sub(r"^  threshold: .*$", "  threshold: 0.5", params, flags=re.MULTILINE)
    (folder / "params.yaml").write_text(params)
    model = folder / "models" / "model.skops"
    save_model(fit_model(), model)
    point = OperatingPoint(threshold=0.25, recall=0.5, fpr=0.0)
    write_points([point], model, name_points(model))
    plots = folder / "reports" / "plots" / "images"
    plots.mkdir(parents=True)
    for name in ("confusion_matrix", "roc"):
        (plots / f"{name}.png").write_bytes(PNG)
    metrics, intervals = folder / "reports" / "metrics.json", folder / "reports" / "intervals.json"
    metrics.write_text(json.dumps(MEASURED))
    spread = {name: {"low": value - 0.01, "high": value + 0.01} for name, value in METRICS.items()}
    intervals.write_text(json.dumps({"test": spread, "train": spread}))
    robustness = folder / "reports" / "robustness.json"
    robustness.write_text(json.dumps(ROBUSTNESS))
    train = {"path": "data/interim/train.parquet", "md5": "b" * 32}
    stages = {
        "model_building": {"deps": [train], "outs": [measure(model)]},
        "model_evaluation": {
            "deps": [measure(model)],
            "outs": [measure(metrics), measure(intervals), measure_folder(plots.parent)],
        },
        "robustness": {"deps": [measure(model)], "outs": [measure(robustness)]},
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return folder


def is_ready(service: RunningService) -> bool:
    """Return whether a service answers; fail if its process has ended."""
    assert service.process.poll() is None, service.read_log()
    try:
        with urllib.request.urlopen(f"{service.url}/readyz", timeout=PATIENCE):
            return True
    except OSError:
        return False


@contextmanager
def run_service(folder: Path, *options: str, **environment: str) -> Iterator[RunningService]:
    """Run the service in a folder that holds models/model.skops and params.yaml; stop it after.

    Parameters
    ----------
    folder : Path
        The working directory.
    *options : str
        Of the command line.
    **environment : str
        Variables beyond those of this process.
    """
    port = find_free_port()
    script = folder / "serve.py"
    program = [str(script)] if script.is_file() else [str(ROOT / "src"), "serve"]
    command = [sys.executable, *program, "--port", str(port), *options]
    log = folder / f"service-{port}.log.tmp"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stderr=file, text=True
        )
    service = RunningService(f"http://127.0.0.1:{port}", port, process, folder, log)
    try:
        wait_for(lambda: is_ready(service), service.read_log)
        yield service
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
