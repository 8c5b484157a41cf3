"""Tests of writing wheels."""

import subprocess
import sys
import zipfile

import pytest

from core.wheels import normalise_name, write_wheel

METADATA = "Metadata-Version: 2.4\nName: any-name\nVersion: 1.2\nLicense-File: LICENSE\n"
FILES = {"any_name/b.txt": b"b\n", "any_name/__init__.py": b"x = 1\n"}


@pytest.fixture
def wheel(tmp_path):
    return write_wheel(tmp_path, "any-name", "1.2", METADATA, FILES, b"a licence")


def test_equal_files_give_equal_bytes(wheel, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    again = write_wheel(
        other, "any-name", "1.2", METADATA, dict([*FILES.items()][::-1]), b"a licence"
    )
    assert wheel.name == again.name == "any_name-1.2-py3-none-any.whl"
    assert wheel.read_bytes() == again.read_bytes()


def test_pip_installs_it_and_knows_its_files(wheel, tmp_path):
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    install = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(target), str(wheel)]
    run = subprocess.run([*pip, *install], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    shown = [*pip, "show", "--files", "any-name"]
    found = subprocess.run(
        shown, env={"PYTHONPATH": str(target)}, capture_output=True, text=True, check=True
    ).stdout
    assert "Version: 1.2\n" in found
    assert "any_name/b.txt" in found
    assert "any_name-1.2.dist-info/licenses/LICENSE" in found


def test_records_every_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        lines = archive.read("any_name-1.2.dist-info/RECORD").decode().splitlines()
    assert [line.split(",")[0] for line in lines] == names
    assert names[-1] == "any_name-1.2.dist-info/RECORD"
    # The SHA-256 of 'b' and a line end, as the specification of wheels writes it.
    assert lines[1] == "any_name/b.txt,sha256=AmOCmYm2_ZVPcrqvL8ZLwuLwHWktTecphuqAj26ZgT8,2"


@pytest.mark.parametrize("name", ["Any.Name", "any-_name", "any_name"])
def test_names_of_files_are_normalised(name):
    assert normalise_name(name) == "any_name"
