"""Tests of what the benchmarks measure with."""

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks import environment, load, peers, serve_peers

ROOT = Path(__file__).parents[1]


def ask(answer, connections, seconds):
    """Return what a load finds of a server that calls ``answer`` with each request's writer."""

    handlers = []

    async def serve(reader, writer):
        handlers.append(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"{}"):
                answer(writer)

    async def run():
        server = await asyncio.start_server(serve, load.HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            requests = load.make_requests("/predict", [{}])
            found = await load.load(requests, port, connections, seconds)
            await asyncio.gather(*handlers)
            return found

    return asyncio.run(run())


def test_a_load_times_the_answers_and_counts_the_failures():
    statuses = []

    def answer(writer):
        statuses.append(500 if len(statuses) % 3 == 0 else 200)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % statuses[-1])

    took, failures = ask(answer, connections=3, seconds=0.2)
    assert len(took) == statuses.count(200) > 0
    assert failures == statuses.count(500) > 0
    assert (took > 0).all()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"])
def test_a_lost_connection_is_a_failure(sent):
    def answer(writer):
        writer.write(sent)
        writer.close()

    _, failures = ask(answer, connections=2, seconds=60)
    assert failures == 2


def test_an_answer_that_never_comes_is_a_failure(monkeypatch):
    monkeypatch.setattr(load, "GRACE_SECONDS", 0)
    took, failures = ask(lambda _: None, connections=2, seconds=0.1)
    assert (len(took), failures) == (0, 2)


def make_figures(rate=1000.0, p99_ms=20.0, failures=0):
    return serve_peers.Figures(rate, 10.0, p99_ms, 0.5, failures)


def test_rounds_are_summarised_by_their_medians_and_all_their_failures():
    rounds = [
        serve_peers.Figures(900.0, 12.0, 20.0, 0.7, 0),
        serve_peers.Figures(1000.0, 10.0, 90.0, 0.5, 1),
        serve_peers.Figures(1200.0, 11.0, 30.0, 0.6, 2),
    ]
    assert serve_peers.summarise(rounds) == serve_peers.Figures(1000.0, 11.0, 30.0, 0.6, 3)


def test_the_table_has_a_row_for_each_server():
    found = {
        "ours": serve_peers.Figures(1234.5, 10.04, 19.96, 0.514, 0),
        "other": serve_peers.Figures(99.6, 300, 1200, 2.5, 1000),
    }
    assert serve_peers.tabulate(found).splitlines() == [
        "| server | requests/s | p50 ms | p99 ms | CPU ms a request | failures |",
        "| ------ | ---------- | ------ | ------ | ---------------- | -------- |",
        "| ours   | 1,234      | 10.0   | 20.0   | 0.51             | 0        |",
        "| other  | 100        | 300.0  | 1200.0 | 2.50             | 1,000    |",
    ]


@pytest.mark.parametrize(
    ("ours", "peer", "faults"),
    [
        (make_figures(), make_figures(rate=999.0, p99_ms=21.0), []),
        (make_figures(), make_figures(rate=999.0, p99_ms=21.0, failures=1), []),
        (
            make_figures(),
            make_figures(rate=1000.0, p99_ms=21.0),
            ["other answers as many requests a second, or more"],
        ),
        (
            make_figures(),
            make_figures(rate=999.0, p99_ms=20.0),
            ["p99 of other is as low, or lower"],
        ),
        (
            make_figures(failures=2),
            make_figures(rate=999.0, p99_ms=21.0),
            ["2 requests failed"],
        ),
    ],
)
def test_the_service_must_be_better_than_every_peer(ours, peer, faults):
    behind = make_figures(rate=1.0, p99_ms=999.0)
    found = {"this service": ours, "slow": behind, "other": peer}
    assert serve_peers.list_failures(found) == faults


