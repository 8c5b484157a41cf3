"""Tests that dvc.yaml tells the truth about the stages."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from core import paths
from core.local_imports import find_imports
from core.params import Params
from tests.pipeline.conftest import Repository

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# Keys of the schema that a stage reads with the others, and that do not change its result.
IGNORED = {"feature_engineering": {"labels", "positive", "id", "drop"}}
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_code_that_a_stage_imports(stage):
    declared = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    needed = {str(path.relative_to(ROOT)) for path in find_imports(SOURCE / f"{stage}.py")}
    assert declared == needed


def test_the_report_depends_on_its_template():
    assert "src/evaluation/report.html" in STAGES["model_evaluation"]["deps"]


def find_paths(entries):
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_names_every_file_the_stage_reads_and_writes(stage):
    cmd = STAGES[stage]["cmd"].split()
    data = {dep for dep in STAGES[stage]["deps"] if not dep.startswith("src/")}
    outs = find_paths(STAGES[stage].get("outs", []) + STAGES[stage].get("metrics", []))
    assert (
        set(cmd[2:]) - {"params.yaml"} - {word for word in cmd if word[:2] == "--"} == data | outs
    )
    assert cmd[:2] == ["python", f"src/{stage}.py"]


def find_params_read(stage):
    """Return section -> keys of the params that a stage's script reads."""
    module = importlib.import_module(stage)
    tree = ast.parse((SOURCE / f"{stage}.py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "read_params"
    ]
    models = {call.args[1].value: getattr(module, call.args[2].id) for call in calls}
    assert all(issubclass(model, Params) for model in models.values())
    return {section: set(model.model_fields) for section, model in models.items()}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_params_it_reads(stage):
    declared: dict[str, set[str]] = {}
    for entry in STAGES[stage]["params"]:
        section, _, key = entry.partition(".")
        keys = {key} if key else set(PARAMS[section])
        declared.setdefault(section, set()).update(keys)
    ignored = {f"schema.{key}" for key in IGNORED.get(stage, ())}
    read = {
        section: {key for key in keys if f"{section}.{key}" not in ignored}
        for section, keys in find_params_read(stage).items()
    }
    assert read == declared


def test_every_section_of_params_belongs_to_a_stage_or_to_promotion():
    assert set(PARAMS) == {*STAGES, "model", "promotion", "schema"}


def test_artifacts_are_outputs():
    outs = {out for stage in STAGES.values() for out in find_paths(stage.get("outs", []))}
    artifacts = Repo(ROOT).artifacts.read()["dvc.yaml"]
    assert {name: artifact.path for name, artifact in artifacts.items()} == {
        "sms-spam": paths.MODEL,
        "sms-spam-data": paths.RAW,
    }
    assert {artifact.path for artifact in artifacts.values()} <= outs
    model = artifacts["sms-spam"]
    assert (model.type, model.labels[0]) == ("model", "binary")
    assert model.desc == PARAMS["model"]["description"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_described(stage):
    assert re.fullmatch(r"[A-Z].{20,}[^.]", STAGES[stage]["desc"])


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_explains_itself(stage, capsys):
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(stage).main(["--help"])
    assert "--params" in capsys.readouterr().out


# What takes a tenth of a second or more to import, and which stages may import it when they start.
SLOW_IMPORTS = {
    "dvclive": {"model_evaluation"},
    "matplotlib": {"model_evaluation"},
    "nltk": set(),
    "pandas": set(STAGES) - {"data_ingestion"},
    "pandera": {"data_validation"},
    "scipy.stats._stats_py": set(),
    "sklearn": {"feature_engineering", "model_building", "robustness", "model_evaluation"},
    "sklearn.utils._testing": set(),  # it imports pytest
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_starts_without_slow_imports_that_it_does_not_need(stage):
    run = subprocess.run(
        [sys.executable, "-X", "importtime", f"src/{stage}.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "pathlib" in imported
    slow = {name for name in SLOW_IMPORTS if name in imported}
    assert slow <= {name for name, stages in SLOW_IMPORTS.items() if stage in stages}


def test_no_output_is_tracked_by_git_and_dvc_at_once():
    repository = Repository(ROOT)
    outs = {out for stage in STAGES.values() for out in find_paths(stage.get("outs", []))}
    ignored = repository.run("git", "check-ignore", *outs).split()
    assert set(ignored) == outs
    assert repository.run("git", "ls-files", *outs) == ""


def test_metrics_are_in_git_and_keep_the_run_cache():
    tracked = Repository(ROOT).run("git", "ls-files", "reports").split()
    assert {"reports/metrics.json", "reports/intervals.json"} <= set(tracked)
    outs = [out for stage in STAGES.values() for out in stage.get("outs", [])]
    assert not any(isinstance(out, dict) and "cache" in next(iter(out.values())) for out in outs)


def test_the_paths_that_commands_know_are_outputs():
    outputs = [out for stage in STAGES.values() for out in stage.get("outs", [])]
    outputs += [out for stage in STAGES.values() for out in stage.get("metrics", [])]
    names = {out if isinstance(out, str) else next(iter(out)) for out in outputs}
    known = {path for name, path in vars(paths).items() if name.isupper()}
    assert known
    assert known <= names
