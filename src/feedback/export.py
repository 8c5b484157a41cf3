"""Export reviewed corrections as rows of the source."""

import csv
import hashlib
import io
import logging
from collections.abc import Iterable
from pathlib import Path

import yaml

from core.errors import UserError
from core.files import atomic_path
from core.terminal import escape_unprintable
from feedback.store import Correction
from records.checks import check_rows
from records.delimited import read_delimited
from records.raw import decode, split_records
from records.reading import check_columns, rename, select_columns
from records.schema import Schema
from records.validation_params import ValidationParams
from text.normalise import normalise_text

logger = logging.getLogger(__name__)


def read_columns(raw: Path, schema: Schema, params: ValidationParams) -> list[str]:
    """Return the names of the source's columns: the parameters', or else the header's.

    Raises
    ------
    UserError
        If the source is not delimited text, or has no header where one is needed, or the header
        does not fit the schema.
    """
    if params.format != "delimited":
        raise UserError(
            f"corrections cannot be exported as rows of data_validation.format {params.format}",
            "use a source of delimited text, such as CSV",
        )
    if params.columns:
        return params.columns
    if not raw.is_file():
        raise UserError(
            f"{raw}, whose header names the columns, does not exist",
            "run 'dvc repro', or name the file with --raw",
        )
    try:
        columns = next(split_records(decode(raw.read_bytes(), params.encoding), params)).fields
        check_columns(rename(columns, params), schema)
    except ValueError as error:
        raise UserError(f"{raw}: {error}") from error
    return list(columns)


def keep_newest(corrections: Iterable[Correction]) -> list[Correction]:
    """Return the newest correction of each distinct normalised text, oldest first."""
    newest = {normalise_text(str(correction.inputs)): correction for correction in corrections}
    return sorted(newest.values(), key=lambda correction: correction.id)


def write_row(fields: list[str], params: ValidationParams) -> str:
    """Return one row as a line, with its line end."""
    if not params.quoting:
        return params.separator.join(fields) + "\n"
    line = io.StringIO()
    csv.writer(line, delimiter=params.separator, lineterminator="\n").writerow(fields)
    return line.getvalue()


def render(
    correction: Correction, columns: list[str], schema: Schema, params: ValidationParams
) -> tuple[bytes, str]:
    """Return a correction as a row of the source, and why validation would reject it, or ''.

    White space becomes single blanks, as in preprocessing.
    """
    text = " ".join(str(correction.inputs).split())
    values = {schema.target: str(correction.answer), schema.text[0]: text}
    fields = [values.get(name, "") for name in rename(columns, params)]
    try:
        line = write_row(fields, params).encode(params.encoding)
        table = read_delimited(line, columns, schema, params)
    except UnicodeEncodeError:
        return b"", f"not in {params.encoding}"
    except UserError as error:
        return b"", str(error)
    for _, reason, detail, _ in table.unread:
        return line, f"{reason} {detail}".strip()
    if table.columns.fillna("").to_numpy().tolist() != [fields]:
        return line, "cannot be written in this format"
    checked = check_rows(select_columns(table, schema, params), schema, params)
    return line, f"{checked.reasons[0]} {checked.details[0]}".strip()


def render_corrections(
    corrections: list[Correction], columns: list[str], schema: Schema, params: ValidationParams
) -> tuple[bytes, int]:
    """Return corrections as rows of the source, without a header, and the number of rows.

    Only the newest correction of each text is used. Corrections that validation would reject are
    left out with a warning.

    Raises
    ------
    UserError
        If no row is left.
    """
    newest = keep_newest(corrections)
    if n_older := len(corrections) - len(newest):
        logger.info("%d older corrections of the same texts left out", n_older)
    rows = []
    for correction in newest:
        row, reason = render(correction, columns, schema, params)
        if reason:
            logger.warning("correction %d left out: %s", correction.id, escape_unprintable(reason))
        else:
            rows.append(row)
    if not rows:
        raise UserError(
            f"there is nothing to export, {len(corrections)} corrections are accepted",
            "see 'list --status pending', then 'accept' those that are right",
        )
    return b"".join(rows), len(rows)


def check_encoding(params: ValidationParams) -> ValidationParams:
    """Return the parameters, with an encoding in which rows can be appended to the source.

    Raises
    ------
    UserError
        If a line end is not one byte in the encoding.
    """
    if params.encoding == "utf-8-sig":
        # The byte order mark may only be at the start of the source.
        return params.model_copy(update={"encoding": "utf-8"})
    if "\n".encode(params.encoding) != b"\n":
        raise UserError(
            f"nothing can be added to a source in {params.encoding} (data_validation.encoding)",
            "convert it to utf-8",
        )
    return params


def write_export(content: bytes, n_rows: int, output: Path) -> None:
    """Write exported rows, and print the lines of params.yaml that use them."""
    with atomic_path(output) as temporary:
        temporary.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = yaml.safe_dump(
        [{"source": output.as_posix(), "sha256": digest}], sort_keys=False, allow_unicode=True
    )
    print(f"{escape_unprintable(str(output))}: {n_rows} rows, SHA-256 {digest}")
    print("To train on them, add this to params.yaml under data_ingestion, then run 'dvc repro'.")
    print("Git does not keep the file: for others, name a place that they can reach, too.\n")
    print("  additions:")
    for line in entry.splitlines():
        print(f"  {line}")
