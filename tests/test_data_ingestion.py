"""Tests of fetching the raw data."""

import gzip
import hashlib
import io
import json
import random
import shutil
import socket
import sqlite3
import threading
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pandas as pd
import pytest
import yaml

import data_ingestion
from core.errors import UserError
from records.additions import FIRST_LINE, read_added
from storage.sources.api import ApiSource
from storage.sources.database import DatabaseSource
from tests.conftest import find_free_port
from tests.support.documents import FENCE, read_document

CONTENT = b"ham\thello\nspam\twin cash now\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def ingest(params_file, tmp_path):
    """Return a function that fetches from the given sources and returns the bytes fetched."""

    def run(*sources, sha256=DIGEST, additions=(), max_megabytes=1, timeout=60):
        changes = {"sources": list(sources), "sha256": sha256, "additions": list(additions)}
        changes |= {"max_megabytes": max_megabytes, "timeout": timeout}
        params = params_file({f"data_ingestion.{key}": value for key, value in changes.items()})
        folder = tmp_path / "raw"
        paths = {"output": "source", "additions": "additions", "origin": "source.json"}
        argv = [f"--{name}={folder / path}" for name, path in paths.items()]
        data_ingestion.main(["--params", str(params), *argv])
        return (folder / "source").read_bytes()

    return run


def write_zip(path: Path, member: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, CONTENT)
    return path


@pytest.fixture
def local_file(tmp_path):
    path = tmp_path / "source.tsv"
    path.write_bytes(CONTENT)
    return path


def test_takes_a_local_path(ingest, local_file):
    assert ingest(str(local_file)) == CONTENT


def test_takes_a_file_url(ingest, local_file):
    assert ingest(local_file.as_uri()) == CONTENT


def test_takes_an_http_url(ingest, web_folder):
    folder, url = web_folder
    (folder / "data.tsv").write_bytes(CONTENT)
    assert ingest(f"{url}/data.tsv") == CONTENT


def test_takes_a_member_of_a_local_zip(ingest, tmp_path):
    archive = write_zip(tmp_path / "a.zip", "inner/data.tsv")
    assert ingest(f"zip://inner/data.tsv::{archive}") == CONTENT


def test_takes_a_member_of_a_zip_on_the_web(ingest, web_folder):
    folder, url = web_folder
    write_zip(folder / "a+b.zip", "data.tsv")
    assert ingest(f"zip://data.tsv::{url}/a+b.zip") == CONTENT


def test_takes_an_s3_url(ingest, s3_server, monkeypatch):
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.put_object(Bucket="messages", Key="folder/data.tsv", Body=CONTENT)
    client.close()
    assert ingest("s3://messages/folder/data.tsv") == CONTENT