@pytest.mark.parametrize(
    "answer",
    [
        b'{"label":"ham","probability":0.00025}',
        b'[{"label": "ham", "probability": 2.5e-4}]',
        b'{"predictions":[{"label":"ham","probability":0.00025}],"threshold":0.5}',
    ],
)
def test_a_probability_is_found_in_answers_of_any_shape(answer):
    assert serve_peers.read_probability(answer) == 0.00025


def test_the_table_is_printed_before_the_verdict(monkeypatch, capsys, tmp_path):
    corpus = tmp_path / "messages.tsv"
    corpus.write_text("ham\tsee you\n")
    asked = []

    def measure(server, *_):
        asked.append(server.name.split()[0])
        return make_figures(rate=500.0 if server.name == "this service" else 800.0), 0.25

    monkeypatch.setattr(serve_peers, "RAW", corpus)
    monkeypatch.setattr(serve_peers, "MODEL", corpus)
    monkeypatch.setattr(serve_peers, "install", lambda *_: None)
    monkeypatch.setattr(serve_peers, "measure", measure)
    monkeypatch.setattr(serve_peers.gc, "disable", lambda: None)
    monkeypatch.setattr("sys.argv", ["serve_peers.py", "--rounds", "2"])
    with pytest.raises(SystemExit, match=r"LitServe .* answers as many requests a second"):
        serve_peers.main()
    assert asked == [
        "this",
        "FastAPI",
        "LitServe",
        "BentoML",
        "BentoML",
        "LitServe",
        "FastAPI",
        "this",
    ]
    assert "| this service " in capsys.readouterr().out


def test_a_server_that_ends_is_an_error_with_its_log(tmp_path):
    server = serve_peers.Server("broken", "-c 1/0", python=sys.executable, folder=tmp_path)
    with pytest.raises(OSError, match=r"broken: it does not answer(?s:.*)ZeroDivisionError"):
        serve_peers.measure(server, ["see you"], 1, 1, 0.1)


def test_a_server_is_stopped_with_the_processes_that_it_leaves_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(serve_peers, "STOP_SECONDS", 0.1)
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)\n"
    )
    server = serve_peers.Server("parent", "parent.py", python=sys.executable, folder=tmp_path)
    with serve_peers.run_server(server, 0, 1) as process:
        deadline = time.monotonic() + 60
        while len(found := serve_peers.list_processes(process)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    for ended in found:
        while ended.is_running() and ended.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("name", ["peers", "serve_peers"])
def test_the_peers_use_the_libraries_of_the_repository(name):
    folder = ROOT / "benchmarks" / name
    shared = re.findall(r"^([a-z-]+)$", (folder / "requirements.in").read_text(), re.MULTILINE)
    ours, theirs = (
        dict(
            re.findall(r"^([a-z-]+)==(\S+)", (where / "requirements.txt").read_text(), re.MULTILINE)
        )
        for where in (ROOT, folder)
    )
    assert {"scikit-learn", "skops"} <= set(shared)
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


def test_an_environment_is_made_again_only_for_other_pins(monkeypatch, tmp_path):
    commands = []

    def run(command, **_):
        commands.append(command)
        (tmp_path / "peers").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment.subprocess, "run", run)
    requirements = tmp_path / "requirements.txt"
    for pins, n_commands in (("a==1", 2), ("a==1", 2), ("a==2", 4)):
        requirements.write_text(pins)
        environment.install(requirements, tmp_path / "peers")
        assert len(commands) == n_commands
    assert "--require-hashes" in commands[-1]


# Ten pairs of near-duplicates of each label; the last word is the number of the pair.
GROUPS = np.repeat(np.arange(20), 2)
IS_SPAM = GROUPS % 2 == 1
TEXTS = np.array([f"{'prize' if n % 2 else 'lunch'} {n}" for n in GROUPS], object)


class WordSpotter:
    """Scores texts by one word, from a limit on; fails if a text's group was fitted on."""

    limit = 0.0

    def fit(self, texts, is_spam):
        assert len(texts) == len(is_spam)
        self.seen = {text.split()[-1] for text in texts}

    def score(self, texts):
        assert self.seen.isdisjoint(text.split()[-1] for text in texts)
        return np.array(["prize" in text for text in texts]) - self.limit


