"""Secrets: parameters name environment variables, and only those hold the secrets."""

import os
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from core.errors import UserError

VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# A password in a URL, such as https://user:password@host.
USER_AND_PASSWORD = re.compile(r"(?<=//)[^/@\s:]*:[^/@\s]*@")


def check_variable(name: str) -> str:
    """Return the name of an environment variable, or raise ``ValueError``."""
    if not VARIABLE.fullmatch(name):
        raise ValueError("this must be the name of an environment variable, not its value")
    return name


Variable = Annotated[str, AfterValidator(check_variable)]


def read_variable(name: str) -> str:
    """Return the value of an environment variable, without blanks around it.

    Raises
    ------
    UserError
        If it is not set, or empty.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise UserError(f"the environment variable {name} is not set", "set it, as in .env")
    return value


def hide_passwords(text: str) -> str:
    """Return ``text`` without user names and passwords of the URLs in it."""
    return USER_AND_PASSWORD.sub("***@", text)


def refuse(problems: Iterable[tuple[str, tuple[int | str, ...], str]]) -> ValidationError:
    """Return an error that does not show the given values: one may be a secret in a wrong place.

    Parameters
    ----------
    problems : iterable of tuple
        The type, place and message of each, as pydantic has them.
    """
    return ValidationError.from_exception_data(
        "source",
        [
            InitErrorDetails(
                type=PydanticCustomError(kind, "{message}", {"message": message}),
                loc=place,
                input="(hidden)",
            )
            for kind, place, message in problems
        ],
    )
