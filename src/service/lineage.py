"""Tell what dvc.lock knows of a model: the data it was made from, and how good it was."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.params import read_sections


@dataclass(frozen=True)
class Lineage:
    """Digests of the data that a model was made from, and its metrics; None where unknown."""

    training: dict[str, str] | None = None
    metrics: dict[str, Any] | None = None
    intervals: dict[str, Any] | None = None
    plots: tuple[str, ...] = ()


def collect_digests(entries: list[dict]) -> dict[str, str]:
    """Return path -> MD5 of a stage's dependencies or outputs in dvc.lock."""
    return {entry["path"]: entry.get("md5", "") for entry in entries}


def read_measured(path: Path, md5: str) -> dict[str, Any] | None:
    """Return a JSON file, if it has this MD5."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        return None
    return json.loads(content)


def read_lineage(md5: str, lock: Path, metrics: Path, intervals: Path, plots: Path) -> Lineage:
    """Return what is known of the model with this MD5.

    Nothing is told of a model that dvc.lock does not name, and no figures are told that it does
    not name as measured on this very model.

    Parameters
    ----------
    md5 : str
        Of the model's file.
    lock : Path
        dvc.lock; the paths in it are those of the pipeline.
    metrics, intervals : Path
        JSON files that the evaluation wrote.
    plots : Path
        Folder of its pictures.
    """
    try:
        stages = read_sections(lock)["stages"]
        built, measured = (
            {key: collect_digests(stages[stage].get(key, [])) for key in ("deps", "outs")}
            for stage in ("model_building", "model_evaluation")
        )
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return Lineage()
    training = None
    if md5 in built["outs"].values():
        training = {"training_set_md5": built["deps"].get("data/interim/train.parquet", "")}
    if md5 not in measured["deps"].values():
        return Lineage(training)
    outs = {Path(path).name: digest for path, digest in measured["outs"].items()}
    found = read_measured(metrics, outs.get(metrics.name, ""))
    if found is None:
        return Lineage(training)
    return Lineage(
        training,
        found,
        read_measured(intervals, outs.get(intervals.name, "")),
        tuple(sorted(path.stem for path in plots.glob("*.png"))),
    )
