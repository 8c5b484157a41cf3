"""A service on a small model, which tests leave as it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_service import RunningService, make_folder, run_service


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small model and what the pipeline tells of it; leave it as it is."""
    return make_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def service(model_folder: Path) -> Iterator[RunningService]:
    """Return a service that runs on the small model; leave it as it is."""
    with run_service(model_folder) as running:
        yield running
