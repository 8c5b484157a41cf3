"""Write values as YAML that YAML 1.1 and 1.2 read alike, for files that people read and edit."""

import json
from collections.abc import Mapping
from typing import Any

# A longer list gets a line for each value.
MAX_LINE = 60
# Words that YAML reads as something other than text, in one of its versions.
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def format_value(value: Any) -> str:
    """Return a value as YAML that YAML 1.1 and 1.2 read alike, on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{format_value(k)}: {format_value(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    words = value.replace("_", "a").replace("-", "a").replace(".", "a").split(" ")
    is_plain = value.isascii() and value[:1].isalpha() and all(map(str.isalnum, words))
    if is_plain and value.lower() not in YAML_WORDS:
        return value
    return '"' + "".join(map(escape_character, value)) + '"'


def escape_character(character: str) -> str:
    """Return a character as it is written in double quotes in YAML."""
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable() and character != "\ufeff":
        return character
    if character == "\t":
        return "\\t"
    if character == "\n":
        return "\\n"
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def format_optional(value: Any) -> str:
    """Return a value after the colon of a key that is indented by two blanks.

    None is nothing, and a list that is too long for one line has a line for each value.
    """
    if value is None:
        return ""
    text = format_value(value)
    if isinstance(value, list) and len(text) > MAX_LINE:
        return "".join(f"\n  - {format_value(each)}" for each in value)
    return f" {text}"
