"""Tests of naming what is damaged or missing on the remote, with a real server."""

import hashlib
import json
import subprocess
from pathlib import Path

import boto3
import pytest
import yaml

from commands import damage

CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://messages/damage\n"


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def put(s3_server, tmp_path, monkeypatch):
    """Work in a repository of two outputs, a file and a folder; return what puts an object."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(CONFIG)
    client = boto3.client("s3")

    def put(name, content):
        key = f"damage/{damage.locate(name)}"
        client.put_object(Bucket="messages", Key=key, Body=content)

    folder = json.dumps([{"md5": md5(b"inner"), "relpath": "inner"}]).encode()
    outs = [
        {"path": "models/model", "md5": md5(b"model")},
        {"path": "plots", "md5": f"{md5(folder)}.dir"},
        {"path": "metrics", "md5": md5(b"in Git")},
    ]
    (tmp_path / "metrics").write_bytes(b"in Git")
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"all": {"outs": outs}}}))
    put(md5(b"model"), b"model")
    put(f"{md5(folder)}.dir", folder)
    put(md5(b"inner"), b"inner")
    yield put
    for item in client.list_objects_v2(Bucket="messages", Prefix="damage/").get("Contents", []):
        client.delete_object(Bucket="messages", Key=item["Key"])
    client.close()


@pytest.mark.usefixtures("put")
def test_an_undamaged_remote(capsys):
    assert damage.main([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("path", "content"), [("models/model", b"model"), ("plots/inner", b"inner")]
)
def test_a_damaged_object_is_named_and_can_be_deleted(put, capsys, path, content):
    put(md5(content), b"other")
    place = f"s3://messages/damage/{damage.locate(md5(content))}"
    assert not damage.main([])
    assert capsys.readouterr().out == (
        f"{path} is damaged on the remote ({place} does not have that MD5): "
        "run 'python src damage --delete', then 'make push' in a clone that has the file\n"
    )
    assert not damage.main(["--delete"])
    assert f"{path}: deleted {place}; run 'make push'" in capsys.readouterr().out
    assert not damage.main([])
    assert f"{path} is missing on the remote ({place}): run 'make push'" in capsys.readouterr().out


def test_what_the_cache_or_the_checkout_has_is_not_looked_at(put, capsys):
    put(md5(b"model"), b"other")
    put(md5(b"inner"), b"other")
    cached = Path(".dvc/cache") / damage.locate(md5(b"inner"))
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"inner")
    Path("models").mkdir()
    Path("models/model").write_bytes(b"model")
    assert damage.main([])
    assert capsys.readouterr().out == ""