def test_groups_are_not_split_when_classifiers_are_compared():
    found = peers.cross_validate(WordSpotter, TEXTS, IS_SPAM, GROUPS, n_deals=2)
    assert found == peers.Quality(own_mcc=1, mcc=1, deviation=0, recall=1)


def test_a_bad_threshold_costs_a_peer_its_own_decision_alone(monkeypatch):
    monkeypatch.setattr(WordSpotter, "limit", 2.0)
    found = peers.cross_validate(WordSpotter, TEXTS, IS_SPAM, GROUPS, n_deals=1)
    assert found == peers.Quality(own_mcc=0, mcc=1, deviation=0, recall=1)


def test_this_model_decides_by_its_calibrated_probability():
    found = peers.cross_validate(peers.Ours, TEXTS, IS_SPAM, GROUPS, n_deals=1, threshold=0.5)
    assert found == peers.Quality(own_mcc=1, mcc=1, deviation=0, recall=1)
    never = peers.cross_validate(peers.Ours, TEXTS, IS_SPAM, GROUPS, n_deals=1, threshold=1.1)
    assert (never.own_mcc, never.mcc) == (0, 1)


def test_the_table_of_classifiers_has_a_row_for_each():
    found = {
        "this model": (
            peers.Quality(0.9571, 0.96124, 0.00361, 0.9412),
            0.9599,
            peers.Cost(1.355, 9690.4, 0.963),
        ),
        "other": (peers.Quality(0.9, 0.5, 0, 1), 0.25, peers.Cost(0.04, 123456.7, 41.68)),
    }
    assert peers.tabulate(found).splitlines() == [
        "| classifier | default | calibrated      | recall | paper | fit    | messages/s | MB    |",
        "| ---------- | ------- | --------------- | ------ | ----- | ------ | ---------- | ----- |",
        "| this model | 0.957   | 0.9612 ± 0.0036 | 0.941  | 0.960 | 1.35 s | 9,690      | 0.96  |",
        "| other      | 0.900   | 0.5000 ± 0.0000 | 1.000  | 0.250 | 0.04 s | 123,457    | 41.68 |",
    ]


@pytest.mark.parametrize(
    ("mcc", "paper", "missed"),
    [
        (0.96, 0.957, []),
        (0.9599, 0.957, ["calibrated MCC is 0.9599, below 0.96"]),
        (0.96, 0.9569, ["MCC by the paper's protocol is 0.9569, below 0.957"]),
    ],
)
def test_the_model_has_goals_among_its_peers(mcc, paper, missed):
    assert peers.list_missed(peers.Quality(0, mcc, 0, 0), paper) == missed


def test_classifiers_are_measured_in_the_environment_of_the_peers(monkeypatch, tmp_path, capsys):
    started = []
    figures = (peers.Quality(0.9, 0.9, 0, 0.9), 0.96, peers.Cost(1, 1, 1))
    monkeypatch.setattr(peers, "MODEL", Path(__file__))
    monkeypatch.setattr(peers, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(peers, "install", lambda *_: None)
    monkeypatch.setattr(peers, "compare", lambda *_: {peers.OURS: figures})

    def restart(*command):
        started.append(command)
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        peers.main()

    monkeypatch.setattr(peers.os, "execve", restart)
    monkeypatch.setattr("sys.argv", ["peers.py", "--deals", "2"])
    with pytest.raises(SystemExit, match=r"^calibrated MCC is 0\.9000, below 0\.96$"):
        peers.main()
    ((python, arguments, variables),) = started
    assert python == str(tmp_path / "bin" / "python")
    assert arguments == [python, peers.__file__, "--deals", "2"]
    assert variables["OMP_NUM_THREADS"] == "1"
    assert "| this model " in capsys.readouterr().out