def test_names_a_missing_s3_object(ingest, s3_server, monkeypatch):
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="s3://messages/nothing"):
        ingest("s3://messages/nothing")


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Make a wheel that pip finds without a network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "corpora-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("corpora/data.tsv", CONTENT)
        archive.writestr(
            "corpora-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: corpora\nVersion: 1.0\nRequires-Dist: nowhere\n",
        )
        archive.writestr("corpora-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("corpora-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.usefixtures("wheel")
def test_takes_a_file_of_a_wheel_without_its_dependencies(ingest):
    assert ingest("pypi://corpora==1.0/corpora/data.tsv") == CONTENT


@pytest.mark.usefixtures("wheel")
def test_names_a_version_that_pip_does_not_find(ingest):
    with pytest.raises(UserError, match=r"pip download failed.*corpora==2\.0"):
        ingest("pypi://corpora==2.0/corpora/data.tsv")


@pytest.mark.usefixtures("wheel")
def test_names_a_file_that_a_wheel_lacks(ingest):
    with pytest.raises(UserError, match=r"corpora-1\.0-.*\.whl has no member 'corpora/other\.tsv'"):
        ingest("pypi://corpora==1.0/corpora/other.tsv")


def test_tries_the_next_source_after_a_missing_file(ingest, local_file, tmp_path):
    assert ingest(str(tmp_path / "missing.tsv"), str(local_file)) == CONTENT


def test_refuses_a_changed_source_and_names_both_digests(ingest, local_file):
    expected = "0" * 64
    with pytest.raises(UserError, match=f"{DIGEST}, not the pinned {expected}"):
        ingest(str(local_file), sha256=expected)


def test_names_the_reason_of_every_source(ingest, tmp_path, web_folder):
    _, url = web_folder
    with pytest.raises(UserError, match="no source gave the data") as caught:
        ingest(str(tmp_path / "missing.tsv"), f"{url}/nothing", "nonsense://a/b")
    message = str(caught.value)
    assert "missing.tsv: [Errno 2]" in message
    assert "404" in message
    assert "nonsense" in message
    assert "\n" not in message


def test_leaves_what_was_there_when_all_sources_fail(ingest, local_file, tmp_path):
    ingest(str(local_file))
    with pytest.raises(UserError, match="no source"):
        ingest(str(tmp_path / "missing.tsv"))
    left = {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()}
    assert json.loads(left.pop("source.json"))["sha256"] == DIGEST
    assert left == {"source": CONTENT, "additions": FIRST_LINE}


@pytest.mark.parametrize("scheme", ["local", "http", "zip"])
def test_refuses_more_bytes_than_the_limit(ingest, web_folder, scheme):
    folder, url = web_folder
    (folder / "big.tsv").write_bytes(bytes(2000))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.tsv", bytes(20_000))
    source = {
        "local": str(folder / "big.tsv"),
        "http": f"{url}/big.tsv",
        "zip": f"zip://big.tsv::{folder / 'bomb.zip'}",
    }[scheme]
    with pytest.raises(
        UserError, match=r"it has more than 0\.001 MB: raise data_ingestion\.max_megabytes"
    ) as caught:
        ingest(source, max_megabytes=0.001)
    assert "UserError" not in str(caught.value)


def answer_once(server: socket.socket, reply: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(reply)


@pytest.fixture
def one_answer():
    """Return a function that starts a server giving one raw answer, and its URL."""
    threads = []
    server = socket.create_server(("127.0.0.1", 0))

    def start(reply: bytes) -> str:
        threads.append(threading.Thread(target=answer_once, args=(server, reply)))
        threads[-1].start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/data.tsv"

    yield start
    for thread in threads:
        thread.join()
    server.close()


def test_refuses_a_download_that_breaks_off(ingest, one_answer, tmp_path):
    url = one_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + CONTENT)
    with pytest.raises(UserError, match="IncompleteRead"):
        ingest(url)
    assert list((tmp_path / "raw").iterdir()) == []


def test_times_out_if_a_server_does_not_answer(ingest):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/data.tsv"
        with pytest.raises(UserError, match="timed out"):
            ingest(url, timeout=0.2)


def test_refuses_a_file_that_is_not_a_zip_archive(ingest, local_file):
    with pytest.raises(UserError, match=r"source\.tsv is not a zip archive"):
        ingest(f"zip://data.tsv::{local_file}")


@pytest.mark.parametrize("name", ["damaged.zip", "damaged-1.0-py3-none-any.whl"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_tries_the_next_source_after_a_damaged_archive(tmp_path, name, method):
    archive = tmp_path / name
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.writestr("words/data.tsv", CONTENT)
        opened.writestr("words-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: words\n")
    whole = archive.read_bytes()
    good = write_zip(tmp_path / "good.zip", "words/data.tsv")
    params = data_ingestion.IngestionParams(
        sources=[f"zip://words/data.tsv::{path}" for path in (archive, good)],
        sha256=DIGEST,
        additions=[],
        max_megabytes=1,
        timeout=5,
    )
    rng = random.Random(0)
    for i in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        archive.write_bytes(damaged)
        folder = tmp_path / str(i)
        folder.mkdir()
        path, _ = data_ingestion.fetch_verified(params, folder)
        assert path.read_bytes() == CONTENT


def test_tries_the_next_source_after_a_damaged_wheel(ingest, local_file, wheel):
    (path,) = wheel.iterdir()
    path.write_bytes(path.read_bytes().replace(CONTENT, CONTENT[::-1]))
    assert ingest("pypi://corpora==1.0/corpora/data.tsv", str(local_file)) == CONTENT


def test_tries_the_next_source_after_an_encrypted_archive(ingest, local_file, tmp_path):
    archive = write_zip(tmp_path / "a.zip", "data.tsv")
    raw = bytearray(archive.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    archive.write_bytes(raw)
    assert ingest(f"zip://data.tsv::{archive}", str(local_file)) == CONTENT


def test_an_archive_and_its_member_may_have_the_same_name(ingest, tmp_path):
    archive = write_zip(tmp_path / "data.tsv", "inner/data.tsv")
    assert ingest(f"zip://inner/data.tsv::{archive}") == CONTENT


def test_the_query_of_a_url_is_not_part_of_a_file_name(ingest, web_folder):
    folder, url = web_folder
    (folder / "data.tsv").write_bytes(CONTENT)
    assert ingest(f"{url}/data.tsv?X-Amz-Signature={'a' * 3000}") == CONTENT


def test_a_member_may_have_a_long_name(ingest, tmp_path):
    archive = write_zip(tmp_path / "a.zip", "é" * 1000)
    assert ingest(f"zip://{'é' * 1000}::{archive}") == CONTENT


@pytest.mark.parametrize("end", ["", "/"])
def test_says_that_a_source_is_a_folder(ingest, tmp_path, end):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UserError, match=r"/folder/?: it is a folder: name a file in it\)"):
        ingest(f"{folder}{end}")


def test_takes_a_digest_in_upper_case(ingest, local_file, add_file):
    entry = add_file(b"ham\ta\n")
    entry["sha256"] = entry["sha256"].upper()
    assert ingest(str(local_file), sha256=DIGEST.upper(), additions=[entry]) == CONTENT


@pytest.mark.parametrize("sha256", [None, ""])
def test_a_source_without_a_pinned_digest_is_recorded(ingest, local_file, tmp_path, caplog, sha256):
    caplog.set_level("INFO")
    start = datetime.now(UTC).replace(microsecond=0)
    assert ingest(str(tmp_path / "missing.tsv"), str(local_file), sha256=sha256) == CONTENT
    origin = json.loads((tmp_path / "raw" / "source.json").read_text())
    assert start <= datetime.fromisoformat(origin.pop("fetched")) <= datetime.now(UTC)
    assert origin == {"sha256": DIGEST, "pinned": False, "source": str(local_file)}
    assert f"to pin it, write 'sha256: {DIGEST}' into params.yaml" in caplog.text


def test_the_record_of_a_pinned_source_does_not_depend_on_where_it_came_from(
    ingest, local_file, tmp_path
):
    record = tmp_path / "raw" / "source.json"
    ingest(str(local_file))
    first = record.read_bytes()
    ingest(str(tmp_path / "missing.tsv"), local_file.as_uri())
    assert record.read_bytes() == first
    assert json.loads(first) == {"sha256": DIGEST, "pinned": True, "source": None, "fetched": None}


def test_no_message_or_record_shows_a_password_of_an_address(
    ingest, web_folder, tmp_path, caplog, local_file
):
    caplog.set_level("DEBUG")
    folder, url = web_folder
    (folder / "data.tsv").write_bytes(CONTENT)
    address = url.replace("//", "//someone:s3cr3t@")
    ingest(f"{address}/missing.tsv", f"{address}/data.tsv", sha256="")
    with pytest.raises(UserError, match="404") as caught:
        ingest(f"{address}/missing.tsv")
    entry = {"source": f"{address}/missing.tsv", "sha256": DIGEST}
    with pytest.raises(UserError, match="404") as added:
        ingest(str(local_file), additions=[entry])
    record = (tmp_path / "raw" / "source.json").read_text()
    for text in (caplog.text, str(caught.value), str(added.value), record):
        assert "s3cr3t" not in text


def test_takes_rows_of_a_database_an_api_and_a_generator(ingest, web_folder, tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table sales (id integer)")
        connection.execute("insert into sales values (5)")
    connection.close()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/shop.db")
    folder, url = web_folder
    (folder / "items").write_text('{"items": [{"b": 1, "a": 2}]}')
    record = tmp_path / "raw" / "source.json"

    query = {"database": "DATABASE_URL", "query": "select * from sales order by id"}
    content = ingest(query, sha256="")
    assert pd.read_parquet(io.BytesIO(content))["id"].tolist() == [5]
    assert json.loads(record.read_text())["source"] == "database DATABASE_URL"
    assert ingest(query, sha256=hashlib.sha256(content).hexdigest()) == content

    content = ingest({"api": f"{url}/items", "records": "items"}, sha256="")
    assert content == b'{"a": 2, "b": 1}\n'
    assert json.loads(record.read_text())["source"] == f"api {url}/items"

    source = "synthetic://regression?rows=5&features=2&informative=2"
    assert ingest(source, sha256="").startswith(b"x0,x1,target\n")
    assert json.loads(record.read_text())["source"] == source


def test_the_documented_sources_are_valid():
    examples = [
        yaml.safe_load(code) for kind, code in FENCE.findall(read_document("docs/sources.md"))
    ]
    defaults = {"additions": [], "max_megabytes": 1, "timeout": 1}
    kinds = [
        type(data_ingestion.IngestionParams(**defaults, **example["data_ingestion"]).sources[0])
        for example in examples
    ]
    assert kinds == [DatabaseSource, ApiSource, str]


def test_tries_the_next_source_after_a_database_and_an_api_that_are_down(
    ingest, local_file, monkeypatch, caplog
):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///missing.db")
    query = {"database": "DATABASE_URL", "query": "select 1 order by 1"}
    api = {"api": f"http://127.0.0.1:{find_free_port()}/"}
    assert ingest(query, api, "synthetic://nothing", str(local_file)) == CONTENT
    reasons = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [reason.partition(" ")[2].partition(":")[0] for reason in reasons] == [
        "database DATABASE_URL",
        "api http",
        "synthetic",
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (5, "0: a source is a text, or a mapping with one of the keys database and api"),
        ({"query": "select 1"}, "0: a source is a text, or a mapping with one of the keys"),
        ({"database": "A"}, "0.query is missing"),
        ({"database": "A", "query": "x order by y", "b": 1}, "0.b is not a parameter"),
        ({"api": "ftp://host/x"}, "0.api: an address must start with http:// or https://"),
        ({"api": "http://h", "headers": [{"name": "A"}]}, "0.headers.0.variable is missing"),
    ],
)
def test_refuses_a_source_with_wrong_keys_or_values(ingest, source, problem):
    with pytest.raises(UserError, match=r"params\.yaml: data_ingestion\.sources") as caught:
        ingest(source)
    assert f"data_ingestion.sources.{problem}" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        {"database": "postgresql://me:s3cr3t@host/db", "query": "select 1 order by 1"},
        {"database": ["postgresql://me:s3cr3t@host/db"], "query": "select 1 order by 1"},
        {"url": "postgresql://me:s3cr3t@host/db", "query": "select 1 order by 1"},
        {"api": "https://me:s3cr3t@host/x"},
        {"api": "ftp://me:s3cr3t@host/x"},
        {"api": "https://host", "headers": {"Token": "s3cr3t"}},
        {"api": "https://host", "headers": ["Token: s3cr3t"]},
        {"api": "https://host", "headers": [{"name": "Token", "variable": "Bearer s3cr3t"}]},
        {"api": "https://host", "headers": [{"name": "Token: s3cr3t", "variable": "TOKEN"}]},
    ],
)
def test_does_not_show_a_secret_that_stands_in_the_parameters(ingest, source):
    with pytest.raises(UserError, match="hidden") as caught:
        ingest(source)
    assert "s3cr3t" not in str(caught.value)


def test_prints_the_line_to_add_for_an_addition(ingest, local_file):
    with pytest.raises(UserError, match=r"additions\[0\]\.sha256 is missing") as caught:
        ingest(str(local_file), additions=[{"source": str(local_file)}])
    assert f"'sha256: {DIGEST}'" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "hint"),
    [("zip://member-only", "zip://member::"), ("pypi://package/path", "pypi://package==version")],
)
def test_shows_the_correct_form_of_a_source(ingest, source, hint):
    with pytest.raises(UserError, match=hint):
        ingest(source)


