"""Tests of packages that are installed where this repository is not."""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import find_free_port
from tests.support.built_table import make_source
from tests.support.packages import UV, build_package, clean_environment, make_environment
from tests.support.running_service import PATIENCE, make_folder, measure, wait_for

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
# The package of each model.
MODULES = {"messages": "small", "table": "goods"}
ROWS = {
    "messages": [{"text": text} for text in ("see you at home", "WIN a prize: £500 cash", "ok?")],
    "table": [
        {name: None if value == "?" else value for name, value in row.items()}
        for row in make_source("regression").drop(columns=["key", "target"])[:50].to_dict("records")
    ],
}


@pytest.fixture(scope="module")
def folders(built, tmp_path_factory) -> dict[str, Path]:
    """Return a folder such as the pipeline leaves for a model of messages and one of a table."""
    table = tmp_path_factory.mktemp("table")
    shutil.copytree(built("regression"), table, dirs_exist_ok=True)
    stages = {
        "model_building": {
            "deps": [measure(table / "data" / "interim" / "train.parquet")],
            "outs": [measure(table / "models" / "model.skops")],
        }
    }
    (table / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    return {"messages": make_folder(tmp_path_factory.mktemp("messages")), "table": table}


@pytest.fixture(scope="module")
def python(folders, tmp_path_factory) -> Iterator[Path]:
    """Return the Python of an environment with the packages of both models and nothing else."""
    dist = tmp_path_factory.mktemp("dist")
    wheels = [build_package(folder, dist / name) for name, folder in folders.items()]
    folder = Path(tempfile.mkdtemp())
    yield make_environment(folder / "env", dist / "messages" / "requirements.txt", wheels)
    shutil.rmtree(folder)


def ask(python: Path, folder: Path, code: str) -> object:
    """Return what code prints as JSON, run in a folder."""
    run = subprocess.run(
        [python, "-c", f"import json\n{code}"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_requirements_of_the_packages_are_all_installed(python):
    run = subprocess.run(
        [UV, "pip", "check", "--python", python], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", MODULES)
def test_predicts_what_the_command_in_the_repository_predicts(python, folders, tmp_path, name):
    source, output = tmp_path / "rows.jsonl", tmp_path / "scored.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]))
    command = ["predict", f"--input={source}", f"--output={output}"]
    program = [sys.executable, str(ROOT / "src"), *command]
    subprocess.run(program, cwd=folders[name], check=True, capture_output=True)
    expected = output.read_text()
    module = MODULES[name]
    found = ask(
        python,
        tmp_path,
        f"from {module} import predict\n"
        f"print(json.dumps(predict([json.loads(line) for line in open('rows.jsonl')])))",
    )
    scored = [json.loads(line) for line in expected.splitlines()]
    for answer in [*found, *scored]:
        # A text in files.
        assert not answer.pop("warnings", None)
    assert [row | each for row, each in zip(ROWS[name], found, strict=True)] == scored
    output.unlink()
    program = [python, "-m", module, *command]
    subprocess.run(program, cwd=tmp_path, env=clean_environment(), check=True, capture_output=True)
    assert output.read_text() == expected


@pytest.mark.parametrize("name", MODULES)
def test_the_service_answers_as_the_function_does(python, tmp_path, name):
    module, port = MODULES[name], find_free_port()
    # Numbers are numbers in JSON.
    rows = [
        row | {"price": float(row["price"].replace(",", "."))} if row.get("price") else row
        for row in ROWS[name][:3]
    ]
    answers = ask(
        python, tmp_path, f"from {module} import predict\nprint(json.dumps(predict({rows!r})))"
    )
    url = f"http://127.0.0.1:{port}"
    log = tmp_path / "service.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [python, "-m", module, "serve", f"--port={port}"],
            cwd=tmp_path,
            env=clean_environment(),
            stderr=file,
        )
    try:

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE):
                    return True
            except OSError:
                return False

        wait_for(is_ready, log.read_text)
        request = urllib.request.Request(
            f"{url}/v1/predict",
            json.dumps({"rows": rows}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            body = json.load(response)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
    version = {"model_version": body["model_version"]}
    assert [each | version for each in body["predictions"]] == answers
