"""What corrections must fit: the columns, labels and encoding of the source."""

from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from records.checks import check_names
from records.raw import decode, split_records
from records.reading import check_columns, read_table, rename, select_columns, unpack
from records.schema import Schema
from records.tasks import TASKS
from records.validation_params import ValidationParams
from records.values import to_text


@dataclass(frozen=True)
class Source:
    """A source to whose rows corrections are added.

    Attributes
    ----------
    columns : list of str
        The names that the source gives its columns.
    schema : Schema
        What the columns are.
    params : ValidationParams
        How values are written.
    labels : set of str or None
        The labels that the source has if the schema allows any; otherwise, or if the source is not
        at hand, None.
    """

    columns: list[str]
    schema: Schema
    params: ValidationParams
    labels: set[str] | None = None

    @property
    def names(self) -> list[str]:
        """The names that the pipeline gives the columns."""
        return rename(self.columns, self.params)


def read_source(raw: Path, schema: Schema, params: ValidationParams) -> Source:
    """Return what corrections must fit.

    The names of the columns are those of the parameters, or else of the file ``raw``.

    Raises
    ------
    UserError
        If no rows can be added to such a source, if it does not exist although it names the
        columns, or if its columns do not fit the schema.
    """
    if params.format not in ("delimited", "jsonl"):
        raise UserError(
            f"corrections cannot be added to a source in {params.format} (data_validation.format)",
            "convert the source to CSV or JSON lines",
        )
    check_names(schema, params)
    params = check_encoding(params)
    allows_any = TASKS[schema.task].has_classes and not schema.labels
    if not raw.is_file():
        if params.columns:
            return Source(params.columns, schema, params)
        raise UserError(
            f"{raw}, which names the columns, does not exist",
            "run 'dvc repro', or name the file with --raw",
        )
    if params.columns and not allows_any:
        return Source(params.columns, schema, params)
    try:
        return read_file(raw.read_bytes(), schema, params, allows_any)
    except UserError as error:
        raise UserError(f"{raw}: {error.message}", error.fix) from error


def read_file(content: bytes, schema: Schema, params: ValidationParams, allows_any: bool) -> Source:
    """Return the columns of the source's content, and its labels if any is allowed."""
    if params.format == "delimited" and not allows_any:
        header = next(split_records(decode(unpack(content), params.encoding), params))
        source = Source(list(header.fields), schema, params)
        check_columns(source.names, schema)
        return source
    table = read_table(content, params.columns or None, schema, params)
    source = Source([str(name) for name in table.columns], schema, params)
    check_columns(source.names, schema)
    if not allows_any:
        return source
    labels = to_text(select_columns(table, schema, params).columns[schema.target])
    return Source(source.columns, schema, params, set(labels.dropna().str.strip()))


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