def test_removes_what_a_killed_run_left(ingest, local_file, tmp_path):
    leftover = tmp_path / "raw" / "download.tmp"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"ham")
    ingest(str(local_file))
    assert not leftover.exists()


def test_the_pinned_sources_are_the_real_corpus(real_corpus, ingest):
    digest = hashlib.sha256(real_corpus.read_bytes()).hexdigest()
    assert ingest(str(real_corpus), sha256=digest).count(b"\n") == 5574


@pytest.fixture
def add_file(tmp_path):
    """Return a function that writes rows to a file and returns their entry in params.yaml."""

    def write(content, name="added.tsv"):
        path = tmp_path / "more" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return {"source": str(path), "sha256": hashlib.sha256(content).hexdigest()}

    return write


@pytest.fixture
def add(ingest, local_file, tmp_path):
    """Return a function that fetches additions and returns their bytes, without the first line."""

    def run(additions, source=local_file):
        assert ingest(str(source), additions=additions) == CONTENT
        return read_added((tmp_path / "raw" / "additions").read_bytes())

    return run


def test_additions_are_in_a_separate_file_in_order(add, add_file):
    additions = [add_file(b"spam\tfirst\n", "a.tsv"), add_file(b"ham\tsecond\n", "b.tsv")]
    assert add(additions) == b"spam\tfirst\nham\tsecond\n"
    assert add(additions[::-1]) == b"ham\tsecond\nspam\tfirst\n"


