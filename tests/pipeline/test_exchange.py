"""Tests that an experiment can be handed from one clone to another."""

import json

import pytest

from tests.pipeline.conftest import EXPERIMENT, Repository, copy_repository

PREDICT = """
import json, sys
from pathlib import Path
sys.path.insert(0, "src")
from models.store import load_model
model = load_model(Path("models/model.skops"))
print(json.dumps(model.predict(sys.argv[1:]).tolist()))
"""


@pytest.fixture
def clones(swept, s3_server, tmp_path):
    """Return two repositories that share an origin and a bucket; the first has experiments."""
    here = copy_repository(swept[0], tmp_path)
    bare, other = str(tmp_path / "shared.git"), tmp_path / "other"
    here.run("git", "clone", "--quiet", "--bare", ".", bare)
    here.run("git", "remote", "add", "origin", bare)
    here.run("git", "clone", "--quiet", bare, str(other))
    there = Repository(other)
    for repository in (here, there):
        repository.environment |= s3_server
        url = "s3://messages/exchange"
        repository.run("dvc", "remote", "modify", "--local", "storage", "url", url)
    return here, there


def test_another_clone_gets_an_experiment_and_predicts_with_its_model(clones):
    here, there = clones
    here.run("dvc", "exp", "push", "origin", EXPERIMENT)

    assert EXPERIMENT in there.run("dvc", "exp", "list", "origin", "--all-commits")
    there.run("dvc", "exp", "pull", "origin", EXPERIMENT)
    there.run("dvc", "exp", "apply", EXPERIMENT)
    assert "C: 1\n" in (there.path / "params.yaml").read_text()
    assert "up to date" in there.run("dvc", "status")
    messages = ["WIN a prize now, txt CLAIM to 80062", "ok then we meet tomorrow my friend"]
    assert json.loads(there.run("python", "-c", PREDICT, *messages)) == ["spam", "ham"]
    here.run("dvc", "exp", "apply", EXPERIMENT)
    model = "models/model.skops"
    assert (there.path / model).read_bytes() == (here.path / model).read_bytes()
