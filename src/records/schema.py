"""Parameters of the data that training and prediction share."""

import codecs
import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from core.params import Params


def refuse_unquoted(name: object) -> object:
    """Raise ``ValueError`` for values that YAML reads as a number, a boolean or null."""
    if name is None or isinstance(name, int | float):
        raise ValueError(f"YAML does not read this as text: quote it, as in '{json.dumps(name)}'")
    return name


# A label or a column, as the data spells it.
Name = Annotated[str, BeforeValidator(refuse_unquoted)]


def find_repeated(columns: Sequence[str]) -> str:
    """Return the first column name that occurs more than once, or ''; blank names may repeat."""
    return next((name for name, n in Counter(columns).items() if n > 1 and name.strip()), "")


def check_encoding(name: str) -> str:
    """Return the canonical name of a text encoding, or raise ``ValueError``."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except LookupError as error:
        raise ValueError("Python knows no such encoding") from error


Encoding = Annotated[str, AfterValidator(check_encoding)]
Share = Annotated[float, Field(ge=0, le=1)]


class Labels(Params):
    """The two labels, as the data spells them."""

    negative: Name
    positive: Name


class DataParams(Params):
    """The column that holds the messages, and the labels."""

    model_config = ConfigDict(extra="ignore")

    text_column: Name
    labels: Labels


class FileParams(DataParams):
    """Properties that a file to predict shares with the training data."""

    encoding: Encoding
    max_rejected_share: Share
