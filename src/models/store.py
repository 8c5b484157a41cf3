"""Store fitted models as files that run no code when they are read."""

import hashlib
import json
import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
from sklearn.base import BaseEstimator

from core.errors import UserError
from core.files import atomic_path

# Empty in this repository. In what 'make package' makes, our packages are inside another, and this
# is its name and a dot.
PACKAGE = __name__.removesuffix("models.store")


def import_skops() -> ModuleType:
    """Import and return ``skops.io`` without most of the types that it trusts by default.

    They are all estimators of scikit-learn and all functions of NumPy and SciPy. Listing them takes
    half a second, since it imports the whole of scikit-learn. ``TRUSTED_TYPES`` lists those that
    our models hold. In a package that other programs import, skops stays as they expect it.
    """
    if PACKAGE:
        import skops.io

        return skops.io
    types = ModuleType("skops.io._trusted_types")
    vars(types).update(
        PRIMITIVE_TYPE_NAMES=[f"builtins.{kind.__name__}" for kind in (bool, float, int, str)],
        CONTAINER_TYPE_NAMES=[f"builtins.{kind.__name__}" for kind in (list, set, tuple)],
        NUMPY_DTYPE_TYPE_NAMES=sorted({f"numpy.{k.__name__}" for k in np.sctypeDict.values()}),
        NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES=[],
        NUMPY_UFUNC_TYPE_NAMES=[],
        SCIPY_UFUNC_TYPE_NAMES=[],
        SKLEARN_ESTIMATOR_TYPE_NAMES=[],
        SKLEARN_INTERNAL_TYPE_NAMES=[],
    )
    sys.modules.setdefault(types.__name__, types)
    import skops.io

    return skops.io


sio = import_skops()


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
OUR_TYPES = [
    "features.matrices.as_float32",
    "features.tables.CategoryEncoder",
    "features.tables.DateEncoder",
    "features.tables.MissingFlags",
    "features.tables.prepare_rows",
    "features.tables.rank_values",
    "models.adapted.DenseClassifier",
    "models.adapted.DenseRegressor",
    "models.adapted.LogRegressor",
    "models.adapted.ScaledClassifier",
    "models.ensemble.BranchEnsemble",
    "text.statistics.count_patterns",
    "text.statistics.name_patterns",
    "text.tokens.prepare_messages",
]
# All classes and functions that our models may hold, but for numbers, strings and arrays.
TRUSTED_TYPES = [
    *(PACKAGE + name for name in OUR_TYPES),
    "numpy.dtype",
    "numpy.random.PCG64",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.ExponentialLoss",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.dummy.DummyClassifier",
    "sklearn.dummy.DummyRegressor",
    "sklearn.ensemble._forest.ExtraTreesClassifier",
    "sklearn.ensemble._forest.ExtraTreesRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    "sklearn.ensemble._gb.GradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.ensemble._weight_boosting.AdaBoostClassifier",
    "sklearn.ensemble._weight_boosting.AdaBoostRegressor",
    "sklearn.feature_extraction.text.CountVectorizer",
    "sklearn.feature_extraction.text.HashingVectorizer",
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._base.LinearRegression",
    "sklearn.linear_model._coordinate_descent.ElasticNet",
    "sklearn.linear_model._coordinate_descent.Lasso",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.linear_model._ridge.RidgeClassifier",
    "sklearn.linear_model._stochastic_gradient.SGDClassifier",
    "sklearn.linear_model._stochastic_gradient.SGDRegressor",
    "sklearn.naive_bayes.ComplementNB",
    "sklearn.naive_bayes.MultinomialNB",
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.neighbors._regression.KNeighborsRegressor",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.MaxAbsScaler",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.preprocessing._target_encoder.TargetEncoder",
    "sklearn.svm._classes.LinearSVC",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._classes.ExtraTreeClassifier",
    "sklearn.tree._classes.ExtraTreeRegressor",
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


def place_types(content: bytes) -> bytes:
    """Return the content of a model's file with our types where ``PACKAGE`` says they are."""
    modules = {name.rpartition(".")[0] for name in OUR_TYPES}

    def place(node: dict) -> dict:
        name = node.get("__module__")
        return node | {"__module__": PACKAGE + name} if name in modules else node

    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            member = source.read(name)
            if name == "schema.json":
                member = json.dumps(json.loads(member, object_hook=place)).encode()
            target.writestr(name, member)
    return buffer.getvalue()


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
        model = sio.loads(place_types(content) if PACKAGE else content, trusted=TRUSTED_TYPES)
    except sio.exceptions.UntrustedTypesFoundException as error:
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
