"""Tests that DVC fetches a source that may change only when asked to."""

import hashlib
import json

import pytest


@pytest.mark.slow
def test_a_source_that_may_change_is_fetched_again_only_when_asked(new_checkout):
    repository = new_checkout("repository")
    raw = repository.path / "data" / "raw"
    repository.set_data(b"ham\tfirst\n")
    repository.set_params({"data_ingestion.sha256": None})
    repository.run("dvc", "repro", "data_ingestion")
    (repository.path / "source.tsv").write_bytes(b"ham\tsecond\n")
    assert "Running" not in repository.run("dvc", "repro", "data_ingestion")
    assert (raw / "source").read_bytes() == b"ham\tfirst\n"
    repository.run("dvc", "repro", "-f", "data_ingestion")
    assert (raw / "source").read_bytes() == b"ham\tsecond\n"
    origin = json.loads((raw / "source.json").read_text())
    assert origin["sha256"] == hashlib.sha256(b"ham\tsecond\n").hexdigest()
    assert not origin["pinned"]


@pytest.mark.slow
def test_a_pinned_source_has_the_same_bytes_in_every_clone(new_checkout):
    locks = []
    for name in ("one", "two"):
        repository = new_checkout(name)
        repository.set_data(b"ham\tfirst\n")
        # The second clone gets the same bytes from another place.
        (repository.path / "source.tsv").rename(repository.path / f"{name}.tsv")
        repository.set_params({"data_ingestion.sources": ["one.tsv", "two.tsv"]})
        repository.run("dvc", "repro", "data_ingestion")
        locks.append(repository.read_lock())
    assert locks[0] == locks[1]
