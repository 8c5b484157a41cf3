"""Store fitted models as files that run no code when they are read."""

import hashlib
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import skops.io as sio
from sklearn.base import BaseEstimator
from skops.io.exceptions import UntrustedTypesFoundException

from core.errors import UserError
from core.files import atomic_path

# Types of packages that need not be installed, see requirements-boosting.in.
OPTIONAL_TYPES = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]
# Types in our models that skops does not trust by default.
TRUSTED_TYPES = [
    "features.matrices.as_float32",
    "features.tables.CategoryEncoder",
    "features.tables.DateEncoder",
    "features.tables.MissingFlags",
    "features.tables.prepare_rows",
    "features.tables.rank_values",
    "models.adapted.DenseClassifier",
    "models.adapted.DenseRegressor",
    "models.adapted.ScaledClassifier",
    "models.ensemble.BranchEnsemble",
    "numpy.dtype",
    "text.statistics.count_patterns",
    "text.statistics.name_patterns",
    "text.tokens.prepare_messages",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    *OPTIONAL_TYPES,
]
# The earliest date a zip file can hold.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
# Our models unpack to 5 to 30 times their file's size; a malicious file could unpack to gigabytes.
MAX_RATIO = 100
ALWAYS_ALLOWED_BYTES = 10_000_000
# Protocols 2 to 5 start with \x80 and their number, protocols 0 and 1 with one of the characters.
PICKLE_START = re.compile(rb"\x80[\x02-\x05]|[(\]}c]")


def save_model(model: BaseEstimator, path: Path) -> None:
    """Write a fitted estimator in skops's format; equal estimators give equal bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(canonicalise(sio.dumps(model)))


def read_digest(path: Path) -> str:
    """Return the SHA-256 of a model's file as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def canonicalise(dump: bytes) -> bytes:
    """Return the content of a skops file in a form that is the same for equal models.

    skops names objects, and the files of their arrays, by their addresses in memory, and dates
    every file. Here they are numbered in the order in which they occur in the schema, and have a
    fixed date.
    """
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}

    def renumber(node: object) -> object:
        if isinstance(node, list):
            return [renumber(child) for child in node]
        if not isinstance(node, dict):
            return node
        node = dict(node)
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str):
            suffix = Path(node["file"]).suffix
            node["file"] = files.setdefault(node["file"], f"{len(files)}{suffix}")
        return {key: renumber(child) for key, child in node.items()}

    buffer = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(dump)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target,
    ):
        schema = json.dumps(renumber(json.loads(source.read("schema.json"))))
        contents: dict[str, str | bytes] = {
            new: clear_padding(source.read(old)) for old, new in files.items()
        }
        for name, content in {**contents, "schema.json": schema}.items():
            info = zipfile.ZipInfo(name, ZIP_DATE)
            target.writestr(info, content, zipfile.ZIP_DEFLATED, compresslevel=6)
    return buffer.getvalue()


def clear_padding(content: bytes) -> bytes:
    """Zero the bytes between the fields of a structured array, which are arbitrary."""
    array = np.load(BytesIO(content)) if content.startswith(b"\x93NUMPY") else None
    if array is None or array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = BytesIO()
    np.save(buffer, clean)
    return buffer.getvalue()


def check_unpacked_size(content: bytes) -> None:
    """Raise ``UserError`` if the content of a zip file would be far larger than a model's."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    if n_bytes > max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * len(content)):
        raise UserError(f"it would unpack to {n_bytes / 1e6:,.0f} MB")


def read_model_file(path: Path) -> bytes:
    """Return the content of a model's file, so that the same bytes can be hashed and loaded.

    Raises
    ------
    UserError
        If the file does not exist.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", "run 'dvc repro' to make it")
    return path.read_bytes()


def load_model(path: Path) -> BaseEstimator:
    """Read an estimator that ``save_model`` wrote; raise ``UserError`` as ``parse_model`` does."""
    return parse_model(read_model_file(path), path)


def parse_model(content: bytes, path: Path) -> BaseEstimator:
    """Return the estimator in the content of a file that ``save_model`` wrote.

    Parameters
    ----------
    content : bytes
        The content of the file.
    path : Path
        The file, for messages.

    Raises
    ------
    UserError
        If the file is a pickle, is damaged, or contains a type that is not trusted.
    """
    if PICKLE_START.match(content):
        raise UserError(
            f"{path} is a pickle, which can run any code when it is read",
            "use a model from 'dvc repro' or 'dvc pull'",
        )
    try:
        check_unpacked_size(content)
        model = sio.loads(content, trusted=TRUSTED_TYPES)
    except UntrustedTypesFoundException as error:
        raise UserError(
            f"{path} is not one of our models: {error}",
            "use a model from 'dvc repro' or 'dvc pull'",
        ) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise UserError(
            f"{path} needs the package {package}, which is not installed",
            "run 'pip install -r requirements-boosting.txt'",
        ) from error
    except Exception as error:  # a damaged file can fail anywhere in zipfile, json or numpy
        raise UserError(
            f"{path} is damaged or no model ({type(error).__name__}: {error})",
            "get it again with 'dvc repro' or 'dvc pull'",
        ) from error
    if not isinstance(model, BaseEstimator):
        raise UserError(
            f"{path} holds a {type(model).__name__}, no model",
            "use a model from 'dvc repro' or 'dvc pull'",
        )
    return model
