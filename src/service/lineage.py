"""Tell what dvc.lock knows of a model: the data it was made from, and how good it was."""

import hashlib
import json
from dataclasses import dataclass
from operator import itemgetter
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


def compute_folder_digest(folder: Path) -> str:
    """Return what dvc.lock calls the MD5 of a folder: that of the list of its files, and '.dir'."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    listed = [
        {
            "md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
            "relpath": path.relative_to(folder).as_posix(),
        }
        for path in files
    ]
    content = json.dumps(sorted(listed, key=itemgetter("relpath")), sort_keys=True)
    return f"{hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()}.dir"


def list_plots(folder: Path, md5: str) -> tuple[str, ...]:
    """Return the names of the pictures in a folder, if that with all plots has this MD5."""
    try:
        if compute_folder_digest(folder.parent) != md5:
            return ()
    except OSError:
        return ()
    return tuple(sorted(path.stem for path in folder.glob("*.png")))


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
        Folder of its pictures, in that of all its plots.
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
        list_plots(plots, outs.get(plots.parent.name, "")),
    )
