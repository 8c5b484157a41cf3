"""Tests that what the container is made of suffices, without a container."""

import ast
import json
import re
import shlex
import socket
import subprocess
import sys
import time
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import find_free_port
from tests.support.packages import build_package
from tests.support.running_service import PATIENCE, make_folder, wait_for

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
FINAL_STAGE = DOCKERFILE.split("\nFROM ")[-1]
SITE = "/venv/lib/python3.12/site-packages"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def read_instruction(name: str) -> list[str]:
    """Return the arguments of the last instruction of this name."""
    return json.loads(re.findall(rf"^\s*{name} (\[.*\])$", FINAL_STAGE, re.MULTILINE)[-1])


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """Return site-packages of the container but for the requirements, with a small model."""
    made, dist = make_folder(tmp_path_factory.mktemp("made")), tmp_path_factory.mktemp("dist")
    folder = tmp_path_factory.mktemp("image")
    with zipfile.ZipFile(build_package(made, dist)) as wheel:
        wheel.extractall(folder)
    (link,) = re.findall(r"(for wheel in .*; done)$", DOCKERFILE, re.MULTILINE)
    subprocess.run(link.replace(SITE, str(folder)), shell=True, cwd=dist, check=True)
    return folder


def list_files(folder: Path) -> dict[str, int]:
    """Return the time of each file below a folder."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def is_listening(port: int) -> bool:
    """Return whether somebody listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_start_command_serves_and_writes_nothing_beside_the_temporary_folder(image, tmp_path):
    port = str(find_free_port())
    command = read_instruction("ENTRYPOINT") + read_instruction("CMD")
    before = list_files(image)
    with subprocess.Popen(
        [sys.executable, *command[1:], "--host", "127.0.0.1", "--port", port],
        cwd=tmp_path,
        env={
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(image),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        check = read_instruction(r"HEALTHCHECK.*CMD")
        check = [sys.executable, *(part.replace("8000", port) for part in check[1:])]

        def is_healthy():
            return subprocess.run(check, capture_output=True, check=False).returncode == 0

        # Before it listens, a check fails at once, and each is a process.
        wait_for(lambda: process.poll() is not None or is_listening(int(port)))
        wait_for(lambda: process.poll() is not None or is_healthy())
        process.terminate()
        _, log = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, log
    assert list_files(image) == before
    assert list(tmp_path.iterdir()) == []


def test_the_health_check_fails_where_nobody_answers():
    check = read_instruction(r"HEALTHCHECK.*CMD")
    code = check[2].replace("8000", str(find_free_port()))
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode


def test_the_container_has_every_package_that_the_service_imports(image):
    imported = set()
    for path in image.glob("small/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    known = packages_distributions()
    needed = {
        name.lower().replace("_", "-") for module in imported for name in known.get(module, [])
    }
    text = {kind: (ROOT / f"requirements-serve.{kind}").read_text() for kind in ("in", "txt")}
    named = re.findall(r"^([a-z][a-z0-9-]+)", text["in"], re.MULTILINE)
    pinned = re.findall(r"^([a-z0-9-]+)==", text["txt"], re.MULTILINE)
    # Excel is read only where its package is installed; uvicorn imports uvloop.
    assert set(named) - {"uvloop"} <= needed <= {*pinned, "openpyxl"}


def test_the_container_has_the_versions_that_the_pipeline_has():
    versions = {}
    for name in ("requirements.txt", "requirements-serve.txt"):
        pins = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.M)
        versions[name] = dict(pins)
    both = versions["requirements.txt"], versions["requirements-serve.txt"]
    assert both[1].items() <= both[0].items()


def test_docker_sees_what_the_dockerfile_copies_and_nothing_that_git_ignores():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    shown = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert any(source == name or source.startswith(f"{name}/") for name in shown), source
    assert not any(".env" in name or name.startswith(".") for name in shown)


def test_the_service_runs_as_an_ordinary_user_on_a_read_only_file_system():
    assert re.search(r"^USER 10001$", FINAL_STAGE, re.MULTILINE)
    for name, service in COMPOSE.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_the_s3_server_of_the_compose_file_takes_the_keys_of_the_environment(tmp_path):
    service = COMPOSE["s3"]
    (tmp_path / "data").mkdir()
    address = f"127.0.0.1:{find_free_port()}"
    places = {"0.0.0.0:9090": address, "/data": str(tmp_path / "data")}
    command = [places.get(part, part) for part in service["command"]]
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    auth = re.sub(
        r"\$\{(\w+):\?[^}]*\}", lambda m: keys[m[1]], service["environment"]["RCLONE_AUTH_KEY"]
    )
    rclone = str(Path(sys.executable).parent / "rclone")
    environment = {"RCLONE_AUTH_KEY": auth, "RCLONE_CONFIG": "/dev/null"}
    server = subprocess.Popen(
        [rclone, *command], env=environment, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        right, wrong = (
            boto3.client(
                "s3",
                endpoint_url=f"http://{address}",
                region_name="us-east-1",
                aws_access_key_id="key",
                aws_secret_access_key=secret,
            )
            for secret in ("secret", "another")
        )
        for attempt in range(600):
            try:
                right.create_bucket(Bucket="messages")
                break
            except (BotoCoreError, ClientError):
                assert attempt < 599
                time.sleep(0.1)
        assert [bucket["Name"] for bucket in right.list_buckets()["Buckets"]] == ["messages"]
        with pytest.raises(ClientError):
            wrong.list_buckets()
        right.close()
        wrong.close()
    finally:
        server.kill()
        server.wait()


def test_the_s3_server_of_the_compose_file_is_the_one_that_is_tested():
    rclone = str(Path(sys.executable).parent / "rclone")
    version = subprocess.run([rclone, "version"], capture_output=True, text=True, check=True)
    tag = COMPOSE["s3"]["image"].rpartition(":")[2]
    assert version.stdout.startswith(f"rclone v{tag}\n")


def test_the_compose_file_publishes_the_port_that_the_dockerfile_serves_on():
    port = re.search(r"^EXPOSE (\d+)$", FINAL_STAGE, re.MULTILINE)[1]
    assert COMPOSE["serve"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert port in shlex.join(read_instruction(r"HEALTHCHECK.*CMD"))