def test_without_additions_their_file_has_its_first_line(add, add_file, tmp_path):
    add([add_file(b"ham\ta\n")])
    assert add([]) == b""
    assert (tmp_path / "raw" / "additions").read_bytes() == FIRST_LINE


def test_a_missing_line_end_is_added(add, add_file):
    contents = {"a.tsv": b"ham\ta", "b.tsv": b"", "c.tsv": b"ham\tb"}
    additions = [add_file(content, name) for name, content in contents.items()]
    assert add(additions) == b"ham\ta\nham\tb"


@pytest.mark.parametrize("name", ["source.tsv", "additions", "0"])
def test_source_and_addition_may_have_any_name(add, add_file, local_file, name):
    source = local_file.rename(local_file.with_name(name))
    assert add([add_file(b"ham\ta\n", name)], source) == b"ham\ta\n"
    assert source.read_bytes() == CONTENT


@pytest.fixture
def second_wheel(wheel):
    """Make another wheel beside the first, with the addition."""
    with zipfile.ZipFile(wheel / "words-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("words/more.tsv", b"ham\ta\n")
        archive.writestr(
            "words-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: words\nVersion: 1.0\n"
        )
        archive.writestr("words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("words-1.0.dist-info/RECORD", "")


@pytest.mark.usefixtures("second_wheel")
def test_each_source_has_its_own_wheel(ingest):
    corpora, words = "pypi://corpora==1.0/corpora/", "pypi://words==1.0/words/"
    assert ingest(f"{words}other.tsv", f"{corpora}data.tsv") == CONTENT
    digest = hashlib.sha256(b"ham\ta\n").hexdigest()
    assert ingest(f"{corpora}other.tsv", f"{words}more.tsv", sha256=digest) == b"ham\ta\n"


@pytest.mark.usefixtures("second_wheel")
def test_source_and_addition_may_come_from_wheels(add):
    digest = hashlib.sha256(b"ham\ta\n").hexdigest()
    additions = [{"source": "pypi://words==1.0/words/more.tsv", "sha256": digest}]
    assert add(additions, "pypi://corpora==1.0/corpora/data.tsv") == b"ham\ta\n"


def test_refuses_a_changed_addition_and_names_it(ingest, local_file, add_file, tmp_path):
    good, changed = add_file(b"ham\ta\n", "a.tsv"), add_file(b"ham\tb\n", "b.tsv")
    changed["sha256"] = "0" * 64
    with pytest.raises(UserError, match=r"data_ingestion\.additions\[1\], .*b\.tsv: ") as caught:
        ingest(str(local_file), additions=[good, changed])
    assert f"not the pinned {'0' * 64}" in str(caught.value)
    assert str(caught.value).endswith("pin the new SHA-256 in data_ingestion.additions[1].sha256")
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("nowhere.tsv", "Errno 2"),
        ("zip://member-only", "the zip source names no archive"),
        ("nonsense://a/b", "nonsense"),
    ],
)
def test_names_an_addition_that_cannot_be_fetched(ingest, local_file, source, reason):
    additions = [{"source": source, "sha256": DIGEST}]
    with pytest.raises(UserError, match=rf"additions\[0\], {source}: .*{reason}"):
        ingest(str(local_file), additions=additions)


