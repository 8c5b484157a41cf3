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

# What our models hold beyond the types that skops itself takes for harmless.
TRUSTED_TYPES = [
    "features.matrices.as_float32",
    "text.statistics.count_patterns",
    "text.statistics.name_patterns",
    "text.tokens.prepare_messages",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.tree._tree.Tree",
]
# The earliest date a zip file can hold.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
# Unpacked, our models have 5 to 30 times their file's size. A small file can claim gigabytes.
MAX_RATIO = 100
ALWAYS_ALLOWED_BYTES = 10_000_000
# Protocols 2 and above start so, the text protocols 0 and 1 with one of these characters.
PICKLE_START = re.compile(rb"\x80[\x02-\x05]|[(\]}c]")


def save_model(model: BaseEstimator, path: Path) -> None:
    """Write a fitted estimator in skops's format; equal estimators give equal bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(canonicalise(sio.dumps(model)))


def read_digest(path: Path) -> str:
    """Return the SHA-256 of a model's file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def canonicalise(dump: bytes) -> bytes:
    """Return a skops file without what differs between equal models.

    skops names objects, and the files of their arrays, by their addresses in memory, and dates
    every file. Here they are numbered in the order in which the schema names them.
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
    """Zero the bytes between the fields of a structured array: whatever was in memory."""
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
    """Raise ``UserError`` if a zip file says that it unpacks to far more than any model does."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    if n_bytes > max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * len(content)):
        raise UserError(f"it would unpack to {n_bytes / 1e6:,.0f} MB")


def read_model_file(path: Path) -> bytes:
    """Return the content of a model's file: what is loaded and hashed, should it be replaced.

    Raises
    ------
    UserError
        If there is no such file.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist: run 'dvc repro' to make it")
    return path.read_bytes()


def load_model(path: Path) -> BaseEstimator:
    """Read an estimator written by ``save_model``, as ``parse_model`` does."""
    return parse_model(read_model_file(path), path)


def parse_model(content: bytes, path: Path) -> BaseEstimator:
    """Return the estimator that ``save_model`` wrote, and nothing else.

    Parameters
    ----------
    content : bytes
        Of the file.
    path : Path
        The file, for messages.

    Raises
    ------
    UserError
        If the file is a pickle, is damaged, or holds a type that is not ours.
    """
    if PICKLE_START.match(content):
        raise UserError(
            f"{path} is a pickle, which can run any code when it is read: "
            "take the model that 'dvc repro' or 'dvc pull' makes"
        )
    try:
        check_unpacked_size(content)
        model = sio.loads(content, trusted=TRUSTED_TYPES)
    except UntrustedTypesFoundException as error:
        raise UserError(f"{path} is not one of our models: {error}") from error
    except Exception as error:  # a damaged file can fail anywhere in zipfile, json or numpy
        raise UserError(
            f"{path} is damaged or no model ({type(error).__name__}: {error}): "
            "make it again with 'dvc repro' or 'dvc pull'"
        ) from error
    if not isinstance(model, BaseEstimator):
        raise UserError(f"{path} holds a {type(model).__name__}, no model: make it again")
    return model
