"""Tests of releasing versions of the model and promoting them."""

import hashlib
import random
import shutil

import pytest

from commands import registry
from core.errors import UserError
from tests.pipeline.conftest import ROOT, Repository, copy_repository, make_own


@pytest.fixture(scope="session")
def shared(worsened, tmp_path_factory):
    """Return a repository with two released versions, the second a bad one, and their remote."""

    def make(folder):
        repository = copy_repository(worsened, folder)
        repository.run("git", "branch", "bad")
        repository.run("git", "reset", "--quiet", "--hard", "good")
        # A folder: it is quicker than a server, and all test processes can share it.
        url = folder / "remote"
        config = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n"
        (repository.path / ".dvc" / "config").write_text(config)
        repository.commit()
        repository.run("dvc", "checkout")
        repository.run("python", "src", "registry", "release", "1.0.0")
        repository.run("git", "cherry-pick", "bad")
        repository.run("dvc", "checkout")
        repository.run("python", "src", "registry", "release", "v2.0.0")

    return make_own(tmp_path_factory, "registry", make)


@pytest.fixture
def released(shared, tmp_path, monkeypatch):
    """Return a clone of the shared repository, and work in it."""
    return work_in_clone(shared, tmp_path / "clone", monkeypatch)


def work_in_clone(source, path, monkeypatch):
    """Return a clone of a repository, and work in it."""
    source.run("git", "clone", "--quiet", ".", str(path))
    repository = Repository(path)
    for name, value in repository.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(path)
    return repository


def promote(version, *options):
    registry.main(["promote", version, "prod", *options])


def test_the_first_version_needs_no_comparison(released):
    promote("1.0.0")
    assert "sms-spam#prod#1" in released.run("git", "tag")


def test_another_clone_gets_the_model_of_a_stage(released, tmp_path):
    promote("v1.0.0")
    elsewhere = tmp_path / "elsewhere"
    released.run("git", "clone", "--quiet", ".", str(elsewhere))
    other = Repository(elsewhere)
    other.run("dvc", "artifacts", "get", ".", "sms-spam", "--stage", "prod", "--out", "got.skops")
    content = (elsewhere / "got.skops").read_bytes()
    lock = released.run("git", "show", "sms-spam@v1.0.0:dvc.lock")
    assert f"md5: {hashlib.md5(content).hexdigest()}\n" in lock
    assert f"md5: {hashlib.md5(content).hexdigest()}\n" not in released.read_lock()


def test_a_worse_model_is_refused_with_the_reason(released, caplog):
    promote("v1.0.0")
    with pytest.raises(
        ValueError, match=r"v2\.0\.0 is not promoted: mcc is .* worse than"
    ) as caught:
        promote("v2.0.0")
    assert "robustness.worst is " in str(caught.value)
    assert "recall is 1 worse than that of v1.0.0 in prod (0, 1), the tolerance is" in str(
        caught.value
    )
    assert "was trained on" not in caplog.text
    assert "sms-spam#prod#2" not in released.run("git", "tag")


def test_a_release_without_robustness_is_compared_by_the_other_guards(released, caplog):
    promote("v1.0.0")
    (released.path / "reports" / "robustness.json").unlink()
    released.commit()
    released.run("git", "tag", "--force", "sms-spam@v2.0.0")
    with pytest.raises(ValueError, match="is not promoted: mcc is ") as caught:
        promote("v2.0.0")
    assert "robustness" not in str(caught.value)
    assert "sms-spam@v2.0.0 has no reports/robustness.json" in caplog.text


def test_a_forced_promotion_is_recorded(released, monkeypatch):
    monkeypatch.setattr(registry, "find_objections", lambda *_: ["mcc is 0.9 worse"])
    promote("v1.0.0")
    promote("v2.0.0", "--force")
    message = released.run("git", "tag", "--list", "--format=%(contents)", "sms-spam#prod#2")
    assert message.startswith("Promote v2.0.0 to prod, forced although mcc is 0.9 worse")


def test_a_better_model_is_promoted_and_messages_that_the_other_knew_are_noticed(
    released, monkeypatch, caplog
):
    promote("v2.0.0")
    monkeypatch.setattr(registry, "TEST_SET", registry.TRAINING_SET)
    promote("v1.0.0")
    assert "sms-spam#prod#2" in released.run("git", "tag")
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


def test_before_the_first_release_there_is_nothing_to_promote(released):
    released.run("git", "tag", "--delete", "sms-spam@v1.0.0", "sms-spam@v2.0.0")
    with pytest.raises(ValueError, match=r"no version v1\.0\.0 of sms-spam, none was released yet"):
        promote("v1.0.0")


def test_a_version_that_was_deregistered_is_not_named(released):
    released.run("gto", "deprecate", "sms-spam", "v1.0.0")
    with pytest.raises(ValueError, match=r"only v2\.0\.0: "):
        promote("v1.0.0")


@pytest.fixture(scope="session")
def two_models(shared, tmp_path_factory):
    """Return a repository with the models of messages and of flowers, the second on a branch."""

    def make(folder):
        repository = copy_repository(shared, folder)
        repository.run("git", "checkout", "--quiet", "-b", "flowers")
        shutil.copyfile(ROOT / "examples" / "iris" / "params.yaml", repository.path / "params.yaml")
        repository.set_data(make_flowers().encode())
        repository.set_params({"model_evaluation.bootstrap_samples": 100})
        repository.run("dvc", "repro")
        repository.commit()
        repository.run("python", "src", "registry", "release", "1.0.0")
        repository.set_params({"model_building.estimator": "dummy"})
        repository.set_params({"model_building.candidates": []})
        repository.run("dvc", "repro")
        repository.commit()
        repository.run("python", "src", "registry", "release", "2.0.0")

    return make_own(tmp_path_factory, "two_models", make)


def make_flowers() -> str:
    """Return a made-up table with the columns of the example iris, and three labels."""
    rng = random.Random(0)
    lines = ["Id,SepalLengthCm,SepalWidthCm,PetalLengthCm,PetalWidthCm,Species"]
    for number in range(150):
        place = number % 3
        sizes = [f"{rng.gauss(2 + place, 0.3):.2f}" for _ in range(4)]
        species = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")[place]
        lines.append(",".join([str(number), *sizes, species]))
    return "\n".join([*lines, ""])


def test_two_models_are_released_and_promoted_side_by_side(two_models, tmp_path, monkeypatch):
    repository = work_in_clone(two_models, tmp_path / "clone", monkeypatch)
    promote("v1.0.0")
    with pytest.raises(UserError, match=r"v2\.0\.0 is not promoted: mcc is .* worse than"):
        promote("v2.0.0")
    repository.run("git", "checkout", "--quiet", "main")
    promote("v1.0.0")
    tags = set(repository.run("git", "tag").split())
    assert {"iris@v1.0.0", "iris@v2.0.0", "sms-spam@v1.0.0", "sms-spam@v2.0.0"} <= tags
    assert {"iris#prod#1", "sms-spam#prod#1"} <= tags
    for name in ("iris", "sms-spam"):
        repository.run("dvc", "artifacts", "get", ".", name, "--stage", "prod", "--out", name)
        digest = hashlib.md5((repository.path / name).read_bytes()).hexdigest()
        assert f"md5: {digest}\n" in repository.run("git", "show", f"{name}@v1.0.0:dvc.lock")