def test_an_addition_has_the_same_size_limit(ingest, local_file, add_file):
    with pytest.raises(UserError, match=r"additions\[0\], .*more than 0\.001 MB: raise"):
        ingest(str(local_file), additions=[add_file(bytes(2000))], max_megabytes=0.001)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_refuses_an_addition_with_a_byte_order_mark(ingest, local_file, add_file, encoding):
    with pytest.raises(UserError, match=r"additions\[0\], .* starts with a byte order mark"):
        ingest(str(local_file), additions=[add_file("ham\ta\n".encode(encoding))])


@pytest.mark.parametrize(
    "content", [gzip.compress(b"ham\ta\n", mtime=0), b"PAR1 and so on", b"PK\3\4 zip"]
)
def test_refuses_an_addition_that_is_not_plain_text(ingest, local_file, add_file, content):
    with pytest.raises(UserError, match=r"additions\[0\], .* is not plain text: save"):
        ingest(str(local_file), additions=[add_file(content)])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CONTENT.decode().encode("utf-16"), "UTF-16"),
        (b"PAR1 and so on", "Parquet"),
        (b"PK\3\4 and so on", "Excel"),
    ],
)
def test_takes_any_format_but_adds_only_to_lines_of_text(ingest, tmp_path, add_file, content, name):
    source = tmp_path / "source.tsv"
    source.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert ingest(str(source), sha256=digest) == content
    with pytest.raises(UserError, match=f"nothing can be added to a source in {name}: convert"):
        ingest(str(source), sha256=digest, additions=[add_file(b"ham\ta\n")])


@pytest.mark.parametrize(
    ("addition", "problem"),
    [
        ({"source": "a.tsv", "sha256": "abc"}, "0.sha256: a SHA-256 has 64 hexadecimal digits"),
        ({"source": "a.tsv", "sha256": DIGEST, "rows": 2}, "0.rows is not a parameter"),
        ("a.tsv", "0: input should be a valid dictionary"),
    ],
)
def test_refuses_an_addition_with_wrong_keys_or_values(ingest, local_file, addition, problem):
    with pytest.raises(ValueError, match=r"params\.yaml: data_ingestion\.additions") as caught:
        ingest(str(local_file), additions=[addition])
    assert f"data_ingestion.additions.{problem}" in str(caught.value)


def test_shows_progress_on_a_terminal(local_file, tmp_path, params_file, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    params = params_file(
        {"data_ingestion.sources": [str(local_file)], "data_ingestion.sha256": DIGEST}
    )
    shutil.rmtree(tmp_path / "raw", ignore_errors=True)
    argv = [f"--{name}={tmp_path / 'raw' / name}" for name in ("output", "additions", "origin")]
    data_ingestion.main(["--params", str(params), *argv])
    assert "source.tsv" in capsys.readouterr().err
