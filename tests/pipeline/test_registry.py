"""Tests of releasing versions of the model and promoting them."""

import hashlib

import pytest

from commands import registry
from core.errors import UserError
from tests.pipeline.conftest import Repository


@pytest.fixture(scope="session")
def shared(finished, s3_server, tmp_path_factory):
    """Return a repository with two released versions in a bucket, the second a bad one."""
    path = tmp_path_factory.mktemp("registry") / "repository"
    finished.run("git", "clone", "--quiet", ".", str(path))
    repository = Repository(path, s3_server)
    finished.run("cp", "-r", ".dvc/cache", str(path / ".dvc" / "cache"))
    repository.run("dvc", "checkout")
    config = path / ".dvc" / "config"
    url = "url = s3://messages/registry"
    config.write_text(config.read_text().replace("url = s3://message-classification/dvc", url))
    repository.commit()
    repository.run("python", "src", "registry", "release", "1.0.0")
    repository.set_params({"model_building.params": {"C": 1e-9}})
    repository.set_params({"model_building.class_weight": None})
    repository.run("dvc", "repro")
    repository.commit()
    repository.run("python", "src", "registry", "release", "v2.0.0")
    return repository


@pytest.fixture
def released(shared, s3_server, tmp_path, monkeypatch):
    """Return a clone of the shared repository, and work in it."""
    path = tmp_path / "clone"
    shared.run("git", "clone", "--quiet", ".", str(path))
    repository = Repository(path, s3_server)
    for name, value in repository.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(path)
    return repository


def promote(version, *options):
    registry.main(["promote", version, "prod", *options])


def test_the_first_version_needs_no_comparison(released):
    promote("1.0.0")
    assert "sms-spam#prod#1" in released.run("git", "tag")


def test_another_clone_gets_the_model_of_a_stage(released, s3_server, tmp_path):
    promote("v1.0.0")
    elsewhere = tmp_path / "elsewhere"
    released.run("git", "clone", "--quiet", ".", str(elsewhere))
    other = Repository(elsewhere, s3_server)
    other.run("dvc", "artifacts", "get", ".", "sms-spam", "--stage", "prod", "--out", "got.skops")
    content = (elsewhere / "got.skops").read_bytes()
    lock = released.run("git", "show", "sms-spam@v1.0.0:dvc.lock")
    assert f"md5: {hashlib.md5(content).hexdigest()}\n" in lock
    assert f"md5: {hashlib.md5(content).hexdigest()}\n" not in released.read_lock()


def test_a_worse_model_is_refused_with_the_reason(released):
    promote("v1.0.0")
    with pytest.raises(
        ValueError, match=r"v2\.0\.0 is not promoted: mcc is .* worse than"
    ) as caught:
        promote("v2.0.0")
    assert "recall is 1 worse than that of v1.0.0 in prod (0, 1), the tolerance is" in str(
        caught.value
    )
    assert "sms-spam#prod#2" not in released.run("git", "tag")


def test_a_forced_promotion_is_recorded(released):
    promote("v1.0.0")
    promote("v2.0.0", "--force")
    message = released.run("git", "tag", "--list", "--format=%(contents)", "sms-spam#prod#2")
    assert message.startswith("Promote v2.0.0 to prod, forced although mcc is ")


def test_a_better_model_is_promoted(released, caplog):
    promote("v2.0.0")
    promote("v1.0.0")
    assert "sms-spam#prod#2" in released.run("git", "tag")
    assert "was trained on" not in caplog.text


@pytest.mark.usefixtures("released")
def test_a_comparison_on_messages_that_the_other_model_was_trained_on_is_noticed(
    monkeypatch, caplog
):
    promote("v2.0.0")
    monkeypatch.setattr(registry, "TEST_SET", registry.TRAINING_SET)
    promote("v1.0.0")
    assert "v2.0.0 was trained on 144 of the 144 messages of this test set" in caplog.text


@pytest.mark.usefixtures("released")
def test_a_version_that_is_there_already_is_refused():
    promote("v1.0.0")
    with pytest.raises(ValueError, match=r"v1\.0\.0 is in prod already"):
        promote("v1.0.0")


def test_a_version_cannot_be_released_twice(released):
    released.run("dvc", "pull")
    with pytest.raises(UserError, match=r"v1\.0\.0 was not registered"):
        registry.main(["release", "v1.0.0"])


def test_a_version_that_was_never_released_is_refused(released):
    there_are = r"there is no version v9\.9\.9 of sms-spam, only v1\.0\.0, v2\.0\.0"
    with pytest.raises(ValueError, match=there_are):
        promote("v9.9.9")
    assert "prod" not in released.run("git", "tag")


def test_a_checkout_that_is_not_clean_is_not_released(released):
    (released.path / "params.yaml").write_text("")
    with pytest.raises(ValueError, match=r"not clean \(M params\.yaml\): commit"):
        registry.main(["release", "v3.0.0"])


def test_results_that_are_not_up_to_date_are_not_released(released):
    released.run("dvc", "pull")
    released.set_params({"model_evaluation.threshold": 0.4})
    released.commit()
    with pytest.raises(ValueError, match="not up to date: run 'make repro'"):
        registry.main(["release", "v3.0.0"])


def test_a_guard_for_an_unknown_metric_is_refused(released):
    guard = {"metric": "luck", "direction": "higher", "tolerance": 0.0}
    promote("v1.0.0")
    released.set_params({"promotion.guards": [guard]})
    with pytest.raises(ValueError, match=r"no metric 'luck': choose one of accuracy, .*, fpr$"):
        promote("v2.0.0")


def test_before_the_first_release_there_is_nothing_to_promote(released):
    released.run("git", "tag", "--delete", "sms-spam@v1.0.0", "sms-spam@v2.0.0")
    with pytest.raises(ValueError, match=r"no version v1\.0\.0 of sms-spam, none was released yet"):
        promote("v1.0.0")


def test_a_version_that_was_deregistered_is_not_named(released):
    released.run("gto", "deprecate", "sms-spam", "v1.0.0")
    with pytest.raises(ValueError, match=r"only v2\.0\.0: "):
        promote("v1.0.0")


def test_another_artifact_can_be_released_and_promoted(released):
    path = released.path / "dvc.yaml"
    path.write_text(path.read_text().replace("  sms-spam:", "  complaints:"))
    released.run("dvc", "pull")
    released.commit()
    registry.main(["release", "v1.0.0"])
    promote("v1.0.0")
    tags = released.run("git", "tag").split()
    assert {"complaints@v1.0.0", "complaints#prod#1"} <= set(tags)
