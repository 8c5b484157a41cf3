"""Tests that the commands which README and the other documents show do what they say."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import find_free_port
from tests.pipeline.conftest import Repository
from tests.support.documents import DOCUMENTS, FENCE, read_consoles, split_sections

ROOT = Path(__file__).parents[2]


def read_blocks(document: str, section: str) -> list[str]:
    """Return the commands of each console block of a section, as scripts of bash."""
    return read_consoles(split_sections(document)[section])


@pytest.fixture
def checkout(repository: Repository, tmp_path: Path) -> Repository:
    """Return the finished repository with an environment and an origin."""
    (repository.path / ".venv").symlink_to(ROOT / ".venv")
    repository.run("git", "clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    repository.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    repository.run("git", "fetch", "--quiet")
    repository.run("git", "branch", "--quiet", "--set-upstream-to", "origin/main")
    return repository


def run(checkout: Repository, script: str) -> str:
    return checkout.run("bash", "-ec", script)


def test_experiments(checkout):
    blocks = read_blocks("README.md", "Experiments")
    blocks += read_blocks("docs/experiments.md", "One at a time")
    blocks += read_blocks("docs/experiments.md", "Many at once")
    outputs = [run(checkout, "git checkout --quiet .\ndvc checkout --quiet\n" + b) for b in blocks]
    assert "Running stage 'model_building'" in outputs[0]
    assert "Running stage 'preprocessing'" not in outputs[0]
    assert "cross-validated and fitted complement_nb" in outputs[1]
    assert outputs[2].count("{'C': ") == 3
    rows = [line for line in outputs[3].splitlines() if line.startswith("| ")]
    assert len([row for row in rows if "none" in row]) >= 2


def test_your_own_data(checkout):
    (start,) = read_blocks("README.md", "Your own data")
    start = start.replace("TARGET=price", "TARGET=price ARGS=--yes", 1)
    rows = [f"{i % 97},{'abc'[i % 3]},{(i % 97) * (1 + i % 3)}.5" for i in range(300)]
    (checkout.path / "sales.csv").write_text("\n".join(["size,shop,price", *rows, ""]))
    assert "| r2 " in run(checkout, start)
    (again,) = read_blocks("docs/your-data.md", "")
    assert again.split("\n")[0] in start.replace(" ARGS=--yes", "")
    (predict,) = read_blocks("docs/prediction.md", "Tables")
    assert "prediction" in run(checkout, predict)
    priced = (checkout.path / "priced.csv").read_text().splitlines()
    added = "prediction,lower,upper,changes,warnings,model_version"
    assert priced[0].replace("contributions", "changes") == f"size,shop,price,{added}"
    assert len(priced) == 301
    schema = yaml.safe_load((checkout.path / "params.yaml").read_text())["schema"]
    assert (schema["task"], schema["number"], schema["category"]) == (
        "regression",
        ["size"],
        ["shop"],
    )


def test_sharing_through_a_server_on_this_machine(checkout):
    (local,) = read_blocks("docs/sharing.md", "S3 on this machine")
    *commands, stop = local.splitlines()
    # The other clone has an environment, too.
    installed = f"cp --archive {checkout.path}/requirements*.txt . && ln -s {ROOT}/.venv ."
    script = "\n".join(commands).replace("cd ../other", f"cd ../other && {installed}")
    other = Repository(checkout.path.with_name("other"))
    try:
        output = run(checkout, script)
        assert "it is shared with another checkout" in output
        assert "up to date" in other.run("dvc", "status")
        assert other.run("git", "status", "--porcelain") == ""
        assert "ok   remote" in other.try_run("make", "doctor").stdout
    finally:
        run(other, stop)
    for clone in (checkout, other):
        assert clone.try_run("make", "push").returncode != 0


def test_sharing_through_a_bucket(checkout, s3_server):
    (bucket,) = read_blocks("docs/sharing.md", "S3 in the cloud")
    checkout.environment |= s3_server
    # The server of the tests has no versioning.
    output = run(checkout, bucket.replace("/dvc'", "/dvc --allow-missing'"))
    assert "versioning" in output
    checkout.run("dvc", "status", "--cloud")
    assert "my-team-messages" in (checkout.path / ".dvc" / "config.local").read_text()


def test_registry(checkout, tmp_path):
    (block,) = read_blocks("docs/sharing.md", "Model registry")
    try:
        run(checkout, block)
        got = (checkout.path / "prod.skops").read_bytes()
        assert got == (checkout.path / "models" / "model.skops").read_bytes()
        tags = checkout.run("git", "ls-remote", "--tags", str(tmp_path / "origin.git"))
        assert "refs/tags/sms-spam@v1.0.0" in tags
    finally:
        run(checkout, "make s3-stop")


def test_using_the_model(checkout):
    (block,) = read_blocks("docs/prediction.md", "")
    (checkout.path / "messages.csv").write_text('text\nsee you at home\n"txt CLAIM, win a prize"\n')
    output = run(checkout, block)
    assert "label        spam" in output
    assert output.count("text,label,probability,model_version") == 1
    scored = (checkout.path / "scored.csv").read_text().splitlines()
    assert len(scored) == 3
    assert '"txt CLAIM, win a prize",spam,' in scored[2]


def test_packaging(checkout):
    (block,) = read_blocks("docs/packaging.md", "")
    make, *install = block.splitlines(keepends=True)
    assert "dist/sms_spam-0+" in run(checkout, make)
    assert checkout.run("git", "status", "--porcelain") == ""
    # uv has the packages in its cache.
    script = "".join(install).replace("python3 -m", "uv").replace("pip install", "uv pip install")
    installed = checkout.try_run("bash", "-ec", script)
    if "Failed to fetch" in installed.stdout:
        pytest.skip(f"packages cannot be installed: {installed.stdout}")
    assert "label        spam" in installed.stdout


def test_monitoring(checkout):
    (block,) = read_blocks("docs/monitoring.md", "")
    rows = ["see you at home", "WIN a prize now"] * 60
    (checkout.path / "messages.csv").write_text("\n".join(["text", *rows, ""]))
    result = checkout.try_run("bash", "-ec", block)
    assert result.returncode == 3
    assert "**Drift in " in result.stdout
    assert (checkout.path / "reports/drift.html").is_file()
    assert checkout.run("git", "status", "--porcelain", "reports") == ""


@pytest.mark.skipif(not shutil.which("curl"), reason="the document asks with curl")
def test_serving(checkout):
    (start,) = read_blocks("docs/serving.md", "")
    send, review = read_blocks("docs/serving.md", "Learning from corrections")
    port = str(find_free_port())
    checkout.environment["FEEDBACK_URL"] = "sqlite:///data/feedback/feedback.db"
    command = f"{start.partition('#')[0].strip()} ARGS='--port {port}'"
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=checkout.path,
        env=checkout.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as service:
        try:
            for line in service.stderr:
                if "startup complete" in line:
                    break
            send = send.replace("8000", port)
            for sent in (send, send.replace("Win a friend for life", "claim your seat")):
                assert '"label":"ham"' in run(checkout, sent)
        finally:
            os.killpg(service.pid, signal.SIGINT)
            service.communicate(timeout=30)
    output = run(checkout, review)
    assert "claim your seat" in output
    digest = hashlib.sha256((checkout.path / "data/feedback/reviewed.tsv").read_bytes())
    assert digest.hexdigest() in output


def change_results(checkout: Repository, changes: dict[str, object]) -> None:
    checkout.set_params(changes)
    checkout.run("dvc", "repro")
    checkout.commit()


def test_merging_results(checkout):
    (block,) = read_blocks("docs/development.md", "Merging results")
    checkout.run("git", "checkout", "--quiet", "-b", "other")
    change_results(checkout, {"model_evaluation.threshold": 0.4})
    checkout.run("git", "checkout", "--quiet", "main")
    change_results(checkout, {"model_building.class_weight": None})
    assert "CONFLICT" in checkout.try_run("git", "merge", "other").stdout
    assert "<<<<<<<" in checkout.read_lock()
    run(checkout, block)
    assert checkout.run("git", "status", "--porcelain") == ""
    assert "up to date" in checkout.run("dvc", "status")
    assert checkout.run("git", "log", "--merges", "--oneline")
    lock = checkout.read_lock()
    assert "threshold: 0.4\n" in lock
    assert "class_weight: null\n" in lock or "class_weight:\n" in lock


def test_the_model_is_used_from_python(finished):
    (script,) = (
        code
        for kind, code in FENCE.findall(split_sections("models/README.md")["How to use it"])
        if kind == "python"
    )
    ham, spam = finished.run("python", "-c", script).strip("[]\n").split()
    assert float(ham) < 0.5 < float(spam)


def test_every_command_shown_is_run_by_a_test():
    shown = {
        (document, section): text
        for document in DOCUMENTS
        for section, text in split_sections(document).items()
        if read_consoles(text)
    }
    # Continuous integration runs the first block of README: see tests/test_readme.py.
    del shown["README.md", ""]
    tested = re.findall(r'read_blocks\("([^"]+)", "([^"]*)"\)', Path(__file__).read_text())
    assert set(tested) == set(shown)
