"""Read one section of params.yaml into a typed model."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import UserError


class Params(BaseModel):
    """Base of every section's model: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Section = TypeVar("Section", bound=Params)


class Yaml12Loader(yaml.CSafeLoader):
    """PyYAML with the decimal scalars of YAML 1.2's core schema (yaml.org/spec/1.2.2, 10.3.2).

    DVC writes YAML 1.2, in which ``1e-05`` is a number and ``no`` a string; plain PyYAML
    reads YAML 1.1, in which they are a string and a boolean.
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
    """Return one section of a parameters file, checked.

    Raises
    ------
    UserError
        If there is no such file.
    UserError
        As ``read_sections`` and ``check_section`` do.
    """
    return check_section(read_sections(path), section, model, path)


def read_sections(path: Path) -> dict[str, Any]:
    """Return a YAML file that maps names to sections, such as parameters, dvc.yaml or dvc.lock.

    Raises
    ------
    UserError
        If there is no such file.
    UserError
        If it is not such a file.
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
        What ``read_sections`` returned.
    section : str
        The top-level key to read.
    model : type
        The section's pydantic model.
    path : Path
        Where the sections come from, for messages.

    Raises
    ------
    UserError
        If the section is missing or a value does not fit; the message names every offending key.
    """
    if not isinstance(sections.get(section), dict):
        raise UserError(f"{path} has no section '{section}': add it, one 'key: value' a line")
    try:
        return model.model_validate(sections[section])
    except ValidationError as error:
        faults = "; ".join(describe_fault(section, fault) for fault in error.errors())
        raise UserError(f"{path}: {faults}") from error


def describe_fault(section: str, fault) -> str:
    """Turn one of pydantic's error records into 'section.key: what is wrong, got value'."""
    key = ".".join(str(part) for part in (section, *fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{key} is not a parameter of this section: remove it or mend its spelling"
    if fault["type"] == "missing":
        return f"{key} is missing: add it"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{key}: {reason[0].lower()}{reason[1:]}, got {fault['input']!r}"
