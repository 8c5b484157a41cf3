"""A repository that the tests of the whole pipeline may spoil."""

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from commands import sweep
from tests.support.made_once import make_once

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


# A sweep, and the name of one of its experiments.
METRICS = "--metrics=reports/metrics.json"
OVERRIDES = "model_building.params.C=1", "model_evaluation.threshold=0.4"
GRID = ["--set-param=model_building.params.C=1,100", f"--set-param={OVERRIDES[1]}"]
EXPERIMENT = sweep.name_experiment(OVERRIDES, b"")
# Where Git ignores it.
TABLE = "logs/table.md"


class Repository:
    """A Git and DVC repository in a temporary folder."""

    def __init__(self, path: Path, environment: dict[str, str] | None = None) -> None:
        self.path = path
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(path.parent / "site"),
            "XDG_STATE_HOME": str(path.parent / "state"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
            **(environment or {}),
        }

    def try_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the repository, whatever comes of it."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *command: str) -> str:
        """Run a command in the repository and return what it printed; it must succeed."""
        run = self.try_run(*command)
        assert run.returncode == 0, run.stdout
        return run.stdout

    def set_params(self, changes: dict[str, object]) -> None:
        """Change values of params.yaml."""
        path = self.path / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            section, name = key.split(".", 1)
            params[section][name] = value
        path.write_text(yaml.safe_dump(params))

    def set_data(self, raw: bytes) -> None:
        """Make ``raw`` the data that the pipeline starts from."""
        (self.path / "source.tsv").write_bytes(raw)
        digest = hashlib.sha256(raw).hexdigest()
        self.set_params({"data_ingestion.sources": ["source.tsv"], "data_ingestion.sha256": digest})

    def commit(self) -> None:
        """Commit everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "Test")

    def read_lock(self) -> str:
        """Return dvc.lock."""
        return (self.path / "dvc.lock").read_text()


def copy_checkout(target: Path) -> Repository:
    """Copy what Git tracks, or would, into a new repository, and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    repository = Repository(target)
    repository.run("git", "init", "--quiet", "--initial-branch", "main")
    repository.commit()
    return repository


def copy_repository(source: Repository, folder: Path) -> Repository:
    """Return a copy of a repository in ``folder``, its cache included."""
    shutil.copytree(source.path, folder / "repository", symlinks=True)
    return Repository(folder / "repository")


def make_own(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Repository:
    """Return a copy of the repository that ``make`` makes in a folder, once for all processes."""
    made = make_once(factory, name, make)
    return copy_repository(Repository(made / "repository"), factory.mktemp(name))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: str) -> Repository:
    """Return a repository that ran the whole pipeline on the made-up corpus; leave it as it is."""

    def make(folder: Path) -> None:
        repository = copy_checkout(folder / "repository")
        (repository.path / "dvc.lock").unlink(missing_ok=True)
        repository.set_data(corpus.encode())
        repository.set_params(
            {"data_validation.min_rows_per_label": 10, "model_evaluation.bootstrap_samples": 100}
        )
        repository.commit()
        repository.run("dvc", "repro")
        repository.commit()

    return make_own(tmp_path_factory, "finished", make)


@pytest.fixture(scope="session")
def worsened(tmp_path_factory: pytest.TempPathFactory, finished: Repository) -> Repository:
    """Return the finished repository with a commit of a bad model; leave it as it is."""

    def make(folder: Path) -> None:
        repository = copy_repository(finished, folder)
        repository.run("git", "branch", "good")
        repository.set_params({"model_building.params": {"C": 1e-9}})
        repository.set_params({"model_building.class_weight": None})
        repository.run("dvc", "repro")
        repository.commit()

    return make_own(tmp_path_factory, "worsened", make)


@contextlib.contextmanager
def work_in(repository: Repository) -> Iterator[None]:
    """Make the repository the working folder, with its environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in repository.environment.items():
            patch.setenv(name, value)
        patch.chdir(repository.path)
        yield


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory, finished: Repository) -> tuple[Repository, str]:
    """Return a repository in which a grid was swept, and the table that this printed."""

    def make(folder: Path) -> None:
        repository = copy_repository(finished, folder)
        output = io.StringIO()
        with work_in(repository), contextlib.redirect_stdout(output):
            sweep.main([METRICS, "--jobs=2", *GRID])
        (repository.path / TABLE).write_text(output.getvalue())

    repository = make_own(tmp_path_factory, "swept", make)
    return repository, (repository.path / TABLE).read_text()


@pytest.fixture
def repository(finished: Repository, tmp_path: Path) -> Repository:
    """Return a copy of the finished repository, its cache included."""
    return copy_repository(finished, tmp_path)


@pytest.fixture
def new_checkout(tmp_path: Path) -> Callable[[str], Repository]:
    """Return a function that copies the checkout, with the real corpus's parameters."""
    return lambda name: copy_checkout(tmp_path / name)
