"""Tests of writing files and folders atomically."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import files
from core.errors import is_for_user
from core.files import (
    atomic_path,
    empty_folder,
    make_private_folder,
    replace,
    write_json,
    write_text,
)

SOURCE = Path(files.__file__).parents[1]


def fail_inside_atomic_path(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stopped")


def fail_inside_empty_folder(path):
    with empty_folder(path) as folder:
        (folder / "a.txt").write_text("a")
        raise RuntimeError("stopped")


def fill_the_disk(path):
    with atomic_path(path) as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", str(temporary))


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names_in(path.parent) == ["a.txt"]


def test_keeps_the_old_file_if_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stopped"):
        fail_inside_atomic_path(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as caught:
        fill_the_disk(path)
    assert str(caught.value) == f"[Errno {errno.ENOSPC}] No space left on device: {str(path)!r}"


def test_makes_no_file_if_the_first_block_fails(tmp_path):
    with pytest.raises(RuntimeError, match="stopped"):
        fail_inside_atomic_path(tmp_path / "a.txt")
    assert names_in(tmp_path) == []


def test_recovers_from_a_process_killed_inside_the_block(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    script = (
        "import os, sys, pathlib, core.files as files\n"
        "with files.atomic_path(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    assert run.returncode == -9
    assert path.read_text() == "old"
    write_text("new", path)
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["a.txt"]


def test_does_not_write_through_a_link_into_a_cache(tmp_path):
    cached, path = tmp_path / "cached", tmp_path / "a.txt"
    cached.write_text("old")
    path.hardlink_to(cached)
    write_text("new", path)
    assert (cached.read_text(), path.read_text()) == ("old", "new")


def test_writes_utf_8_and_unix_line_ends(tmp_path):
    write_text("£\n€\n", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == "£\n€\n".encode()


def test_writes_json_in_the_order_of_its_keys(tmp_path):
    write_json({"b": 1, "a": "£"}, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "£"\n}\n'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_refuses_numbers_that_json_cannot_express(tmp_path, number):
    write_json({"a": 1}, tmp_path / "a.json")
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": number}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


def test_empties_a_folder_for_the_block_and_removes_it(tmp_path):
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    (folder / "left.txt").write_text("by a killed process")
    with empty_folder(folder) as found:
        assert found == folder
        assert names_in(folder) == []
        (folder / "a.txt").write_text("a")
    assert not folder.exists()


def test_removes_a_folder_if_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError, match="stopped"):
        fail_inside_empty_folder(tmp_path / "folder")
    assert names_in(tmp_path) == []


def test_replaces_a_file(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("old")
    replace(source, target)
    assert target.read_text() == "new"
    assert not source.exists()


def test_replaces_a_folder_and_all_that_was_in_it(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "new.txt").write_text("new")
    target.mkdir()
    (target / "old.txt").write_text("old")
    replace(source, target)
    assert names_in(target) == ["new.txt"]
    assert not source.exists()


def test_replaces_a_folder_by_a_file(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.mkdir()
    replace(source, target)
    assert target.read_text() == "new"


def test_replaces_a_file_by_a_folder(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.write_text("old")
    replace(source, target)
    assert target.is_dir()


def test_moves_into_a_folder_that_is_not_there_yet(tmp_path):
    source, target = tmp_path / "source", tmp_path / "deep" / "folder" / "target"
    source.write_text("new")
    replace(source, target)
    assert target.read_text() == "new"


def test_moves_to_another_disk(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "within").mkdir(parents=True)
    (source / "within" / "new").write_text("new")
    (target / "old").mkdir(parents=True)
    rename = os.rename

    def rename_on_one_disk(old, new):
        if Path(old) == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link", old)
        rename(old, new)

    monkeypatch.setattr(os, "rename", rename_on_one_disk)
    monkeypatch.setattr(os, "replace", rename_on_one_disk)
    replace(source, target)
    assert (target / "within" / "new").read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [target]


def test_a_folder_that_others_can_write_to_is_an_error_of_the_file_system(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(OSError, match="another user owns it or can write to it") as caught:
        make_private_folder(folder)
    assert caught.value.filename == str(folder)
    assert is_for_user(caught.value)
