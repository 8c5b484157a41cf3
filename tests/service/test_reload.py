"""Tests of replacing the model while the service runs and is asked all the time."""

import asyncio
import http.client
import json
import logging
import os
import pickle
import re
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models.store import save_model, sio
from models.threshold import OperatingPoint, write_points
from service import serving_model
from service.serving_model import ModelHolder, load_newest, read_signature
from tests.support.application import make_settings
from tests.support.running_service import PATIENCE, make_folder, run_service, wait_for
from tests.support.small_model import fit_model, read_version

SPAM = "WIN cash now, claim your free PRIZE"


@pytest.fixture(scope="module")
def reloading_service(tmp_path_factory):
    """Return a service whose model tests replace."""
    with run_service(make_folder(tmp_path_factory.mktemp("reloading"))) as running:
        yield running


@pytest.fixture
def model_file(reloading_service, model_folder):
    """Return the file of the model that the service serves, which is made good afterwards."""
    path = reloading_service.folder / "models" / "model.skops"
    yield path
    put(model_folder / "models" / "model.skops", path)
    wait_for_version(reloading_service, read_version(path))


def put(source, target):
    """Replace a file at once."""
    temporary = target.with_name("incoming.tmp")
    shutil.copyfile(source, temporary)
    temporary.replace(target)


def ask_version(service):
    """Return which model is served."""
    with httpx.Client(timeout=PATIENCE, verify=False) as client:
        return client.get(f"{service.url}/readyz").json()["model_version"]


def wait_for_version(service, version):
    """Wait until a model is served."""
    wait_for(lambda: ask_version(service) == version, service.read_log)


def wait_for_log(service, start, pattern):
    """Return the line that is logged beyond a place in the log and has a pattern."""
    return wait_for(
        lambda: re.search(f".*{pattern}.*\n", service.read_log()[start:]), service.read_log
    ).group()


@contextmanager
def load(service):
    """Ask all the time, on kept and on new connections; give the versions that answered.

    A request that is not answered rightly is a failure at the end.
    """
    versions, failures = [], []
    stop = threading.Event()

    def ask(is_kept):
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json"}
        if not is_kept:
            headers["Connection"] = "close"
        while not stop.is_set():
            try:
                connection.request("POST", "/v1/predict", json.dumps({"text": SPAM}), headers)
                with connection.getresponse() as answer:
                    found = json.load(answer)
                assert answer.status == 200, found
                assert found["predictions"][0]["label"] == "spam", found
                versions.append(found["model_version"])
                # All the time, but what replaces the model needs time as well.
                time.sleep(0.005)
            except Exception as error:  # noqa: BLE001  (whatever it is, the test fails)
                failures.append(repr(error))
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask, args=[is_kept]) for is_kept in (True, True, False)]
    for thread in threads:
        thread.start()
    try:
        yield versions
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def make_bad_model(fault, folder):
    """Make a file that cannot be served; return it, and what the log says of it."""
    path = folder / fault
    if fault == "garbage":
        path.write_bytes(os.urandom(10_000))
        return path, "damaged or no model"
    if fault == "empty":
        path.write_bytes(b"")
        return path, "damaged or no model"
    if fault == "pickle":
        path.write_bytes(pickle.dumps(Trap(folder / "sprung")))
        return path, "is a pickle, which can run any code"
    if fault == "half":
        save_model(fit_model(), path)
        path.write_bytes(path.read_bytes()[:5000])
        return path, "damaged or no model"
    if fault == "type":
        sio.dump({"text": "no estimator"}, path)
        return path, "holds a dict, no model"
    classifier = LogisticRegression().fit(np.eye(2), np.array(["ham", "spam"], object))
    model = Pipeline([("classifier", classifier)])
    if fault == "features":
        model.description_ = fit_model().description_
    save_model(model, path)
    if fault == "features":
        return path, "cannot predict for an example"
    return path, "does not say what it takes"


