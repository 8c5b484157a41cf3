"""Tests of serving a package with BentoML."""

import json
import os
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import find_free_port
from tests.support.packages import build_package, clean_environment, make_environment
from tests.support.running_service import PATIENCE, make_folder, wait_for

FOLDER = Path(__file__).parents[2] / "integrations" / "bentoml"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """Run the service with the package of a small model of messages; return its address."""
    made, dist = make_folder(tmp_path_factory.mktemp("made")), tmp_path_factory.mktemp("dist")
    port = find_free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_environment(
            folder / "env", FOLDER / "requirements.txt", [build_package(made, dist)]
        )
        log = folder / "log"
        address_options = ["--host", "127.0.0.1", "--port", str(port)]
        with log.open("w") as file:
            process = subprocess.Popen(
                [python, "-m", "bentoml", "serve", "bentoml_service:Model", *address_options],
                cwd=FOLDER,
                env=clean_environment(
                    MODEL_PACKAGE="small",
                    BENTOML_DO_NOT_TRACK="True",
                    BENTOML_HOME=str(folder / "bentoml"),
                    PYTHONPYCACHEPREFIX=str(folder / "compiled"),
                ),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        address = f"http://127.0.0.1:{port}"
        try:

            def is_ready() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    with urllib.request.urlopen(f"{address}/readyz", timeout=PATIENCE):
                        return True
                except OSError:
                    return False

            wait_for(is_ready, log.read_text)
            yield address
        finally:
            # Its processes may outlive the one that was started.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=PATIENCE)


def post(url: str, rows: list) -> object:
    """Return the service's answer for rows."""
    request = urllib.request.Request(
        f"{url}/predict",
        json.dumps({"rows": rows}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


def test_answers_for_messages_and_rows(url):
    first, second, third = post(url, ["see you at home", "WIN cash now", {"text": "WIN cash now"}])
    assert set(first) == {"label", "probability", "model_version"}
    assert (first["label"], second["label"]) == ("ham", "spam")
    assert second == third


def test_names_the_row_and_the_column_at_fault(url):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(url, ["see you at home", {"date": 1}])
    assert caught.value.code == 400
    assert "row 1, column 'date'" in caught.value.read().decode()
    caught.value.close()
