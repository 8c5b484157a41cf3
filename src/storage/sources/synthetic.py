"""Sources that are generated: scikit-learn's synthetic classification and regression data."""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from core.errors import UserError
from core.params import Params, describe_error
from storage.sources.limits import Limits, write_chunks

if TYPE_CHECKING:
    import numpy as np

ROWS_AT_ONCE = 1000
# Fewer digits than computed: the last ones differ between processors.
DIGITS = "%.6g"
# Options whose names are not scikit-learn's.
ARGUMENTS = {
    "rows": "n_samples",
    "features": "n_features",
    "informative": "n_informative",
    "redundant": "n_redundant",
    "repeated": "n_repeated",
    "classes": "n_classes",
    "clusters_per_class": "n_clusters_per_class",
}
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, le=1)]
Weights = Annotated[list[Share], BeforeValidator(lambda text: text.split(","))]


class Generated(Params):
    """Options that both generators have."""

    rows: PositiveInt = 100
    features: PositiveInt
    informative: NonNegativeInt
    shuffle: bool = True
    random_state: Seed = 0

    def to_arguments(self) -> dict[str, Any]:
        """Return the options by scikit-learn's names."""
        return {ARGUMENTS.get(name, name): value for name, value in self.model_dump().items()}

    @abstractmethod
    def generate(self) -> tuple["np.ndarray", "np.ndarray"]:
        """Return features, shape (rows, features), and target, shape (rows,)."""


class Classification(Generated):
    """Options of ``make_classification``, with its defaults except for ``random_state``."""

    features: PositiveInt = 20
    informative: NonNegativeInt = 2
    redundant: NonNegativeInt = 2
    repeated: NonNegativeInt = 0
    classes: PositiveInt = 2
    clusters_per_class: PositiveInt = 2
    weights: Weights | None = None
    flip_y: Share = 0.01
    class_sep: float = Field(1.0, allow_inf_nan=False)
    hypercube: bool = True
    shift: float = Field(0.0, allow_inf_nan=False)
    scale: float = Field(1.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def weights_are_shares(self) -> "Classification":
        """Raise ``ValueError`` unless there is a weight for each class, and their sum is 1."""
        if self.weights and (
            len(self.weights) != self.classes or abs(sum(self.weights) - 1) > 1e-9
        ):
            raise ValueError("weights needs a share for each class, and their sum must be 1")
        return self

    def generate(self) -> tuple["np.ndarray", "np.ndarray"]:
        from sklearn.datasets import make_classification

        return make_classification(**self.to_arguments())


class Regression(Generated):
    """Options of ``make_regression``, with its defaults except for ``random_state``."""

    features: PositiveInt = 100
    informative: NonNegativeInt = 10
    bias: float = Field(0.0, allow_inf_nan=False)
    effective_rank: PositiveInt | None = None
    tail_strength: Share = 0.5
    noise: NonNegativeFloat = Field(0.0, allow_inf_nan=False)

    def generate(self) -> tuple["np.ndarray", "np.ndarray"]:
        from sklearn.datasets import make_regression

        return make_regression(**self.to_arguments())


GENERATORS: dict[str, type[Generated]] = {
    "classification": Classification,
    "regression": Regression,
}


def fetch_synthetic(source: str, target: Path, limits: Limits) -> Path:
    """Write generated rows to ``target`` as CSV with the columns x0, x1, ... and target.

    Equal sources give equal bytes.

    Parameters
    ----------
    source : str
        ``synthetic://classification`` or ``synthetic://regression``, followed by options, such as
        ``?rows=10000&features=20&weights=0.97,0.03&random_state=0``.
    target : Path
        The file to write.
    limits : Limits
        The limit on its size.

    Raises
    ------
    UserError
        If the generator or an option does not exist, an option has a wrong value, or there are
        more bytes than allowed.
    """
    options = parse_options(source)
    # A lower bound, before memory is filled: a separator and at least one digit for each value.
    limits.check_size(options.rows * options.features * 2)
    try:
        X, y = options.generate()
    except ValueError as error:
        raise UserError(f"scikit-learn cannot generate this: {error}") from error
    return write_chunks(format_rows(X, y), target, limits)


def parse_options(source: str) -> Generated:
    """Return the options of a synthetic source, or raise ``UserError``."""
    parts = urlsplit(source)
    if parts.netloc not in GENERATORS or parts.path or parts.fragment:
        raise UserError(
            f"there is no generator {parts.netloc + parts.path!r}",
            f"write it as synthetic://{'?... or synthetic://'.join(GENERATORS)}?...",
        )
    model = GENERATORS[parts.netloc]
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise UserError(
            f"the options {parts.query!r} cannot be read", "write them as name=value&name=value"
        ) from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise UserError("an option is given twice", "remove one")
    if unknown := [name for name in options if name not in model.model_fields]:
        raise UserError(
            f"the generator has no option {unknown[0]!r}",
            f"choose from {', '.join(model.model_fields)}",
        )
    try:
        return model.model_validate(options)
    except ValidationError as error:
        problems = (describe_error(parts.netloc, each) for each in error.errors())
        raise UserError("; ".join(problems)) from None


def format_rows(X: "np.ndarray", y: "np.ndarray") -> Iterator[bytes]:
    """Yield a header, then the rows of a CSV file."""
    yield (",".join([*(f"x{i}" for i in range(X.shape[1])), "target"]) + "\n").encode()
    # A label is an integer.
    line = ",".join([DIGITS] * X.shape[1] + ["%d" if y.dtype.kind == "i" else DIGITS]) + "\n"
    for start in range(0, len(X), ROWS_AT_ONCE):
        chunk = slice(start, start + ROWS_AT_ONCE)
        rows = zip(X[chunk].tolist(), y[chunk].tolist(), strict=True)
        yield "".join(line % (*features, target) for features, target in rows).encode()
