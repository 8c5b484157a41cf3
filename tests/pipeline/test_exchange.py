"""Tests that an experiment can be handed from one clone to another."""

import json

import pytest

from tests.pipeline.conftest import Repository

PREDICT = """
import json, sys
from pathlib import Path
sys.path.insert(0, "src")
from models.store import load_model
model = load_model(Path("models/model.skops"))
print(json.dumps(model.predict(sys.argv[1:]).tolist()))
"""


@pytest.fixture
def clones(finished, s3_server, tmp_path):
    """Return two clones of a bare repository, whose remote is a bucket; the first has the data."""
    bare = tmp_path / "shared.git"
    finished.run("git", "clone", "--quiet", "--bare", ".", str(bare))
    repositories = []
    for name in ("here", "there"):
        finished.run("git", "clone", "--quiet", str(bare), str(tmp_path / name))
        repository = Repository(tmp_path / name, s3_server)
        url = "s3://messages/exchange"
        repository.run("dvc", "remote", "modify", "--local", "storage", "url", url)
        repositories.append(repository)
    finished.run("cp", "-r", ".dvc/cache", str(tmp_path / "here" / ".dvc" / "cache"))
    repositories[0].run("dvc", "checkout")
    return repositories


def test_another_clone_gets_an_experiment_and_predicts_with_its_model(clones):
    here, there = clones
    here.run("dvc", "exp", "run", "--temp", "--name", "gift", "-S", "model_building.params.C=3")
    assert here.run("git", "status", "--porcelain") == ""
    here.run("dvc", "exp", "push", "origin", "gift")

    assert "gift" in there.run("dvc", "exp", "list", "origin", "--all-commits")
    there.run("dvc", "exp", "pull", "origin", "gift")
    there.run("dvc", "exp", "apply", "gift")
    assert "C: 3\n" in (there.path / "params.yaml").read_text()
    assert "up to date" in there.run("dvc", "status")
    messages = ["WIN a prize now, txt CLAIM to 80062", "ok then we meet tomorrow my friend"]
    assert json.loads(there.run("python", "-c", PREDICT, *messages)) == ["spam", "ham"]
    here.run("dvc", "exp", "apply", "gift")
    model = "models/model.skops"
    assert (there.path / model).read_bytes() == (here.path / model).read_bytes()
