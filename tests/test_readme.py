"""Tests that README tells what is committed."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from commands import summary
from core.params import read_params
from data_ingestion import IngestionParams
from records.raw import ValidationParams

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_its_tables_are_up_to_date(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    reports = ROOT / "reports"
    files = [f"--{name}={reports / name}.json" for name in ("metrics", "intervals")]
    files += [f"--pipeline={ROOT / 'dvc.yaml'}", f"--readme={tmp_path / 'README.md'}"]
    summary.main([*files, "--report=reports/report.html"])
    assert (tmp_path / "README.md").read_text() == README, "run make readme"


def test_every_make_target_it_names_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z0-9-]+)[` \n]", README)) - {"are", "finds"}
    assert {"repro", "test"} <= named <= targets


def test_every_path_it_names_exists():
    named = set(re.findall(r"`((?:src|benchmarks|tests)/[\w/.]*)`", README))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_its_example_of_other_data_is_valid(tmp_path):
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1])
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    example["data_ingestion"]["sha256"] = "0" * 64
    for section, values in example.items():
        params[section].update(values)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    read_params(tmp_path / "params.yaml", "data_ingestion", IngestionParams)
    section = read_params(tmp_path / "params.yaml", "data_validation", ValidationParams)
    assert section.labels.positive == "complaint"


@pytest.mark.parametrize("name", ["f1", "mcc", "spam_caught", "ham_blocked"])
def test_its_results_are_the_committed_metrics(name):
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text())["test"]
    assert f"| {name.replace('_', ' ')} " in README
    assert f" {metrics[name]:.4f} " in README


def test_the_default_is_what_the_study_justifies():
    summary = pd.read_csv(ROOT / "reports" / "study.csv").set_index("configuration")
    assert f"compares {len(summary)} configurations" in README
    close = summary[summary["behind"] <= 0.002]
    assert "params.yaml" in close.index
    assert close["seconds"].min() >= 0.9 * close.loc["params.yaml", "seconds"]
