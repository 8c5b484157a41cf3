"""Read JSON lines as a table of Python's objects."""

import io
import json
from typing import Any

from core.errors import UserError
from records.formats import ARRAY_START, is_encodable, refuse_constant
from records.raw import decode
from records.raw_tables import RawTable, Unread, make_column, make_table, stack
from records.schema import Schema
from records.splitting import TOO_LONG, bound_lines, is_too_long
from records.validation_params import ValidationParams


def read_json(line: str) -> tuple[dict[str, Any], str, str]:
    """Return the object of a line, and why it cannot be read, with details."""
    if is_too_long(line):
        return {}, "line too long", TOO_LONG
    if not line.strip():
        return {}, "empty line", ""
    try:
        found = json.loads(line, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        return {}, "malformed JSON", str(error)
    if not isinstance(found, dict):
        return {}, "not a JSON object", ""
    # Escapes can stand for half a character, which no file can store.
    if "\\u" in line and not is_encodable(json.dumps(found, ensure_ascii=False)):
        return {}, "not valid Unicode", ""
    return found, "", ""


def read_json_lines(
    raw: bytes, columns: list[str] | None, _: Schema, params: ValidationParams
) -> RawTable:
    """Read an object from each line; the columns are all keys in their order."""
    text = decode(raw, params.encoding)
    if ARRAY_START.match(text.partition("\n")[0]):
        raise UserError(
            "the file is a JSON array, not JSON lines",
            "write one object per line, as with jq --compact-output '.[]'",
        )
    rows, found, lines = [], [], []
    unread: list[Unread] = []
    row = 0
    for row, line in enumerate(bound_lines(io.StringIO(text, newline="\n"), ("\n",)), start=1):
        bare = line.removesuffix("\n").removesuffix("\r")
        values, reason, detail = read_json(bare)
        if not is_encodable(bare):
            reason, detail = "undecodable bytes", f"not {params.encoding}"
        if columns and not reason and (unknown := values.keys() - set(columns)):
            reason, detail = "unknown key", repr(min(unknown))
        if reason:
            unread.append((row, reason, detail, bare))
        else:
            rows.append(row)
            found.append(values)
            lines.append(bare)
    if not found and not columns:
        raise UserError(
            f"no line is a valid object, the first one is: {' '.join(unread[0][1:3])}",
            "check data_validation.format and encoding",
        )
    names = columns or list(dict.fromkeys(key for values in found for key in values))
    by_column = [make_column([values.get(name) for values in found]) for name in names]
    return make_table(stack(by_column, names), rows, unread, lines.__getitem__, row)
