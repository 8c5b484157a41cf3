"""Read a section of params.yaml into a typed model."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import UserError


class Params(BaseModel):
    """Base class of the sections' models: refuses unknown keys, and is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Section = TypeVar("Section", bound=Params)


class Yaml12Loader(yaml.CSafeLoader):
    """PyYAML with the decimal scalars of YAML 1.2's core schema (yaml.org/spec/1.2.2, 10.3.2).

    DVC writes YAML 1.2, where ``1e-05`` is a number and ``no`` a string. Plain PyYAML reads
    YAML 1.1, where they are a string and a boolean.
    """


Yaml12Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    Yaml12Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first
    )
# PyYAML reads a leading zero as octal, YAML 1.2 does not.
Yaml12Loader.add_constructor(
    "tag:yaml.org,2002:int",
    lambda loader, node: int(loader.construct_scalar(node)),  # type: ignore[arg-type]
)


def read_params(path: Path, section: str, model: type[Section]) -> Section:
    """Return one section of a parameters file as its pydantic model.

    Raises
    ------
    FileNotFoundError, UserError
        As ``read_sections`` and ``check_section`` do.
    """
    return check_section(read_sections(path), section, model, path)


def read_sections(path: Path) -> dict[str, Any]:
    """Read a YAML file that maps names to sections, such as params.yaml, dvc.yaml or dvc.lock.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    UserError
        If it is not valid YAML.
    """
    try:
        sections = yaml.load(path.read_text(encoding="utf-8"), Loader=Yaml12Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return sections if isinstance(sections, dict) else {}


def check_section(
    sections: dict[str, Any], section: str, model: type[Section], path: Path
) -> Section:
    """Return one section as its pydantic model.

    Parameters
    ----------
    sections : dict
        The content of the file, from ``read_sections``.
    section : str
        The top-level key to read.
    model : type
        The section's pydantic model.
    path : Path
        The file that the sections come from, for messages.

    Raises
    ------
    UserError
        If the section is missing or has invalid values; the message names every wrong key.
    """
    if not isinstance(sections.get(section), dict):
        raise UserError(
            f"{path} has no section '{section}'", "add it, with one 'key: value' on each line"
        )
    try:
        return model.model_validate(sections[section])
    except ValidationError as error:
        problems = "; ".join(describe_error(section, each) for each in error.errors())
        raise UserError(f"{path}: {problems}") from error


def describe_error(section: str, error: Any) -> str:
    """Turn one of pydantic's error records into 'section.key: what is wrong, got value'."""
    key = ".".join(str(name) for name in (section, *error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key} is not a parameter of this section: remove it or correct its spelling"
    if error["type"] == "missing":
        return f"{key} is missing: add it"
    reason = error["msg"].removeprefix("Value error, ")
    # A whole section is too long to show.
    got = f", got {error['input']!r}" if error["loc"] else ""
    return f"{key}: {reason[0].lower()}{reason[1:]}{got}"
