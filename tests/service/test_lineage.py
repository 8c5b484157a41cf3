"""Tests of what dvc.lock records about a model."""

import pytest
import yaml

from service.lineage import Lineage, compute_folder_digest, read_lineage
from tests.support.running_service import MEASURED, ROBUSTNESS, make_folder, measure


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "made")


def read(folder):
    md5 = measure(folder / "models/model.skops")["md5"]
    return read_lineage(md5, folder / "dvc.lock", folder / "reports")


def test_the_measured_model_has_everything(folder):
    found = read(folder)
    assert found.metrics == MEASURED
    assert found.intervals is not None
    assert found.robustness == ROBUSTNESS
    assert found.training == {"training_set_md5": "b" * 32}
    assert found.plots == ("confusion_matrix", "roc")


def test_reads_a_path_that_yaml_1_1_would_take_for_a_truth_value(folder):
    lock = folder / "dvc.lock"
    lines = lock.read_text().split("model_evaluation:")
    lines[1] = lines[1].replace("outs:\n", "outs:\n    - path: no\n      md5: abc\n", 1)
    lock.write_text("model_evaluation:".join(lines))
    assert read(folder).metrics == MEASURED


def test_changed_metrics_are_left_out(folder):
    (folder / "reports/metrics.json").write_text('{"test": {"f1": 1}}')
    found = read(folder)
    assert found.metrics is None
    assert found.plots == ()
    assert found.training is not None


@pytest.mark.parametrize("name", ["images/roc.png", "images/new.png", "sklearn/roc.json"])
def test_plots_are_left_out_if_one_of_them_was_changed(folder, name):
    path = folder / "reports/plots" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"changed")
    assert read(folder).plots == ()
    assert read(folder).metrics is not None


def test_the_robustness_of_another_model_is_left_out(folder):
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    lock["stages"]["robustness"]["deps"][0]["md5"] = "c" * 32
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = read(folder)
    assert found.robustness is None
    assert found.metrics is not None
    assert found.plots != ()


def test_a_lock_without_robustness_still_has_the_rest(folder):
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    del lock["stages"]["robustness"]
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = read(folder)
    assert found.robustness is None
    assert found.metrics == MEASURED


def test_plots_that_the_lock_does_not_name_are_left_out(folder):
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    del lock["stages"]["model_evaluation"]["outs"][2]
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert read(folder).plots == ()


def test_the_digest_of_a_folder_is_that_of_dvc(tmp_path):
    for name in ("a.json", "deep/b.png", "deep/ü"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    # What `dvc add` notes of this folder.
    assert compute_folder_digest(tmp_path) == "28cab4283153aea08b77f2b4a44bd10c.dir"


def test_a_new_model_does_not_have_the_metrics_of_the_previous_one(folder):
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    for stage in ("model_evaluation", "robustness"):
        lock["stages"][stage]["deps"][0]["md5"] = "c" * 32
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert read(folder) == Lineage({"training_set_md5": "b" * 32})


@pytest.mark.parametrize(
    "lock",
    [
        "",
        "{",
        "[]",
        "schema: '2.0'",
        "stages: {model_building: {}}",
        "stages: {data_ingestion: [], model_building: [], model_evaluation: []}",
    ],
)
def test_without_a_complete_lock_there_is_nothing(folder, lock):
    (folder / "dvc.lock").write_text(lock)
    assert read(folder) == Lineage()


def test_without_files_there_is_nothing(folder):
    (folder / "reports/intervals.json").unlink()
    assert read(folder).intervals is None
    assert read(folder).metrics is not None
    (folder / "dvc.lock").unlink()
    assert read(folder) == Lineage()
