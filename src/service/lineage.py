"""Read what dvc.lock records about a model: the data it was made from, and its results."""

import hashlib
import json
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from core.params import read_sections
from core.paths import TRAINING_SET

# The stages whose entries in dvc.lock are about the model.
STAGES = ("model_building", "model_evaluation", "robustness")
# The folder of images in the folder of reports.
PLOTS = "plots/images"


@dataclass(frozen=True)
class Lineage:
    """Digests of the data that a model was made from, and its results; None if unknown."""

    training: dict[str, str] | None = None
    metrics: dict[str, Any] | None = None
    intervals: dict[str, Any] | None = None
    robustness: dict[str, Any] | None = None
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


def read_lineage(md5: str, lock: Path, reports: Path) -> Lineage:
    """Return what dvc.lock records about a model.

    Digests, metrics, robustness and plots are returned only if dvc.lock ties them to this model
    file.

    Parameters
    ----------
    md5 : str
        MD5 of the model file.
    lock : Path
        dvc.lock, whose paths are those of the pipeline.
    reports : Path
        The folder of what the stages robustness and model_evaluation wrote.
    """
    try:
        stages = read_sections(lock)["stages"]
        built, measured, disguised = (
            {key: collect_digests(stages.get(stage, {}).get(key, [])) for key in ("deps", "outs")}
            for stage in STAGES
        )
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return Lineage()
    found = Lineage()
    if md5 in built["outs"].values():
        found = replace(found, training={"training_set_md5": built["deps"].get(TRAINING_SET, "")})
    outs = {
        Path(path).name: digest
        for stage in (measured, disguised)
        if md5 in stage["deps"].values()
        for path, digest in stage["outs"].items()
    }
    metrics, intervals, robustness = (
        read_json(reports / name, outs.get(name, ""))
        for name in ("metrics.json", "intervals.json", "robustness.json")
    )
    found = replace(found, robustness=robustness)
    if metrics is None:
        return found
    plots = list_plots(reports / PLOTS, outs.get("plots", ""))
    return replace(found, metrics=metrics, intervals=intervals, plots=plots)
