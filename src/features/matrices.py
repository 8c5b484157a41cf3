"""Files of sparse feature matrices, for the next stage."""

import zipfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from core.errors import UserError
from core.files import atomic_path

LARGEST = np.finfo(np.float32).max


def as_float32(X: sp.spmatrix | np.ndarray) -> sp.csr_matrix:
    """Return features, shape (n_samples, n_features), as a float32 CSR matrix.

    Larger numbers than float32 holds become the largest that it does, so that no row is refused.
    """
    with np.errstate(over="ignore"):
        X = sp.csr_matrix(X, dtype=np.float32)
    if np.isinf(X.data).any():
        X.data = np.clip(X.data, -LARGEST, LARGEST)
    X.sort_indices()
    return X


def save_matrix(X: sp.csr_matrix, path: Path) -> None:
    """Write a CSR matrix as ``.npz``, as SciPy does; equal matrices give equal bytes.

    SciPy writes the headers of zip files of four gigabytes, whose bytes depend on the version of
    Python. It is not compressed: compression would save half the size, but take half as long as
    computing the features.
    """
    arrays = {
        "indices": X.indices,
        "indptr": X.indptr,
        "format": np.array(b"csr"),
        "shape": np.array(X.shape),
        "data": X.data,
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            is_large = array.nbytes > zipfile.ZIP64_LIMIT // 2
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=is_large) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load_matrix(path: Path, n_rows: int) -> sp.csr_matrix:
    """Read a CSR matrix written by ``save_matrix``.

    Raises
    ------
    UserError
        If the file does not exist, is damaged, or does not have ``n_rows`` rows.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", "run 'dvc repro' to make it")
    try:
        with path.open("rb") as file:
            X = sp.load_npz(file)
    except Exception as error:  # numpy, zipfile and zlib each raise their own types
        raise UserError(
            f"{path} is not a readable feature matrix ({error})",
            "run 'dvc repro' to make it again",
        ) from error
    if X.shape[0] != n_rows:
        raise UserError(
            f"{path} has {X.shape[0]} rows, its table {n_rows}", "run feature_engineering again"
        )
    return X
