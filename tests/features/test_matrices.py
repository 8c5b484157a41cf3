"""Tests of feature matrices between stages."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from core.errors import UserError
from features.matrices import as_float32, load_matrix, save_matrix

DENSE = np.array([[0, 1.5, 0], [2, 0, 0.25]])


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train.npz"


def test_the_headers_are_those_of_small_files_in_every_version_of_python(path):
    save_matrix(as_float32(DENSE), path)
    # The version of the zip format that each member needs: 20, or 45 for those of four gigabytes.
    headers = path.read_bytes().split(b"PK\x03\x04")[1:]
    assert [header[0] for header in headers] == [20] * 5
    assert all(header[22 + 2 : 22 + 4] == b"\0\0" for header in headers)  # no extra field


@pytest.mark.parametrize("convert", [np.asarray, sp.csc_matrix, sp.coo_matrix, sp.csr_array])
def test_makes_float32_csr_of_any_matrix(convert):
    X = as_float32(convert(DENSE))
    assert isinstance(X, sp.csr_matrix)
    assert X.dtype == np.float32
    assert X.toarray().tolist() == DENSE.tolist()


def test_sorts_the_columns_of_each_row():
    X = as_float32(sp.csr_matrix((np.array([2.0, 1.0]), [1, 0], [0, 2]), shape=(1, 2)))
    assert X.indices.tolist() == [0, 1]
    assert X.data.tolist() == [1, 2]


def test_reads_what_was_written(path):
    save_matrix(as_float32(DENSE), path)
    X = load_matrix(path, 2)
    assert isinstance(X, sp.csr_matrix)
    assert X.dtype == np.float32
    assert X.toarray().tolist() == DENSE.tolist()


def test_equal_matrices_give_equal_bytes(path):
    unsorted = sp.csr_matrix((np.array([1.5, 0.25, 2]), [1, 2, 0], [0, 1, 3]), shape=(2, 3))
    contents = []
    for X in (DENSE, unsorted):
        save_matrix(as_float32(X), path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_names_a_missing_file(path):
    with pytest.raises(UserError, match=r"train\.npz does not exist: run"):
        load_matrix(path, 2)


def test_refuses_another_number_of_rows(path):
    save_matrix(as_float32(DENSE), path)
    with pytest.raises(ValueError, match=r"train\.npz has 2 rows, its table 3: run"):
        load_matrix(path, 3)


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_names_a_damaged_file(path, share):
    save_matrix(as_float32(DENSE), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"train\.npz is not a readable feature matrix"):
        load_matrix(path, 2)


def test_names_a_file_whose_content_changed(path):
    save_matrix(as_float32(np.eye(50)), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a readable feature matrix"):
        load_matrix(path, 50)


def test_refuses_arrays_that_are_not_a_sparse_matrix(path):
    np.savez(path, DENSE)
    with pytest.raises(ValueError, match="not a readable feature matrix"):
        load_matrix(path, 2)


def test_runs_no_code_of_a_pickle(path, tmp_path):
    path.write_bytes(pickle.dumps(Payload(tmp_path / "created")))
    with pytest.raises(ValueError, match="not a readable feature matrix"):
        load_matrix(path, 2)
    assert not (tmp_path / "created").exists()


def test_runs_no_code_of_a_pickle_inside_an_archive(path, tmp_path):
    np.savez(path, format=np.array([Payload(tmp_path / "created")], object))
    with pytest.raises(ValueError, match="not a readable feature matrix"):
        load_matrix(path, 2)
    assert not (tmp_path / "created").exists()
