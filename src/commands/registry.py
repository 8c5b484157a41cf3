"""Release versions of the model, and promote one to a stage if it is good enough.

By hand: python src registry release v1.0.0
         python src registry promote v1.0.0 prod

Versions and stages are Git tags in GTO's format, which ``dvc artifacts get`` understands.
"""

import argparse
import json
import logging
import tempfile
from pathlib import Path

import gto.api
import yaml
from gto.exceptions import GTOException

from core.errors import UserError
from core.identity import require_identity
from core.log import run_stage
from core.params import Yaml12Loader, read_params
from core.paths import MODEL, ROBUSTNESS, TEST_SET, TRAINING_SET
from core.processes import run, run_dvc
from core.tables import read_table
from evaluation.cards import list_others
from evaluation.prediction_files import measure_predictions, predict_test_set, read_predictions
from evaluation.promotion import (
    ROBUSTNESS_PREFIX,
    PromotionParams,
    compare_guarded,
    count_known,
    keep_common_rows,
)
from evaluation.scores import EvaluationParams, Scored
from models.description import CardParams
from records.schema import Schema

PARAMS = Path("params.yaml")

logger = logging.getLogger(__name__)


def normalise_version(version: str) -> str:
    """Return ``1.2.3`` and ``v1.2.3`` as ``v1.2.3``."""
    return f"v{version.removeprefix('v')}"


def read_artifact(params_file: Path) -> str:
    """Return the name that dvc.yaml gives the model: that in params.yaml."""
    return read_params(params_file, "model", CardParams).name


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
    if changed := run("git", "status", "--porcelain").split("\n")[0]:
        raise UserError(f"the checkout is not clean ({changed.strip()})", "commit, then release")
    if "up to date" not in run_dvc("status"):
        raise UserError("the results are not up to date", "run 'make repro', commit, then release")
    artifact = read_artifact(PARAMS)
    for card in list_others():
        logger.warning("%s describes another model than %s: run 'make readme'", card, artifact)
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
    """Copy an output, or a folder of them, of a commit from DVC's cache or remote to ``folder``."""
    target = folder / f"{revision.replace('/', '-')}-{Path(path).name}"
    run_dvc("get", ".", path, "--rev", revision, "--out", str(target), "--quiet")
    return target


def check_comparable(tag: str, schema: Schema) -> None:
    """Raise ``UserError`` if a release has another task or another positive label.

    Its probabilities would be taken for those of another label.
    """
    found = yaml.load(run("git", "show", f"{tag}:params.yaml"), Loader=Yaml12Loader)
    # The first releases were of messages alone, and had no schema.
    released = found.get("schema", {})
    for name in ("task", "positive"):
        expected = getattr(schema, name)
        if (value := released.get(name, expected)) != expected:
            raise UserError(f"its schema.{name} is {value}, not {expected}")


def predict_with_release(tag: str, test_set: Path, folder: Path, schema: Schema) -> Scored:
    """Have a release predict for a test set, and return what it predicts.

    It runs the code of the release, in a clone of its tag: other code might make features that the
    model was not trained on.

    Raises
    ------
    UserError
        If that code cannot predict from the test set.
    """
    check_comparable(tag, schema)
    model = fetch(str(Path(MODEL).parent), tag, folder) / Path(MODEL).name
    clone = folder / f"{tag.replace('/', '-')}-code"
    predicted = folder / f"{clone.name}.parquet"
    run("git", "clone", "--quiet", "--shared", ".", str(clone))
    run("git", "-C", str(clone), "checkout", "--quiet", tag)
    predict_test_set(clone, model, test_set, predicted, schema)
    return read_predictions(predicted, schema)


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
        scored = {}
        for name, tag in tags.items():
            try:
                scored[name] = predict_with_release(tag, test_set, folder, schema)
            except UserError as error:
                return [f"{name} cannot be measured with the code of its release ({error})"]
        training_set = fetch(TRAINING_SET, tags[current], folder)
        n_rows = len(read_table(test_set, []))
        n_known = count_known(test_set, training_set, schema.features)
    measured = {
        name: measure_predictions(each, schema, params) | read_robustness(tags[name])
        for name, each in keep_common_rows(scored, n_rows).items()
    }
    if n_known:
        logger.warning(
            "%s was trained on %d of the %d %s of this test set: its metrics are too good",
            current,
            n_known,
            n_rows,
            "messages" if schema.is_messages else "rows",
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
    artifact = read_artifact(params_file)
    require_version(version, artifact)
    promotion = read_params(params_file, "promotion", PromotionParams)
    schema = read_params(params_file, "schema", Schema)
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
    command.add_argument("--params", type=Path, default=PARAMS)
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
