"""Read what dvc.lock records about a model: the data it was made from, and its metrics."""

import hashlib
import json
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from core.params import read_sections
from core.paths import TRAINING_SET


@dataclass(frozen=True)
class Lineage:
    """Digests of the data that a model was made from, and its metrics; None if unknown."""

    training: dict[str, str] | None = None
    metrics: dict[str, Any] | None = None
    intervals: dict[str, Any] | None = None
    plots: tuple[str, ...] = ()


def collect_digests(entries: list[dict]) -> dict[str, str]:
    """Return the MD5 by path of a stage's dependencies or outputs in dvc.lock."""
    return {entry["path"]: entry.get("md5", "") for entry in entries}


def read_json(path: Path, md5: str) -> dict[str, Any] | None:
    """Return the content of a JSON file, None unless it has this MD5."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        return None
    return json.loads(content)


def compute_folder_digest(folder: Path) -> str:
    """Return the MD5 of a folder as in dvc.lock: that of the list of its files, and '.dir'."""
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
    """Return the names of the images in a folder, if its parent, with all plots, has this MD5."""
    try:
        if compute_folder_digest(folder.parent) != md5:
            return ()
    except OSError:
        return ()
    return tuple(sorted(path.stem for path in folder.glob("*.png")))


def read_lineage(md5: str, lock: Path, metrics: Path, intervals: Path, plots: Path) -> Lineage:
    """Return what dvc.lock records about a model.

    Digests, metrics and plots are returned only if dvc.lock ties them to this model file.

    Parameters
    ----------
    md5 : str
        MD5 of the model file.
    lock : Path
        dvc.lock, whose paths are those of the pipeline.
    metrics, intervals : Path
        JSON files that the evaluation wrote.
    plots : Path
        Folder of its images, inside the folder of all plots.
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
        training = {"training_set_md5": built["deps"].get(TRAINING_SET, "")}
    if md5 not in measured["deps"].values():
        return Lineage(training)
    outs = {Path(path).name: digest for path, digest in measured["outs"].items()}
    found = read_json(metrics, outs.get(metrics.name, ""))
    if found is None:
        return Lineage(training)
    return Lineage(
        training,
        found,
        read_json(intervals, outs.get(intervals.name, "")),
        list_plots(plots, outs.get(plots.parent.name, "")),
    )
