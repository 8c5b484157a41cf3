"""What all readers of files share: how a format begins, and which text can be stored."""

import re
from typing import NoReturn

GZIP_MAGIC = b"\x1f\x8b"
# The start of a JSON array of objects.
ARRAY_START = re.compile(r"\s*\[\s*(\{|$)")


def refuse_constant(name: str) -> NoReturn:
    """Raise ``ValueError`` for NaN and infinities, which Python's parser accepts as numbers."""
    raise ValueError(f"JSON has no {name}")


def is_encodable(text: str) -> bool:
    """Return whether a string has no lone surrogates, which represent undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
