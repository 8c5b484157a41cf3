"""Tests of packaging a model. They import the package as it is, without installing it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from commands import package
from core.errors import UserError
from models.self_test import add_self_test
from models.store import save_model
from models.threshold import name_points, write_points
from tests.support.packages import build_package
from tests.support.running_service import PATIENCE, make_folder
from tests.support.small_model import fit_model, read_version

NAME = "small"
TEXTS = ["see you at home", "WIN a prize: £500 cash"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a folder such as the pipeline leaves."""
    return make_folder(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def wheel(made, tmp_path_factory) -> Path:
    """Return the package of the model in the folder."""
    return build_package(made, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """Return a folder with the package as pip would install it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_python(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed, in another folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def predict(site: Path, folder: Path, code: str) -> object:
    """Return what code prints as JSON that uses the package's ``predict``."""
    run = run_python(site, folder, "-c", f"import json\nfrom {NAME} import predict\n{code}")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_holds_the_model_its_results_and_the_code_that_it_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {name.removeprefix(f"{NAME}/") for name in names if name.startswith(f"{NAME}/")}
    assert {name for name in ours if name.startswith("files/")} == {
        "files/dvc.lock",
        "files/models/model.points.json",
        "files/models/model.skops",
        "files/params.yaml",
        "files/reports/intervals.json",
        "files/reports/metrics.json",
        "files/reports/plots/images/confusion_matrix.png",
        "files/reports/plots/images/roc.png",
        "files/reports/robustness.json",
    }
    assert {"__init__.py", "__main__.py", "text/tokens.py", "service/static/index.html"} <= ours
    # What stages and other commands need alone.
    assert not {name.split("/")[0] for name in ours} & {"evaluation", "storage"}
    assert {name for name in ours if name.startswith("commands/")} == {
        "commands/__init__.py",
        "commands/predict.py",
        "commands/serve.py",
    }


def test_holds_the_parameters_that_it_needs_and_no_paths_of_the_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        params = archive.read(f"{NAME}/files/params.yaml").decode()
        lock = archive.read(f"{NAME}/files/dvc.lock").decode()
    assert params == "model_evaluation:\n  interval_coverage: 0.9\n  threshold: 0.5\n"
    assert "src/" not in lock


def test_the_same_model_gives_the_same_bytes(wheel, made, tmp_path):
    again = build_package(made, tmp_path)
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()
    assert (tmp_path / "requirements.txt").read_bytes() == (
        wheel.with_name("requirements.txt").read_bytes()
    )


def test_names_its_requirements_and_shows_how_it_is_used(wheel, made):
    version = f"0+{read_version(made / 'models/model.skops')}"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{NAME}-{version}.dist-info/METADATA").decode()
    headers, _, readme = metadata.partition("\n\n")
    lines = wheel.with_name("requirements.txt").read_text().splitlines()
    pins = [line.removesuffix(" \\") for line in lines if not line.startswith(" ")]
    assert any(pin.startswith("scikit-learn==") for pin in pins)
    listed = [line for line in headers.splitlines() if line.startswith("Requires-Dist: ")]
    assert listed == [f"Requires-Dist: {pin}" for pin in pins]
    assert f"Version: {version}\nSummary: Classifies small messages\n" in headers
    assert f"from {NAME} import predict\n\npredict(['See you at home'])\n# [{{'label': " in readme


def test_every_requirement_has_a_hash(wheel):
    text = wheel.with_name("requirements.txt").read_text()
    blocks = text.replace(" \\\n    --hash", " --hash").splitlines()
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("lightgbm.sklearn", {"lightgbm"}),
        ("xgboost.core", {"xgboost", "xgboost-cpu"}),
        ("a.lightgbm.b", set()),
    ],
)
def test_requires_the_packages_of_the_models_types(module, expected):
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", json.dumps({"content": {"__module__": module}}))
    usual = package.read_pins(package.REQUIREMENTS)
    assert set(package.list_pins(content.getvalue())) - set(usual) == expected


