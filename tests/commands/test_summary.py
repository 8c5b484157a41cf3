"""Tests of the tables that the terminal and README show."""

import json
from pathlib import Path

import pytest
import yaml

from commands import summary

ROOT = Path(__file__).parents[2]


@pytest.fixture
def argv(tmp_path):
    cv = {"roc_auc": 0.75, "roc_auc_std": 0.01}
    metrics = {"cv": cv, "test": {"roc_auc": 0.5}, "train": {"roc_auc": 1.0}}
    intervals = {"test": {"roc_auc": {"low": 0.25, "high": 0.75}}}
    for name, content in (("metrics", metrics), ("intervals", intervals)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    files = [f"--{name}={tmp_path / name}.json" for name in ("metrics", "intervals")]
    return [*files, "--report=reports/report.html"]


def test_prints_metrics_and_where_the_report_is(argv, capsys):
    summary.main(argv)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| roc auc | 0.5000 | 0.2500 to 0.7500 | 1.0000   |"
    assert lines[4] == "Cross-validation on the training set: roc auc 0.7500 ± 0.0100."
    assert lines[-1] == "Report with plots and errors: reports/report.html"


PIPELINE = {
    "stages": {
        "fetch": {"desc": "Fetch it", "deps": ["src/a.py"], "outs": [{"data": {"desc": "raw"}}]},
        "count": {"desc": "Count it", "deps": ["data", "src/b.py"], "metrics": ["counts.json"]},
    }
}


def test_brings_a_readme_up_to_date(argv, tmp_path):
    readme, pipeline = tmp_path / "README.md", tmp_path / "dvc.yaml"
    blocks = (
        f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in ("results", "stages", "graph")
    )
    readme.write_text("\n".join(["before", *blocks, "after"]))
    pipeline.write_text(yaml.safe_dump(PIPELINE))
    summary.main([*argv, f"--pipeline={pipeline}", f"--readme={readme}"])
    text = readme.read_text()
    assert "old" not in text
    assert text.startswith("before")
    assert text.endswith("after")
    assert "| `count` | Count it     | `counts.json` |" in text
    assert "    fetch --> count\n" in text
    assert "| roc auc |" in text


def test_names_a_block_that_a_readme_lacks(argv, tmp_path):
    (tmp_path / "README.md").write_text("nothing here")
    pipeline = tmp_path / "dvc.yaml"
    pipeline.write_text(yaml.safe_dump(PIPELINE))
    with pytest.raises(ValueError, match="no place for 'results'"):
        summary.main([*argv, f"--pipeline={pipeline}", f"--readme={tmp_path / 'README.md'}"])


def test_reads_yaml_1_2_as_dvc_does(argv, tmp_path):
    readme, pipeline = tmp_path / "README.md", tmp_path / "dvc.yaml"
    blocks = (f"<!-- {name} -->\n<!-- /{name} -->\n" for name in ("results", "stages", "graph"))
    readme.write_text("\n".join(blocks))
    pipeline.write_text("stages: {fetch: {desc: Yes, deps: [], outs: [no]}}")
    summary.main([*argv, f"--pipeline={pipeline}", f"--readme={readme}"])
    assert "| `fetch` | Yes          | `no`          |" in readme.read_text()
