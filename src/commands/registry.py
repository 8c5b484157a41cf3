"""Release versions of the model, and promote one to a stage if it is good enough.

By hand: python src registry release v1.0.0
         python src registry promote v1.0.0 prod

Versions and stages are Git tags in GTO's format, which ``dvc artifacts get`` understands.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import gto.api
import pandas as pd
from gto.exceptions import GTOException
from pydantic import Field

from core.errors import UserError
from core.identity import require_identity
from core.log import run_stage
from core.params import Params, read_params, read_sections
from core.paths import MODEL, ROBUSTNESS, TEST_SET, TRAINING_SET
from core.processes import run, run_dvc
from core.tables import read_table
from evaluation.binary import compute_metrics
from evaluation.metrics import find_loss
from evaluation.scores import EvaluationParams
from records.schema import Schema, read_message_schema
from records.tables import read_rows

# Prefix of the columns that predict adds to the test set.
PREFIX = "given_"
# Of guards that compare what the stage robustness measured: each version on its own test set.
ROBUSTNESS_PREFIX = "robustness."

logger = logging.getLogger(__name__)


class Guard(Params):
    """A metric that a promotion must not make worse by more than ``tolerance``."""

    metric: str
    tolerance: float = Field(ge=0)


class PromotionParams(Params):
    """The section ``promotion`` of ``params.yaml``."""

    guards: list[Guard]


def normalise_version(version: str) -> str:
    """Return ``1.2.3`` and ``v1.2.3`` as ``v1.2.3``."""
    return f"v{version.removeprefix('v')}"


def read_artifact(path: Path = Path("dvc.yaml")) -> str:
    """Return the name under which ``dvc.yaml`` registers the model.

    Raises
    ------
    UserError
        If it registers none.
    """
    artifacts = read_sections(path).get("artifacts") or {}
    for name, artifact in artifacts.items():
        if artifact.get("path") == MODEL:
            return name
    raise UserError(f"{path}: no artifact has the path {MODEL}", "add one under 'artifacts'")


def list_versions(artifact: str) -> list[str]:
    """Return the registered versions of an artifact, the oldest first."""
    tags = run("git", "tag", "--sort=version:refname", "--list", f"{artifact}@*").split()
    versions = [tag.removeprefix(f"{artifact}@") for tag in tags]
    # GTO deprecates a version with a second tag, which ends in an exclamation mark.
    return [name for name in versions if "!" not in name and f"{name}!" not in versions]


def require_version(version: str, artifact: str) -> None:
    """Check that an artifact has this version.

    Raises
    ------
    UserError
        If it does not; the message names the versions that it has.
    """
    versions = list_versions(artifact)
    if version not in versions:
        known = f"only {', '.join(versions)}" if versions else "none was released yet"
        raise UserError(
            f"there is no version {version} of {artifact}, {known}",
            "fetch the versions of others with 'git fetch --tags', or run 'make release'",
        )


def release(version: str) -> None:
    """Push the model of the current commit to the remote and register it as a version.

    Raises
    ------
    UserError
        If the checkout is not clean, or its results are not those that ``dvc.lock`` names.
    UserError
        If the remote cannot be reached, or GTO refuses the version.
    """
    artifact = read_artifact()
    if changed := run("git", "status", "--porcelain").split("\n")[0]:
        raise UserError(f"the checkout is not clean ({changed.strip()})", "commit, then release")
    if "up to date" not in run_dvc("status"):
        raise UserError("the results are not up to date", "run 'make repro', commit, then release")
    run_dvc("push")
    try:
        gto.api.register(".", artifact, "HEAD", version=version)
    except GTOException as error:
        raise UserError(f"{version} was not registered: {error}") from error
    logger.info(
        "%s is %s of %s", run("git", "rev-parse", "--short", "HEAD").strip(), version, artifact
    )
    logger.info("'git push --tags' shares it")


def fetch(path: str, revision: str, folder: Path) -> Path:
    """Copy an output of a commit, from DVC's cache or remote, into ``folder``."""
    target = folder / f"{revision.replace('/', '-')}-{Path(path).name}"
    run_dvc("get", ".", path, "--rev", revision, "--out", str(target), "--quiet")
    return target


def score_with_release(tag: str, model: Path, test_set: Path, folder: Path) -> Path:
    """Score a test set with a released model, and return the file with the probabilities.

    It runs the code of the release, in a clone of its tag: other code might make features that the
    model was not trained on.

    Raises
    ------
    UserError
        If that code cannot score the test set.
    """
    clone = folder / f"{tag.replace('/', '-')}-code"
    scored = folder / f"{clone.name}.parquet"
    run("git", "clone", "--quiet", "--shared", ".", str(clone))
    run("git", "-C", str(clone), "checkout", "--quiet", tag)
    paths = ("--input", str(test_set), "--output", str(scored), "--model", str(model))
    program = (sys.executable, str(clone / "src"), "predict")
    run(*program, *paths, "--params", str(clone / "params.yaml"), "--prefix", PREFIX)
    return scored


def compute_scored_metrics(
    scored: Path, schema: Schema, params: EvaluationParams
) -> dict[str, Any]:
    """Return the metrics of a file that ``score_with_release`` wrote.

    The false-positive rate is also named ``fpr``, whatever the labels are.
    """
    df = read_rows(scored, schema, ["group", f"{PREFIX}probability"])
    negative, positive = schema.classes
    scores = {
        "is_positive": df[schema.target] == positive,
        "probability": df[f"{PREFIX}probability"],
    }
    metrics, _ = compute_metrics(df.assign(**scores), schema.classes, params)
    return {**metrics, "fpr": metrics[f"{negative}_blocked"]}