@pytest.mark.slow
def test_predicts_what_the_command_predicts(site, made, tmp_path):
    found = predict(site, tmp_path, f"print(json.dumps(predict({TEXTS!r})))")
    source = tmp_path / "messages.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    output = tmp_path / "scored.jsonl"
    command = ["predict", "--input", str(source), "--output", str(output)]
    run = subprocess.run(
        [sys.executable, str(package.SOURCE), *command],
        cwd=made,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    expected = [json.loads(line) for line in output.read_text().splitlines()]
    assert [{"text": text, **each} for text, each in zip(TEXTS, found, strict=True)] == expected
    output.unlink()
    run = run_python(site, tmp_path, "-m", NAME, *command)
    assert run.returncode == 0, run.stderr
    assert [json.loads(line) for line in output.read_text().splitlines()] == expected


def test_takes_rows_as_well_as_messages(site, tmp_path):
    rows = [{"text": text} for text in TEXTS]
    code = f"print(json.dumps(predict({rows!r}) == predict({TEXTS!r})))"
    assert predict(site, tmp_path, code) is True


def test_wrong_input_names_row_and_column(site, tmp_path):
    code = """
problems = []
for rows in ("a text", ["a", 1], ["a", " "], [{"text": "a", "date": 1}], [{}], {"text": "a"}):
    try:
        predict(rows)
    except ValueError as error:
        problems.append(str(error))
print(json.dumps([problems, predict([{"text": "a", "date": 1}], "ignore") == predict(["a"])]))
"""
    assert predict(site, tmp_path, code) == [
        [
            "rows is a str: give a list, of one row as well",
            "row 1: it is a int, not values by column",
            "row 1: empty text",
            "row 0, column 'date': the model does not use this column",
            "row 0, column 'text': missing text",
            "rows is a dict: give a list, of one row as well",
        ],
        True,
    ]


def test_leaves_the_program_that_imports_it_as_it_is(site, tmp_path):
    code = """
import logging, os, signal, sys
def look():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return sys.path[:], handlers, logging.root.handlers[:], logging.root.level, dict(os.environ)
before = look()
predict(["a"])
import nltk.classify.scikitlearn, skops.io, sklearn.linear_model
model = sklearn.linear_model.LogisticRegression().fit([[0], [1]], [0, 1])
skops.io.loads(skops.io.dumps(model))
print(json.dumps([before == look(), hasattr(nltk.classify.scikitlearn, "LabelEncoder")]))
"""
    assert predict(site, tmp_path, code) == [True, True]


def test_a_programs_own_packages_have_any_name(site, tmp_path):
    for name in ("core", "features", "models", "service", "text"):
        (tmp_path / f"{name}.py").write_text("is_mine = True\n")
    code = "import core, features, models, text\nprint(json.dumps([*map(len, [predict(['a'])])]))"
    assert predict(site, tmp_path, code) == [1]


@pytest.mark.slow
def test_two_packages_work_side_by_side(site, tmp_path):
    """Each has the code that its model was built with."""
    other = tmp_path / "site" / "other"
    shutil.copytree(site / NAME, other)
    for path in other.rglob("*.py"):
        path.write_text(path.read_text().replace(f" {NAME}.", " other."))
    (other / "models" / "probability.py").write_text("raise ImportError('other code')\n")
    code = f"""
import sys
sys.path.append({str(other.parent)!r})
first = predict(["a"])
import other
try:
    other.predict(["a"])
except ImportError as error:
    print(json.dumps([str(error), predict(["a"]) == first]))
"""
    assert predict(site, tmp_path, code) == ["other code", True]


@pytest.mark.slow
def test_threads_share_one_model(site, tmp_path):
    code = f"""
from concurrent.futures import ThreadPoolExecutor
texts = {TEXTS!r} * 20
with ThreadPoolExecutor(8) as pool:
    found = [each for answers in pool.map(predict, [[text] for text in texts]) for each in answers]
print(json.dumps(found == predict(texts)))
"""
    assert predict(site, tmp_path, code) is True


@pytest.mark.parametrize("arguments", [[], ["train"]])
def test_names_its_commands(site, tmp_path, arguments):
    run = run_python(site, tmp_path, "-m", NAME, *arguments)
    assert run.returncode == 1
    assert run.stderr.startswith(f"usage: python -m {NAME} COMMAND ..., COMMAND is predict or ser")


def test_writes_nothing_where_it_is_installed(site, tmp_path):
    def look() -> set[Path]:
        return {path for path in site.parent.rglob("*") if "__pycache__" not in path.parts}

    before = look()
    run = run_python(site, tmp_path, "-m", NAME, "predict", TEXTS[0])
    assert run.stdout.startswith("label        ham\n"), run.stderr
    assert look() == before


def test_replaces_the_last_package(made, tmp_path):
    (tmp_path / "small-1.0-py3-none-any.whl").write_bytes(b"old")
    assert build_package(made, tmp_path).stat().st_size > 1000


def test_results_of_another_model_are_left_out(made, tmp_path, caplog):
    folder = tmp_path / "changed"
    shutil.copytree(made, folder)
    (folder / "reports" / "metrics.json").write_text("{}")
    names = zipfile.ZipFile(build_package(folder, tmp_path / "dist")).namelist()
    assert not [name for name in names if "/reports/metrics" in name or "/plots/" in name]
    assert "the metrics in" in caplog.text


def test_a_model_that_dvc_lock_does_not_know_is_refused(made, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(made, folder)
    model = folder / "models" / "model.skops"
    save_model(fit_model(statistics=False), model)
    with pytest.raises(UserError, match="holds the operating points of model"):
        build_package(folder, tmp_path / "dist")
    write_points([], model, name_points(model))
    with pytest.raises(UserError, match=r"is not the model of .*dvc\.lock: run 'dvc repro' or"):
        build_package(folder, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_model_of_other_code_is_refused(made, tmp_path, monkeypatch):
    folder = tmp_path / "changed"
    shutil.copytree(made, folder)
    save_model(add_self_test(fit_model()), folder / "models" / "model.skops")
    monkeypatch.setattr("models.self_test.PROBES", ["another"])
    with pytest.raises(UserError, match=r"model\.skops was built with other code"):
        build_package(folder, tmp_path / "dist")


@pytest.mark.parametrize("name", ["json", "numpy", "scikit-learn", "dateutil", "class"])
def test_a_name_that_python_or_a_requirement_uses_is_refused(name):
    with pytest.raises(
        UserError, match=f"^model.name is {name}, a name that .* uses: choose another"
    ):
        package.name_module(name)


def test_a_release_gives_its_version_while_nothing_has_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@example.org")

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], check=True, capture_output=True)

    sha256 = "0123456789abcdef" * 4
    git("init")
    assert package.find_version("sms-spam", sha256) == "0+0123456789ab"
    Path("dvc.lock").write_text("a")
    git("add", ".")
    git("commit", "--message=First")
    assert package.find_version("sms-spam", sha256) == "0+0123456789ab"
    for tag in ("sms-spam@v1.9.0", "sms-spam@v1.10.0", "other@v3.0.0", "sms-spam#prod#1"):
        git("tag", "--annotate", "--message=Tag", tag)
    assert package.find_version("sms-spam", sha256) == "1.10.0"
    assert package.find_version("other", sha256) == "3.0.0"
    Path("dvc.lock").write_text("b")
    assert package.find_version("sms-spam", sha256) == "0+0123456789ab"
