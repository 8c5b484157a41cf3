"""Tests that a service which is stopped under load loses no request."""

import http.client
import json
import signal
import sys
import threading

import pytest

from tests.support.running_service import PATIENCE, run_service

pytestmark = pytest.mark.slow

TEXT = "WIN cash now, claim your free PRIZE"
HEADERS = {"Content-Type": "application/json"}
# Of each kind.
CLIENTS = 8
BEFORE = 200


class Load:
    """Clients that ask until the service refuses connections, and what became of each request."""

    def __init__(self, port: int, *, keeps_connections: bool) -> None:
        self.port = port
        self.keeps_connections = keeps_connections
        self.answers: list[int] = []
        self.lost: list[str] = []
        self.is_running = threading.Event()
        self.threads = [threading.Thread(target=self.ask_until_refused) for _ in range(CLIENTS)]

    def ask_until_refused(self) -> None:
        """Ask again and again, on one connection or on one for each request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while True:
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionRefusedError:
                return
            try:
                connection.request("POST", "/v1/predict", json.dumps({"text": TEXT}), HEADERS)
                with connection.getresponse() as answer:
                    answer.read()
                    self.answers.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
            if not self.keeps_connections:
                connection.close()
            if len(self.answers) >= BEFORE:
                self.is_running.set()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can let a queue run dry")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_that_is_stopped_answers_what_was_asked(model_folder, workers):
    with run_service(model_folder, "--workers", workers) as service:
        loads = [Load(service.port, keeps_connections=keeps) for keeps in (False, True)]
        threads = [thread for load in loads for thread in load.threads]
        for thread in threads:
            thread.start()
        assert all(load.is_running.wait(PATIENCE) for load in loads)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE) == 0
        for thread in threads:
            thread.join(PATIENCE)
        assert "Traceback" not in service.read_log()
    for load in loads:
        assert load.lost == []
        assert set(load.answers) == {200}


def test_long_work_that_waits_is_done_or_refused_when_the_service_is_stopped(model_folder):
    # Odd words that no cache has: as much work as requests can be.
    texts = [[" ".join(f"{i}-{j}{n}" for j in range(1200)) for i in range(10)] for n in range(4)]
    ends = []
    all_asked = threading.Barrier(len(texts) + 1)

    def ask(own):
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        connection.request("POST", "/v1/predict", json.dumps({"texts": own}), HEADERS)
        all_asked.wait(PATIENCE)
        with connection.getresponse() as answer:
            ends.append(answer.status)
            assert json.load(answer)

    with run_service(model_folder) as service:
        threads = [threading.Thread(target=ask, args=[own]) for own in texts]
        for thread in threads:
            thread.start()
        all_asked.wait(PATIENCE)
        service.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(PATIENCE)
        assert service.process.wait(PATIENCE) == 0
        assert "Traceback" not in service.read_log()
    assert len(ends) == 4
    assert set(ends) <= {200, 503}