@pytest.mark.parametrize(
    "fault", ["garbage", "empty", "pickle", "half", "type", "description", "features"]
)
def test_a_model_that_cannot_be_served_is_not_taken(reloading_service, model_file, tmp_path, fault):
    served = read_version(model_file)
    bad, reason = make_bad_model(fault, tmp_path)
    start = len(reloading_service.read_log())
    with load(reloading_service) as versions:
        put(bad, model_file)
        line = wait_for_log(reloading_service, start, f"{served} is still served")
    assert set(versions) == {served}
    assert ask_version(reloading_service) == served
    assert reloading_service.read_log()[start:].count(" ERROR ") == 1
    assert re.search(f"serve ERROR .*({reason})", line)
    assert "models/model.skops" in line
    assert not (tmp_path / "sprung").exists()
    assert reloading_service.process.poll() is None


def test_the_trap_would_spring(tmp_path):
    bad, _ = make_bad_model("pickle", tmp_path)
    pickle.loads(bad.read_bytes())  # noqa: S301  (that is what must not happen elsewhere)
    assert (tmp_path / "sprung").exists()


def test_a_model_that_is_removed_is_served_until_there_is_another(
    reloading_service, model_file, tmp_path
):
    served = read_version(model_file)
    start = len(reloading_service.read_log())
    with load(reloading_service) as versions:
        model_file.unlink()
        reloading_service.process.send_signal(signal.SIGHUP)
        line = wait_for_log(reloading_service, start, f"{served} is still served")
        assert "models/model.skops does not exist: run 'dvc repro' to make it" in line
        assert set(versions) == {served}
        save_model(fit_model(LogisticRegression(C=10)), tmp_path / "new")
        put(tmp_path / "new", model_file)
        wait_for_version(reloading_service, read_version(model_file))


def test_a_new_model_is_taken_without_a_failed_request(reloading_service, model_file, tmp_path):
    served = [read_version(model_file)]
    start = len(reloading_service.read_log())
    with load(reloading_service) as versions:
        for number in range(3):
            save_model(fit_model(LogisticRegression(C=20 + number)), tmp_path / "new")
            put(tmp_path / "new", model_file)
            served.append(read_version(model_file))
            wait_for_version(reloading_service, served[-1])
            # A bad one between two good ones changes nothing.
            model_file.write_bytes(b"rubbish")
        wait_for_log(reloading_service, start, f"{served[-1]} is still served")
    assert len(set(served)) == 4
    # Each was served, one after the other.
    assert sorted(set(versions), key=versions.index) == served
    with httpx.Client(timeout=PATIENCE, verify=False) as client:
        card = client.get(f"{reloading_service.url}/v1/model").json()
        metrics = client.get(f"{reloading_service.url}/metrics").text
    assert card["version"] == served[-1]
    # dvc.lock is about another model.
    assert card["metrics"] is None
    assert re.search(r'model_reloads_total\{outcome="loaded"\} [1-9]', metrics)
    assert re.search(r'model_reloads_total\{outcome="failed"\} [1-9]', metrics)


