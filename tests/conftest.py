"""What tests share: parameters, a small made-up corpus, the real one, servers on loopback."""

import copy
import functools
import hashlib
import http.server
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from filelock import FileLock

import data_ingestion
from tests.support.made_once import make_once

ROOT = Path(__file__).parents[1]

HAM = "are you coming home for dinner tonight | see you at the station at noon | i will call later"
SPAM = "WIN a prize now, txt CLAIM to 80062 | free entry, call 09061701461 now | £500 cash for you"
# What would tell a program under test of the user's servers, or a test's make of another.
HIDDEN = ("ARGS", "AWS_", "FEEDBACK_URL", "MAKE", "MFLAGS", "SERVICE_TOKEN")
WORDS = "lor ok then we meet after class my friend tomorrow please tell her i am late"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a finished pipeline as slow; begin with the files that have slow tests.

    Each of two processes gets a half of the tests and takes from the end of the other's when it is
    done. So both halves begin with slow ones, and in the end there are quick ones to take.
    """
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow = [path for path in files if any(map(is_slow, files[path]))]
    # The second half begins elsewhere, not to wait for what the first one makes for both.
    first, second = (
        [item for path in paths for item in files[path]] for paths in (slow[::2], slow[1::2][::-1])
    )
    quick = [item for path in files if path not in slow for item in files[path]]
    n_first = max(len(items) // 2 - len(first), 0)
    items[:] = [*first, *quick[:n_first], *second, *quick[n_first:]]


def is_slow(item: pytest.Item) -> bool:
    """Return whether a test is marked as slow."""
    return item.get_closest_marker("slow") is not None


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's settings from tests, and what may have started them."""
    # Programs ignore interrupts if what started them does, as shells do in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = tmp_path_factory.getbasetemp() / "no-such-folder"
    with pytest.MonkeyPatch.context() as patch:
        # make's own variables would tell a test's make that it is the child of another.
        for name in [name for name in os.environ if name.startswith(HIDDEN)]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        yield


@pytest.fixture
def params_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the repository's params.yaml with some values changed."""

    def write(changes: dict[str, object] | None = None) -> Path:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        for key, value in (changes or {}).items():
            *sections, name = key.split(".")
            section = params
            for part in sections:
                section = section[part]
            section[name] = copy.deepcopy(value)
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(params))
        return path

    return write


def make_corpus(n_ham: int = 120, n_spam: int = 60) -> str:
    """Return made-up messages in the format of the real corpus, some of them near-duplicates."""
    rng = random.Random(0)
    lines = []
    for label, n, phrases in (("ham", n_ham, HAM), ("spam", n_spam, SPAM)):
        for _ in range(n):
            words = rng.choices(WORDS.split(), k=rng.randint(3, 12))
            words.insert(rng.randrange(len(words)), rng.choice(phrases.split(" | ")))
            lines.append(f"{label}\t{' '.join(words)} {rng.randrange(600)}")
    rng.shuffle(lines)
    return "\n".join([*lines, lines[0], lines[1]]) + "\n"


@pytest.fixture(scope="session")
def corpus() -> str:
    """Return 182 made-up messages, two of them exact duplicates."""
    return make_corpus()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that returns a folder in which the stages ran on a small table of a task.

    Its files stay as they are; a test may add others.
    """

    # All stages, which few of the processes that import this file need.
    from tests.support.built_table import build

    @functools.cache
    def get(task: str) -> Path:
        made = make_once(tmp_path_factory, f"built-{task}", functools.partial(build, task))
        return shutil.copytree(made, tmp_path_factory.mktemp(task), dirs_exist_ok=True)

    return get


@pytest.fixture(scope="session")
def real_corpus() -> Path:
    """Return the real corpus's file; skip the test where no source of it can be reached."""
    fetched = ROOT / "data" / "raw" / "source"
    if not fetched.is_file():
        fetched = ROOT / ".cache" / "corpus" / "source"
    section = yaml.safe_load((ROOT / "params.yaml").read_text())["data_ingestion"]
    # Test processes run side by side: one of them fetches.
    fetched.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(ROOT / ".cache" / "corpus.lock"):
        if not fetched.is_file():
            try:
                names = {"output": "source", "additions": "additions", "origin": "source.json"}
                paths = [f"--{name}={fetched.with_name(file)}" for name, file in names.items()]
                data_ingestion.main([f"--params={ROOT / 'params.yaml'}", *paths])
            except OSError as error:
                pytest.skip(f"the real corpus cannot be fetched: {error}")
    digest = hashlib.sha256(fetched.read_bytes()).hexdigest()
    if digest != section["sha256"] or section["additions"]:
        pytest.skip(f"{fetched} is not the corpus that params.yaml names")
    return fetched


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web_folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder over HTTP on loopback; return it and its URL."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def find_free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a real S3 server with a bucket ``messages``; return the variables to reach it."""
    folder = tmp_path_factory.mktemp("s3")
    port = find_free_port()
    key, secret = secrets.token_hex(10), secrets.token_hex(20)
    environment = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
    command = ["rclone", "serve", "s3", "--auth-key", f"{key},{secret}"]
    command += ["--addr", f"127.0.0.1:{port}", "--config", os.devnull, str(folder)]
    with (folder.parent / "rclone.log").open("wb") as log:
        server = subprocess.Popen(command, stderr=log)
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    for attempt in range(100):
        try:
            client.create_bucket(Bucket="messages")
            break
        except (BotoCoreError, ClientError):
            if attempt == 599 or server.poll() is not None:
                raise
            time.sleep(0.1)
    yield environment
    client.close()
    server.kill()
    server.wait()