def read_robustness(tag: str) -> dict[str, float]:
    """Return the figures of a release's robustness; none if it was released without."""
    try:
        found = json.loads(run("git", "show", f"{tag}:{ROBUSTNESS}"))
    except UserError:
        logger.warning("%s has no %s: its robustness is not compared", tag, ROBUSTNESS)
        return {}
    if not found.get("applies", True):
        return {}
    return {f"{ROBUSTNESS_PREFIX}{name}": found[name] for name in ("worst", "mean", "most_blocked")}


def compare_guarded(
    candidate: dict[str, float], current: dict[str, float], guards: list[Guard]
) -> pd.DataFrame:
    """Return a row for each guarded metric; robustness only if it was measured for both.

    Raises
    ------
    UserError
        If there is no such metric.
    """
    rows = []
    has_robustness = all(
        any(name.startswith(ROBUSTNESS_PREFIX) for name in metrics)
        for metrics in (candidate, current)
    )
    for guard in guards:
        if guard.metric.startswith(ROBUSTNESS_PREFIX) and not has_robustness:
            continue
        if guard.metric not in candidate:
            raise UserError(
                f"promotion.guards: there is no metric {guard.metric!r}",
                f"choose one of {', '.join(candidate)}",
            )
        values = (candidate[guard.metric], current[guard.metric])
        lost, before = (find_loss(guard.metric, value) for value in values)
        worse = round(lost - before, 6)
        rows.append(
            {
                "metric": guard.metric,
                "candidate": candidate[guard.metric],
                "current": current[guard.metric],
                "worse_by": max(worse, 0.0),
                "tolerance": guard.tolerance,
                "is_refused": worse > guard.tolerance,
            }
        )
    return pd.DataFrame(rows)


def find_objections(
    artifact: str,
    version: str,
    current: str,
    stage: str,
    promotion: PromotionParams,
    schema: Schema,
    params: EvaluationParams,
) -> list[str]:
    """Measure both versions on the candidate's test set; return the reasons not to promote it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tags = {name: f"{artifact}@{name}" for name in (version, current)}
        test_set = fetch(TEST_SET, tags[version], folder)
        measured = {}
        for name, tag in tags.items():
            try:
                model = fetch(MODEL, tag, folder)
                scored = score_with_release(tag, model, test_set, folder)
                measured[name] = compute_scored_metrics(scored, schema, params) | read_robustness(
                    tag
                )
            except UserError as error:
                return [f"{name} cannot be measured with the code of its release ({error})"]
        training_set = fetch(TRAINING_SET, tags[current], folder)
        [column] = schema.text
        texts = read_table(test_set, [column])[column]
        n_known = texts.isin(read_table(training_set, [column])[column]).sum()
    if n_known:
        logger.warning(
            "%s was trained on %d of the %d messages of this test set: its metrics are too good",
            current,
            n_known,
            len(texts),
        )
    table = compare_guarded(measured[version], measured[current], promotion.guards)
    for row in table.to_dict("records"):
        logger.info("%(metric)s: %(candidate)s, in stage %(current)s, tolerance %(tolerance)s", row)
    return [
        f"{row['metric']} is {row['worse_by']:g} worse than that of {current} in {stage} "
        f"({row['candidate']:g}, {row['current']:g}), the tolerance is {row['tolerance']:g}"
        for row in table.to_dict("records")
        if row["is_refused"]
    ]


def promote(version: str, stage: str, params_file: Path, is_forced: bool) -> None:
    """Assign a stage to a version, unless a guarded metric is worse than the current version's.

    Raises
    ------
    UserError
        If there is no such version, or it is worse and ``is_forced`` is not set.
    UserError
        If a model cannot be fetched.
    """
    artifact = read_artifact()
    require_version(version, artifact)
    promotion = read_params(params_file, "promotion", PromotionParams)
    schema = read_message_schema(params_file)
    params = read_params(params_file, "model_evaluation", EvaluationParams)
    try:
        holders = gto.api.find_versions_in_stage(".", artifact, stage) or []
    except GTOException:
        # GTO raises this if nothing was released yet.
        holders = []
    objections: list[str] = []
    current = next((holder.version for holder in holders), None)
    if current is None:
        logger.info("no version is in %s yet: nothing to compare with", stage)
    elif current == version:
        raise UserError(f"{version} is in {stage} already")
    else:
        objections = find_objections(artifact, version, current, stage, promotion, schema, params)
    if objections and not is_forced:
        raise UserError(
            f"{version} is not promoted: {'; '.join(objections)}", "--force promotes it anyway"
        )
    message = f"Promote {version} to {stage}"
    if objections:
        message += f", forced although {'; '.join(objections)}"
    try:
        gto.api.assign(
            ".", artifact, stage, version=version, message=message, skip_registration=True
        )
    except GTOException as error:
        raise UserError(f"{version} was not promoted: {error}") from error
    logger.info("%s is in %s; 'git push --tags' shares it", version, stage)


def main(argv: list[str] | None = None) -> None:
    """Release or promote, as ``argv`` says."""
    parser = argparse.ArgumentParser(description="Release and promote versions of the model.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("release", help="register the current commit's model")
    command.add_argument("version", help="such as v1.0.0")
    command = commands.add_parser("promote", help="assign a stage to a version")
    command.add_argument("version", help="such as v1.0.0")
    command.add_argument("stage", help="such as prod")
    command.add_argument("--params", type=Path, default=Path("params.yaml"))
    command.add_argument("--force", action="store_true", help="even if worse; the tag records it")
    args = parser.parse_args(argv)
    version = normalise_version(args.version)
    require_identity()
    if args.command == "release":
        release(version)
    else:
        promote(version, args.stage, args.params, args.force)


def run_program() -> None:
    run_stage(main)