def test_a_model_that_is_written_slowly_is_taken_when_it_is_whole(
    reloading_service, model_file, tmp_path
):
    save_model(fit_model(LogisticRegression(C=30)), tmp_path / "new")
    content = (tmp_path / "new").read_bytes()
    with load(reloading_service), model_file.open("wb", buffering=0) as file:
        for part in range(4):
            file.write(content[part * len(content) // 4 : (part + 1) * len(content) // 4])
            time.sleep(0.4)
        wait_for_version(reloading_service, read_version(tmp_path / "new"))


def test_files_are_tried_when_they_change_and_not_again(model_folder, tmp_path, monkeypatch):
    model = Path(shutil.copy(model_folder / "models/model.skops", tmp_path))
    outcomes, looks = [], []
    holder = ModelHolder(make_settings(model_folder, tmp_path, model=model), outcomes.append)

    def look(*args):
        looks.append(args)
        return read_signature(*args)

    async def change_files():
        watching = asyncio.create_task(holder.watch())
        for change in (lambda: model.write_bytes(b"garbage"), model.unlink):
            change()
            n_looks = len(looks)
            while len(looks) < n_looks + 10:
                await asyncio.sleep(0)
        watching.cancel()

    monkeypatch.setattr(serving_model, "POLL_SECONDS", 0)
    monkeypatch.setattr(serving_model, "read_signature", look)
    asyncio.run(change_files())
    assert outcomes == ["failed"]


def test_the_same_model_replaces_none(model_folder, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    settings = make_settings(model_folder, tmp_path)
    outcomes = []
    holder = ModelHolder(settings, outcomes.append)
    asyncio.run(holder.reload())
    assert outcomes == ["loaded"]
    assert "replaces" not in caplog.text
    assert f"model {read_version(settings.model)} is the same as before" in caplog.text


def test_the_parameters_are_taken_with_a_hangup_or_without(reloading_service, model_file):
    params = reloading_service.folder / "params.yaml"
    content = params.read_text()
    assert "  threshold: 0.5\n" in content
    start = len(reloading_service.read_log())
    params.write_text("{rubbish")
    wait_for_log(reloading_service, start, "is still served")
    try:
        start = len(reloading_service.read_log())
        params.write_text(content.replace("  threshold: 0.5\n", "  threshold: 0.25\n"))
        reloading_service.process.send_signal(signal.SIGHUP)
        wait_for_log(reloading_service, start, "is the same as before")
        with httpx.Client(timeout=PATIENCE, verify=False) as client:
            card = client.get(f"{reloading_service.url}/v1/model").json()
        assert card["threshold"] == 0.25
        assert card["version"] == read_version(model_file)
    finally:
        params.write_text(content)


def write_threshold(settings, threshold):
    point = OperatingPoint(threshold=threshold, recall=1, fpr=0)
    write_points([point], settings.model, settings.points)


def test_a_new_operating_point_is_taken_if_the_threshold_comes_from_it(model_folder, tmp_path):
    settings = make_settings(model_folder, tmp_path, max_fpr=0.1, points=tmp_path / "points.json")
    # As long as it is not there, as while `dvc repro` makes it, nothing is to be loaded.
    assert read_signature(settings) == ()
    write_threshold(settings, 0.5)
    before = read_signature(settings)
    write_threshold(settings, 0.25)
    assert read_signature(settings) != before
    unneeded = replace(settings, max_fpr=None)
    before = read_signature(unneeded)
    settings.points.unlink()
    assert read_signature(unneeded) == before


def test_a_new_model_never_gets_the_operating_points_of_the_one_before(model_folder, tmp_path):
    model = shutil.copy(model_folder / "models" / "model.skops", tmp_path)
    settings = make_settings(
        model_folder,
        tmp_path / "private",
        model=Path(model),
        points=tmp_path / "points.json",
        max_fpr=0.1,
    )
    write_threshold(settings, 0.5)
    assert load_newest(settings).decision == {"threshold": 0.5}
    save_model(fit_model(LogisticRegression(C=3)), settings.model)
    message = r"points\.json holds the operating points of \w+ \w{12}, but \S+/model\.skops is"
    with pytest.raises(ValueError, match=message):
        load_newest(settings)
    write_threshold(settings, 0.25)
    assert load_newest(settings).decision == {"threshold": 0.25}


def test_a_private_folder_that_another_user_took_is_logged_once(model_folder, tmp_path, caplog):
    settings = make_settings(model_folder, tmp_path / "private")
    holder = ModelHolder(settings, lambda _: None)
    shutil.rmtree(settings.folder)
    settings.folder.mkdir()
    settings.folder.chmod(0o777)
    for _ in range(2):
        holder.restore_folder()
    assert caplog.text.count("the private folder cannot be made again") == 1
    settings.folder.chmod(0o700)
    holder.restore_folder()
    assert (settings.folder / "last_good.skops").is_file()
